"""Signals: held back while something must not be left half done, ignored while the end is being made."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from pas_lib.stack import signals


class Asked(Exception):
    pass


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    def ask(*_: object) -> None:
        raise Asked

    before = signal.signal(signal.SIGTERM, ask)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_delivered_when_the_block_is_over() -> None:
    done = []
    with pytest.raises(Asked), signals.held_back():
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("whole")
    assert done == ["whole"]


def test_without_a_signal_nothing_happens_and_the_handler_is_back() -> None:
    with signals.held_back():
        pass
    with pytest.raises(Asked):
        os.kill(os.getpid(), signal.SIGTERM)


def test_while_the_end_is_made_signals_are_ignored() -> None:
    with signals.ignored():
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Asked):
        os.kill(os.getpid(), signal.SIGTERM)
