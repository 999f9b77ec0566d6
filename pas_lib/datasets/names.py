"""From a company's name to its symbol, for sources that state no symbol.

Three steps, the first that answers wins: the hand-written table ``aliases.csv``, equality of normalised names with the
register of securities, and a similarity of at least :data:`THRESHOLD` that is clearly better than the next one.
Everything else stays without a symbol: a wrong symbol would be traded, a missing one is only missed.

The aliases are dated. Their last column says what a line was checked against: the SEC's list of companies, lists and
spells of the S&P 500, recorded payloads, public reports, or the company's own name within it. A line that says nothing
there, or that something is not verified, is not used; of a day that is known by its month or year only, a line holds to
the one before or from the one after.
"""

from __future__ import annotations

import csv
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from rapidfuzz import fuzz, process

#: Least similarity of two normalised names, 0 to 100 (ratio of their sorted words).
THRESHOLD = 95.0
#: The next best company must be at least this much less similar.
MARGIN = 3.0
#: Shorter normalised names are not compared by similarity: one letter is a large part of them.
_SHORTEST = 8

Basis = Literal["alias", "name", "fuzzy"]

_BEHALF = re.compile(r"\bon behalf of\b:?", re.I)
_ASIDE = re.compile(r"\([^()]*\)")
_FORMERLY = re.compile(r"[,;]?\s+(?:f/k/a|formerly(?: known as)?|d/b/a|dba)\s.*$", re.I)
_DOTTED = re.compile(r"\b(?:[A-Z]\.){2,}")
_LEGAL = frozenset(
    (
        "INC",
        "INCORPORATED",
        "CORP",
        "CORPORATION",
        "CO",
        "COMPANY",
        "COMPANIES",
        "LLC",
        "LTD",
        "LIMITED",
        "PLC",
        "LP",
        "LLP",
        "NV",
        "SA",
        "AG",
        "SE",
    )
)
_SPELT = {"INTL": "INTERNATIONAL", "TECHS": "TECHNOLOGIES", "MFG": "MANUFACTURING", "SVCS": "SERVICES"}


def normalise(name: str) -> str:
    """Return a name without what spellings differ in.

    Upper case ASCII words: what follows "on behalf of" only, without remarks in brackets, former names, punctuation, a
    leading THE and legal forms at the end. Normalising twice changes nothing.

    Parameters
    ----------
    name : str
        As stated, also with HTML entities.

    Returns
    -------
    str
        Empty when nothing is left.
    """
    before, text = "", str(name)
    # Folding may bring a word to light that is folded itself ("X-dba-Y"): until nothing changes.
    while text != before:
        before, text = text, _fold(text)
    return text


def _fold(text: str) -> str:
    text = html.unescape(html.unescape(text))
    text = _BEHALF.split(text)[-1]
    text = _FORMERLY.sub("", _ASIDE.sub(" ", text))
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().upper()
    text = _DOTTED.sub(lambda found: found[0].replace(".", ""), text).replace("&", " AND ").replace("'", "")
    words = [_SPELT.get(word, word) for word in re.sub(r"[^A-Z0-9]+", " ", text).split()]
    while len(words) > 1 and words[0] == "THE":
        words = words[1:]
    while len(words) > 1 and (words[-1] in _LEGAL or words[-1] == "AND"):
        words = words[:-1]
    return " ".join(words)


