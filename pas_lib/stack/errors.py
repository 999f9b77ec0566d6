"""Failures of the supervisor."""

from __future__ import annotations

from pathlib import Path

from pas_lib.errors import PasError


class StackError(PasError):
    """A program of the stack did not start, died, or is in the way."""


class StepFailed(PasError):
    """A step of the pipeline failed.

    Parameters
    ----------
    step : str
        Which one.
    reason : str
        One line.
    log : Path, optional
        Where the whole story is.
    """

    def __init__(self, step: str, reason: str, log: Path | None = None) -> None:
        self.step = step
        self.log = log
        super().__init__(f"{step} failed: {reason}", hint=f"log: {log}" if log else "")
