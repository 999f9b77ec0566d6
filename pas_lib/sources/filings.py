"""Shared by the sources of filings: which forms are kept, and what a time of acceptance means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pas_lib.clock import NY

#: What a collection keeps: periodic reports, notices that one is late, and current reports (results among them).
PERIODIC = frozenset(
    form + end
    for form in ("10-K", "10-KT", "10-Q", "10-QT", "20-F", "40-F", "8-K", "NT 10-K", "NT 10-Q", "NT 20-F")
    for end in ("", "/A")
)
#: Correspondence with the staff, and drafts: released weeks or months after the date it carries.
RELEASED_LATER = frozenset(
    {"UPLOAD", "CORRESP", "DRSLTR", "DRS", "DRS/A", "LETTER", "SEC STAFF LETTER", "SEC STAFF ACTION"}
)
ACCESSION = re.compile(r"\d{10}-\d{2}-\d{6}")

#: Accepted later than this of New York, most forms are dated the next working day; some only after 22:00. What began
#: to be sent before may be accepted a little later.
_CUT_OFF, _LATE_CUT_OFF = time(17, 30), time(22, 0)
_GRACE = timedelta(minutes=30)
_LATE_FORM = re.compile(r"(?:3|4|5|144|SC(?:HEDULE)? 13[DG]|.*MEF|POS 462B)(?:/A)?")
_SECOND = np.timedelta64(1, "s")


@lru_cache(maxsize=4096)
def read_day(text: str) -> date:
    """Return a date from ``2020-03-18`` or ``20200318``.

    Raises
    ------
    ValueError
        If it is none.
    """
    return date.fromisoformat(text)


@lru_cache(maxsize=1024)
def _limit(form: str) -> int:
    """Return the last second of a day at which a form may be accepted under that day's date."""
    cut = _LATE_CUT_OFF if _LATE_FORM.fullmatch(form) else _CUT_OFF
    return int((timedelta(hours=cut.hour, minutes=cut.minute) + _GRACE).total_seconds())


@lru_cache(maxsize=16_384)
def _behind(day: int) -> int:
    """Return the seconds New York is behind UTC at noon of a day (since 1970): EDGAR rests when the clocks change."""
    at = datetime.combine(date(1970, 1, 1) + timedelta(days=day), time(12), NY)
    offset = at.utcoffset()
    return -int(offset.total_seconds()) if offset is not None else 0


def read_accepted(stated: Sequence[str], filed: Sequence[date], forms: Sequence[str]) -> NDArray[np.datetime64]:
    """Return when filings were accepted, in UTC.

    The ``Z`` of ``acceptanceDateTime`` cannot be trusted: for part of the companies it marks New York's time. The later
    of both readings holds, unless the filing date refutes it: nothing is accepted after its filing date, or on it after
    the hour from which on the form is dated the next working day.

    Parameters
    ----------
    stated : sequence of str
        ``2026-01-28T21:07:34.000Z``.
    filed : sequence of date
        Official filing dates.
    forms : sequence of str
        The hour differs by form.

    Returns
    -------
    numpy.ndarray
        ``datetime64[s]``, UTC.

    Raises
    ------
    ValueError
        If one is no time.
    """
    moments = np.array([text.removesuffix("Z") for text in stated], dtype="datetime64[s]")
    if np.isnat(moments).any():
        raise ValueError("a time of acceptance is missing")
    days = moments.astype("datetime64[D]").astype(np.int64)
    unique, back = np.unique(days, return_inverse=True)
    behind = np.array([_behind(int(day)) for day in unique], dtype=np.int64)[back] * _SECOND
    limits = np.array([_limit(form) for form in forms], dtype=np.int64) * _SECOND
    dates = np.array(filed, dtype="datetime64[D]").astype("datetime64[s]")
    # As New York's time the filing date refutes it; as UTC it does not. Late in the day some are dated the same day all
    # the same, by leave of the SEC, but nothing after the closing hour.
    is_utc = (moments > dates + limits) & (moments - behind <= dates + _limit("4") * _SECOND)
    return np.where(is_utc, moments, moments + behind)