@dataclass(frozen=True)
class Listed:
    """A name and the symbol it stood for.

    Parameters
    ----------
    name : str
        As the register spells it.
    symbol : str
        Canonical symbol.
    company : str
        What tells companies apart: share classes and former symbols of one company have the same.
    start, end : date, optional
        First day and first day after; ``None`` is open.
    """

    name: str
    symbol: str
    company: str
    start: date | None = None
    end: date | None = None

    def covers(self, day: date) -> bool:
        """Return whether the name stood for the symbol on a day."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True)
class Match:
    """A symbol and how it was found.

    Parameters
    ----------
    symbol : str
        Canonical symbol.
    basis : {"alias", "name", "fuzzy"}
        Which step found it.
    score : float
        Similarity, 100 for equal names.
    """

    symbol: str
    basis: Basis
    score: float = 100.0


@lru_cache(maxsize=1)
def packaged_aliases() -> tuple[Listed, ...]:
    """Return the hand-written aliases of the package; an empty symbol says that the name has none."""
    text = files("pas_lib.datasets").joinpath("aliases.csv").read_text(encoding="utf-8")
    return tuple(
        Listed(
            row["name"],
            row["symbol"],
            row["symbol"],
            date.fromisoformat(row["valid_from"]) if row["valid_from"] else None,
            date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        )
        for row in csv.DictReader(text.splitlines())
        if _is_reviewed(row["checked"])
    )


def _is_reviewed(checked: str) -> bool:
    return bool(checked.strip()) and "not verified" not in checked


def company_of(security_id: str) -> str:
    """Return what the share classes and symbols of one company have in common in their security ids."""
    if security_id.startswith("sym:"):
        return "name:" + security_id.split(":", 2)[-1]
    return security_id.partition(".")[0]


class NameMap:
    """Maps names to symbols as of a day.

    Parameters
    ----------
    register : iterable of Listed
        Names of securities with their symbols.
    aliases : iterable of Listed, optional
        Hand-written spellings; by default the packaged ones.
    """

    def __init__(self, register: Iterable[Listed], aliases: Iterable[Listed] | None = None) -> None:
        self._aliases: dict[str, list[Listed]] = defaultdict(list)
        for entry in packaged_aliases() if aliases is None else aliases:
            self._aliases[normalise(entry.name)].append(entry)
        self._register: dict[str, list[Listed]] = defaultdict(list)
        for entry in register:
            key = normalise(entry.name)
            if key:
                self._register[key].append(entry)
        self._names = sorted(self._register)
        self._seen: dict[tuple[str, date], Match | None] = {}
        self._similar: dict[str, tuple[str, float] | None] = {}

    def match(self, name: str | None, day: date) -> Match | None:
        """Return the symbol a name stood for on a day, or None: not known, ambiguous, or not similar enough.

        A listed alias that does not cover the day settles the name all the same: it had no symbol then.
        """
        key = normalise(name or "")
        if not key:
            return None
        slot = (key, day)
        if slot not in self._seen:
            self._seen[slot] = self._find(key, day)
        return self._seen[slot]

    def _find(self, key: str, day: date) -> Match | None:
        if key in self._aliases:
            symbols = {entry.symbol for entry in self._aliases[key] if entry.symbol and entry.covers(day)}
            return Match(symbols.pop(), "alias") if len(symbols) == 1 else None
        if key in self._register:
            symbol = _settle(self._register[key], day)
            return Match(symbol, "name") if symbol else None
        similar = self._closest(key)
        if similar is None:
            return None
        symbol = _settle(self._register[similar[0]], day)
        return Match(symbol, "fuzzy", round(similar[1], 1)) if symbol else None

    def _closest(self, key: str) -> tuple[str, float] | None:
        """Return the one registered name that is similar enough."""
        if key not in self._similar:
            self._similar[key] = self._search(key)
        return self._similar[key]

    def _search(self, key: str) -> tuple[str, float] | None:
        if len(key) < _SHORTEST:
            return None
        found = process.extract(
            key, self._names, scorer=fuzz.token_sort_ratio, limit=2, score_cutoff=THRESHOLD - MARGIN
        )
        if not found or found[0][1] < THRESHOLD:
            return None
        if len(found) > 1 and found[0][1] - found[1][1] < MARGIN:
            return None
        best = str(found[0][0])
        # Numbers and single letters tell companies apart, whatever the rest looks like.
        if len(best) < _SHORTEST or _marks(best) != _marks(key):
            return None
        return best, float(found[0][1])


def _marks(key: str) -> list[str]:
    return sorted(word for word in key.split() if len(word) == 1 or any(c.isdigit() for c in word))


def _settle(entries: list[Listed], day: date) -> str | None:
    """Return the one symbol of a name on a day: of one company the symbol begun last, of its classes the first."""
    covering = [entry for entry in entries if entry.end is None or day < entry.end]
    symbols = {entry.symbol for entry in covering}
    if len(symbols) <= 1:
        return symbols.pop() if symbols else None
    if len({entry.company for entry in covering}) > 1:
        return None
    # A start is often that of an index membership: without one that has begun, the earliest stands.
    begun = [entry for entry in covering if entry.start is not None and entry.start <= day]
    if begun:
        last = max(entry.start for entry in begun if entry.start is not None)
        return min(entry.symbol for entry in begun if entry.start == last)
    first = min((entry.start or date.min) for entry in covering)
    return min(entry.symbol for entry in covering if (entry.start or date.min) == first)
