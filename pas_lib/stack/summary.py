"""What a session came to, read through the REST API."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pas_lib.stack.supervisor import Stack


def show(stack: Stack, session: date) -> None:
    """Print what the session came to."""


def addresses(stack: Stack) -> None:
    """Print where everything is, and how to log in."""
