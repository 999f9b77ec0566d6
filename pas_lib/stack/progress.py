"""Telling a person how far it is: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class Progress:
    """Numbered steps with a changing detail and the time they take.

    Parameters
    ----------
    console : Console, optional
        Where to write; standard output by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._status: Status | None = None
        self._title = ""
        self._detail = ""
        self._step_began = self._began
        #: Seconds each finished step took, by title.
        self.taken: dict[str, float] = {}

    @classmethod
    def beside_json(cls) -> Self:
        """Return one that writes to standard error: standard output belongs to the answer."""
        return cls(Console(stderr=True, highlight=False, soft_wrap=True))

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_line()

    def say(self, text: str) -> None:
        """Write a line of its own."""
        self.console.print(escape(text))

    def step(self, number: int, total: int, title: str) -> None:
        """Begin a step."""
        self._end_line()
        self._title, self._detail = f"[{number}/{total}] {title}", ""
        self._step_began = time.monotonic()
        if self.console.is_terminal:
            self._status = self.console.status(escape(self._title))
            self._status.start()
        else:
            self.say(f"{self.elapsed:6.1f}s  {self._title} ...")

    def detail(self, text: str) -> None:
        """Say what the step is at."""
        if self._status is not None:
            seconds = time.monotonic() - self._step_began
            self._status.update(escape(f"{self._title}: {text}  {seconds:.0f}s (total {self.elapsed:.0f}s)"))
        elif text != self._detail:
            self.say(f"{self.elapsed:6.1f}s  {self._title}: {text}")
        self._detail = text

    def done(self, text: str = "") -> None:
        """End a step well."""
        self._end_line()
        seconds = time.monotonic() - self._step_began
        self.taken[self._title.partition("] ")[2]] = seconds
        self.say(f"{self.elapsed:6.1f}s  {self._title}: done in {seconds:.1f}s{f' - {text}' if text else ''}")

    def _end_line(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
