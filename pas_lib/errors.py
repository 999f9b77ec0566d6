"""Errors a user can act on.

Every message is one line: what was wrong, where, and what to do about it. Command line, operators and API print the
message and nothing else; a stack trace is only ever shown for a defect of the program itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PasError(Exception):
    """Base of all expected failures.

    Parameters
    ----------
    message : str
        What was wrong and where. Line breaks are folded into blanks.
    hint : str, optional
        What to do about it; appended to the message.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.hint = hint
        text = f"{message} ({hint})" if hint else message
        super().__init__(" ".join(text.split()))


class SettingsError(PasError):
    """A setting is missing, malformed or contradicts another one."""


class WarehouseError(PasError):
    """The warehouse refused: wrong version, wrong origin, wrong shape."""


class WarehouseUnavailable(WarehouseError):
    """PostgreSQL cannot be reached."""


class TableMissing(WarehouseError):
    """A table does not exist: a mart has not been built, or the database is no warehouse of this code.

    Parameters
    ----------
    name : str
        The table, with its schema where that is known.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        todo = (
            "bring the warehouse up to date with `make run`"
            if name.startswith(("ops.", "raw."))
            else "run `pas build` first"
        )
        super().__init__(f"{name} does not exist", hint=todo)


class SourceError(PasError):
    """A site did not answer as promised (status, time-out, challenge page).

    Attributes
    ----------
    retry_after : float or None
        Seconds after which the site wants to be asked again, where it said so.
    """

    retry_after: float | None = None


class PayloadError(SourceError):
    """A payload arrived but is not what the site's format promises.

    Attributes
    ----------
    payload : object or None
        The answer itself, where it was refused as it came.
    """

    payload: object | None = None


class QuarantineError(PasError):
    """Too large a share of a payload was invalid; nothing was loaded."""


class LedgerError(PasError):
    """The books would no longer balance, or belong to another account."""


class OrderError(PasError):
    """An order or a plan is not allowed."""


class BrokerError(PasError):
    """The broker refused or could not be reached."""


class GuardError(PasError):
    """A safety condition for trading is not met."""


class UnknownName(PasError):
    """A name is not in the catalogue.

    Parameters
    ----------
    kind : str
        What was looked for, e.g. ``"dataset"``.
    name : str
        The name asked for.
    known : Iterable[str]
        All valid names; the nearest ones are suggested.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {name!r}", hint=hint)
