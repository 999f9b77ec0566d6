"""Signals that ask for an end, while something is under way that must not be left half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

#: What Ctrl-C, a service manager and a closed terminal send.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def as_interrupt() -> None:
    """Make every signal that asks for an end arrive as ``KeyboardInterrupt``, so that what was begun is ended in order.

    Also when started in the background, where a shell lets Ctrl-C pass; but ``nohup`` means what it says.
    """
    for number in ENDING:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold signals that ask for an end until the block is over, and deliver the first of them then.

    In a thread that is not the main one nothing is done: signals do not reach it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        arrived.append(number)

    before = {number: signal.signal(number, note) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])


@contextlib.contextmanager
def ignored() -> Iterator[None]:
    """Ignore signals that ask for an end while the end is being made."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
