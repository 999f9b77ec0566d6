"""Wikipedia's lists of S&P 500 and S&P 400 companies: current members and the table of changes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

import orjson
from selectolax.lexbor import LexborHTMLParser, LexborNode

from pas_lib.sources import members
from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source, base_url, excerpt

PAGES = {
    "sp500": "List_of_S%26P_500_companies",
    "sp400": "List_of_S%26P_400_companies",
}
_SYMBOL = frozenset({"symbol", "ticker symbol", "ticker"})
_NAME = frozenset({"security", "company", "company name"})
_ADDED = frozenset({"date added", "date first added"})

Grid = list[list[tuple[str, LexborNode]]]


class Wikipedia(Source):
    """The two list pages."""

    name = "wikipedia"
    site = "wikipedia"
    host = "https://en.wikipedia.org"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per index."""
        for index_name, page in PAGES.items():
            yield Request(
                source=self.name,
                dataset=ask.dataset,
                label=index_name,
                url=f"{base_url(self, ask.settings)}/wiki/{page}",
                context={"index_name": index_name},
            )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a list page (or the same through the parse API)."""
        head = body[:4000].lower()
        return b"wikitable" in body and (b"<html" in head or b"<table" in head or head.lstrip().startswith(b"{"))

    def check(self, payload: Payload) -> None:
        """Refuse a page without a table of constituents, or cut off."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return membership rows and securities."""
        tree = _tree(payload)
        head, rows = _constituents(payload, tree)
        index_name = payload.context.get("index_name") or _index_of(payload, tree)
        rejects: list[Reject] = []
        listed: list[members.Member] = []
        at = {name: position for position, name in reversed(list(enumerate(head)))}
        symbol_at = next(at[name] for name in at if name in _SYMBOL)
        name_at = next(at[name] for name in at if name in _NAME)
        added_at = next((at[name] for name in at if name in _ADDED), None)
        for row in rows:
            texts = [text for text, _ in row]
            try:
                cik = texts[at["cik"]] if "cik" in at else ""
                listed.append(
                    members.Member(
                        symbol=members.canonical(texts[symbol_at]),
                        name=texts[name_at],
                        sector=_cell(texts, at, "gics sector"),
                        industry=_cell(texts, at, "gics sub-industry"),
                        cik=cik.zfill(10) if cik.isdigit() else None,
                        wiki_title=_title(row[name_at][1]),
                        exchange=_exchange(row[symbol_at][1]),
                        listed=members.read_date(texts[added_at]) if added_at is not None else None,
                    )
                )
            except (ValueError, IndexError) as error:
                rejects.append(Reject({"row": texts}, str(error)))
        # Beside a member that cannot be read nobody is taken off the list: it may be the one that seems to be missing.
        complete = not rejects
        changes = _changes(payload, tree, rejects)
        return members.batches(index_name, listed, changes, payload.fetched_at, rejects, complete=complete)


