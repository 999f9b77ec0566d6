"""QuiverQuant's pages of scores: Google trends, DC insider, app ratings.

Each is one table, read by its headings: which columns there are, and in which order, has changed before. Columns that
hold returns or changes of price are look-ahead and never read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from pas_lib.sources import congress
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url, excerpt
from pas_lib.sources.capture import capture_session
from pas_lib.sources.members import canonical

#: A shorter table is a page that did not load.
_MIN_ROWS = 5
_DERIVED = re.compile(r"\b(return|change|price|gain|performance|since)\b")


@dataclass(frozen=True)
class _Page:
    """Where a dataset's page is, and the words its headings are known by.

    Parameters
    ----------
    path : str
        Under the site.
    needed, optional : dict
        Column -> words one of which its heading contains.
    any_of : tuple of str
        At least one of these optional columns must be there.
    """

    path: str
    needed: dict[str, tuple[str, ...]]
    optional: dict[str, tuple[str, ...]]
    any_of: tuple[str, ...] = ()


_SYMBOL = ("ticker", "symbol", "stock")
_DATE = ("date", "time", "updated")
_PAGES = {
    "google_trends": _Page("googletrends/", {"symbol": _SYMBOL, "score": ("score",)}, {}),
    "dc_insider_scores": _Page("scores/dcinsider", {"symbol": _SYMBOL, "score": ("score",)}, {"date": _DATE}),
    "app_reviews": _Page(
        "sources/appratings",
        {"symbol": _SYMBOL},
        {
            "rating": ("rating", "stars"),
            "hype": ("hype", "score"),
            "ratings": ("count", "ratings", "reviews"),
            "app": ("app",),
            "publisher": ("publisher", "developer"),
            "date": _DATE,
        },
        any_of=("rating", "hype"),
    ),
}


class QuiverScores(Source):
    """``/googletrends/``, ``/scores/dcinsider`` and ``/sources/appratings``."""

    name = "quiver_scores"
    site = "quiver"
    host = "https://www.quiverquant.com"
    profiles = frozenset({"sandbox", "subscribed"})

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the request for the dataset's page."""
        path = _PAGES[ask.dataset].path
        yield Request(self.name, ask.dataset, ask.dataset, f"{base_url(self, ask.settings)}/{path}")

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a page with a table of scores or ratings."""
        text = body.lower()
        return b"<table" in text and any(word in text for word in (b"score", b"rating", b"hype"))

    def check(self, payload: Payload) -> None:
        """Refuse a page without the table: it is a block page, not an empty one."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per row with a symbol."""
        page = _PAGES.get(payload.dataset)
        if page is None:
            raise payload.error(f"no page of {payload.dataset}")
        columns, rows = _read_table(payload, page)
        day = capture_session(payload)
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        for cells in rows:
            try:
                record = _record(payload.dataset, {name: cells[at] for name, at in columns.items()})
            except ValueError as error:
                rejects.append(Reject({name: cells[at] for name, at in columns.items()}, str(error)))
                continue
            if record is not None:
                stated = record.pop("date")
                records.append({**record, "event_date": stated or day, "rated_on": stated, "capture_date": day})
        if len(records) + len(rejects) < _MIN_ROWS:
            raise payload.error(f"{len(records) + len(rejects)} rows with a symbol, at least {_MIN_ROWS} expected")
        if not records:
            raise payload.error(f"no row can be read: {rejects[0].reason}")
        if payload.dataset != "app_reviews":
            for record in records:
                del record["rated_on"]
        return [Batch(payload.dataset, records=records, rejects=rejects)]


def _read_table(payload: Payload, page: _Page) -> tuple[dict[str, int], list[list[str]]]:
    """Return column -> position and the cells of each row of the table that has the page's columns."""
    text = payload.body.decode("utf-8", "replace")
    if not text.strip():
        raise payload.error("the answer is empty")
    tree = LexborHTMLParser(text)
    tables = sorted(tree.css("table"), key=lambda table: table.attributes.get("id") != "myTable")
    if not tables:
        title = tree.css_first("title")
        said = title.text(strip=True) if title is not None else excerpt(payload.body)
        raise payload.error(f"blocked or changed: {said!r}", field_name="table")
    if "</html" not in text[-2000:].lower():
        raise payload.error("the page is cut off", field_name="table")
    problem = ""
    for table in tables:
        headings = [" ".join(cell.text(separator=" ").lower().split()) for cell in table.css("th")]
        try:
            columns = _columns(page, headings)
        except ValueError as error:
            problem = problem or str(error)
            continue
        rows = []
        for line in table.css("tr"):
            cells = [_text(cell) for cell in line.css("td")]
            if not cells:
                continue
            if len(cells) != len(headings):
                raise payload.error(f"{len(cells)} cells under {len(headings)} headings", field_name="table")
            rows.append(cells)
        return columns, rows
    raise payload.error(problem)


def _text(cell: Any) -> str:
    """Return the text of a cell: parts of it on lines of their own."""
    lines = (" ".join(line.split()) for line in cell.text(separator="\n").splitlines())
    return "\n".join(line for line in lines if line)


def _columns(page: _Page, headings: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, words in {**page.needed, **page.optional}.items():
        free = [at for at in range(len(headings)) if at not in found.values() and not _DERIVED.search(headings[at])]
        exact = [at for at in free if headings[at] in words]
        matching = exact or [at for at in free if any(re.search(rf"\b{word}\b", headings[at]) for word in words)]
        if len(matching) > 1:
            raise ValueError(f"column {name!r} is ambiguous among {', '.join(headings)}")
        if matching:
            found[name] = matching[0]
        elif name in page.needed:
            raise ValueError(f"column {name!r} not found among {', '.join(headings) or 'no headings'}")
    if page.any_of and not any(name in found for name in page.any_of):
        raise ValueError(f"column {' or '.join(map(repr, page.any_of))} not found among {', '.join(headings)}")
    return found


def _record(dataset: str, cells: dict[str, str]) -> dict[str, Any] | None:
    """Return what a row says, or None where it names no symbol."""
    symbol = congress.read_symbol(cells["symbol"].split("\n")[0])
    if symbol is None:
        return None
    stated = cells.get("date", "").split("\n")[0]
    record: dict[str, Any] = {
        "symbol": canonical(symbol),
        "date": congress.read_day(stated) if stated not in ("", "-") else None,
    }
    if dataset == "app_reviews":
        count = read_number(cells.get("ratings", ""))
        return record | {
            "app": cells.get("app", "").replace("\n", " "),
            "publisher": cells.get("publisher", "").replace("\n", " "),
            "ordinal": 0,
            "rating": read_number(cells.get("rating", "")),
            "ratings": None if count is None else int(count),
            "hype": read_number(cells.get("hype", "")),
        }
    return record | {"score": read_number(cells["score"])}


def read_number(text: str) -> float | None:
    """Return a number as pages write it (``1,234.5``, ``87%``, ``4.5 / 5``), None for a dash or nothing.

    Raises
    ------
    ValueError
        If it is none.
    """
    plain = text.split("/")[0].replace(",", "").replace("%", "").strip()
    if plain in ("", "-", "--", "N/A", "nan", "None"):
        return None
    try:
        return float(plain)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


SOURCE = QuiverScores()