def _tree(payload: Payload) -> LexborHTMLParser:
    body = payload.body
    if body.lstrip()[:1] == b"{":
        try:
            text = orjson.loads(body)["parse"]["text"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise payload.error("no page text", field_name="parse.text") from None
        return LexborHTMLParser(text if isinstance(text, str) else text["*"])
    lowered = body.lower()
    page = b"<html" in lowered[:2000]
    whole = b"</html" in lowered[-2000:] if page else lowered.count(b"<table") == lowered.count(b"</table") > 0
    if not whole:
        raise payload.error(f"the page is cut off, or no page ({excerpt(body)!r})" if body else "the answer is empty")
    return LexborHTMLParser(body.decode("utf-8", "replace"))


def _grid(table: LexborNode) -> tuple[Grid, int]:
    """Return a table as a rectangle of (text, cell), spans repeated, and the number of heading rows."""
    grid: Grid = []
    headings = 0
    pending: dict[int, tuple[int, str, LexborNode]] = {}
    for row in table.css("tr"):
        cells = [cell for cell in row.iter() if cell.tag in ("td", "th")]
        if not cells:
            continue
        line: list[tuple[str, LexborNode]] = []
        is_heading = all(cell.tag == "th" for cell in cells)
        queue = list(cells)
        while queue or len(line) in pending:
            position = len(line)
            if position in pending:
                left, text, cell = pending[position]
                line.append((text, cell))
                if left > 1:
                    pending[position] = (left - 1, text, cell)
                else:
                    del pending[position]
                continue
            cell = queue.pop(0)
            text = _text(cell)
            span = _span(cell, "colspan")
            down = _span(cell, "rowspan")
            for _ in range(span):
                if down > 1:
                    pending[len(line)] = (down - 1, text, cell)
                line.append((text, cell))
        grid.append(line)
        if is_heading and headings == len(grid) - 1:
            headings += 1
    return grid, headings


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or "1"
    return max(1, int(value)) if value.isdigit() else 1


def _text(cell: LexborNode) -> str:
    for note in cell.css("sup.reference, style"):
        note.decompose()
    return " ".join(cell.text(deep=True, separator="").split())


def _constituents(payload: Payload, tree: LexborHTMLParser) -> tuple[list[str], Grid]:
    tables = tree.css("table#constituents") or tree.css("table.wikitable")
    if not tables:
        title = tree.css_first("title")
        said = f" (page {title.text(strip=True)!r})" if title is not None else ""
        raise payload.error(f"table not found{said}", field_name="constituents")
    grid, headings = _grid(tables[0])
    head = [text.lower() for text, _ in grid[0]] if grid else []
    for wanted, label in ((_SYMBOL, "Symbol"), (_NAME, "Security")):
        if not wanted & set(head):
            raise payload.error(f"column {label!r} not found among {', '.join(head)}", field_name="constituents")
    rows = grid[max(1, headings) :]
    if not rows:
        raise payload.error("the table has no rows", field_name="constituents")
    return head, rows


def _changes(payload: Payload, tree: LexborHTMLParser, rejects: list[Reject]) -> list[members.Change]:
    tables = tree.css("table#changes") or tree.css("table.wikitable")[1:2]
    if not tables:
        return []
    grid, headings = _grid(tables[0])
    top = [text.lower() for text, _ in grid[0]]
    below = [text.lower() for text, _ in grid[1]] if headings > 1 else [""] * len(top)
    heads = list(zip(top, below, strict=False))
    try:
        day_at = next(i for i, (name, _) in enumerate(heads) if "date" in name)
        sides = {
            event: (
                next(i for i, h in enumerate(heads) if h[0] == event and h[1] in _SYMBOL),
                next(i for i, h in enumerate(heads) if h[0] == event and h[1] in _NAME),
            )
            for event in ("added", "removed")
        }
    except StopIteration:
        raise payload.error(
            f"columns Date, Added and Removed not found among {', '.join(top)}", field_name="changes"
        ) from None
    found: list[members.Change] = []
    for row in grid[headings:]:
        texts = [text for text, _ in row]
        try:
            day = members.read_date(texts[day_at])
            if day is None:
                raise ValueError("no date")
            for event, (symbol_at, name_at) in sides.items():
                if texts[symbol_at] not in ("", "-", "—"):
                    found.append(
                        members.Change(
                            day,
                            event,
                            members.canonical(texts[symbol_at]),
                            texts[name_at] or None,
                            _title(row[name_at][1]),
                        )
                    )
        except (ValueError, IndexError) as error:
            rejects.append(Reject({"row": texts}, str(error)))
    return found


def _cell(texts: list[str], at: dict[str, int], name: str) -> str | None:
    return (texts[at[name]] or None) if name in at else None


def _title(cell: LexborNode) -> str | None:
    """Return the article a cell links to, with underscores."""
    link = cell.css_first("a[href]")
    found = re.search(r"(?:^|/wiki/|\./)([^/?#][^?#]*)$", (link.attributes.get("href") or "") if link else "")
    if not found or "redlink=1" in str(link.attributes.get("href") if link else ""):
        return None
    return unquote(found[1]).replace(" ", "_")


def _exchange(cell: LexborNode) -> str | None:
    link = cell.css_first("a[href]")
    target = (link.attributes.get("href") or "").lower() if link else ""
    for part, exchange in (("nyse.com", "NYSE"), ("nasdaq.com", "NASDAQ"), ("cboe.com", "CBOE")):
        if part in target:
            return exchange
    return None


def _index_of(payload: Payload, tree: LexborHTMLParser) -> str:
    title = tree.css_first("title")
    text = (title.text() if title is not None else "") + payload.label
    found = re.search(r"(?:S&P ?|sp)(400|500|600)", text)
    return f"sp{found[1]}" if found else "sp500"


SOURCE = Wikipedia()
