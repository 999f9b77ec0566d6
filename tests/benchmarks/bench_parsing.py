"""Parsing: records a second of every parser on one core, over what the sandbox's sites answer, against its target.

A record counts when it stands in the dataset's Arrow table: parsed, checked and converted, as the load takes it.
Answers of sites that give few rows at a time are made long by repeating their rows: what an answer costs by itself is
another figure. There is no target where one answer is one record by nature, for XML, and for the fund's file, whose
weights have to add up and which is short in the small world.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from pas_lib.clock import clock_for
from pas_lib.datasets import catalogue
from pas_lib.ingest.validate import conform
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, Source, source
from pas_lib.sources.http import Client
from tests.benchmarks.report import Result

JSON, HTML = 50_000, 5_000
#: Sources whose answers are pages.
PAGES = frozenset({"benzinga_page", "finviz", "quiver_page", "quiver_scores", "wikipedia", "senate_efd"})
#: Read from the package, from PDF files (measured in bench_congress), or from files nobody serves.
ELSEWHERE = frozenset({"package", "house_clerk", "universe_csv"})
#: Shown without a target.
SHOWN_ONLY = frozenset({("yahoo_calendar", "filings"), ("sec_edgar", "insider_buying"), ("ishares", "universe")})
#: Answers are made so long, but for those that hold columns of bars or of periods.
ROWS = 5_000
AS_THEY_ARE = frozenset(
    {
        "yahoo_chart",
        "yahoo_timeseries",
        "sec_facts",
        "alpaca_bars",
        "sec_edgar",
        "yahoo_calendar",
        "apewisdom",
        "ishares",
    }
)
#: Each parser works at least so long.
SECONDS = 0.6


@dataclass(frozen=True)
class Answers:
    """What a source answered about a dataset."""

    site: Source
    dataset: str
    pages: list[Payload]


def answers(sandbox: RunningSandbox, home: Path) -> Iterator[Answers]:
    """Collect from every source of every dataset."""
    here = load_settings(
        {"PAS_HOME": str(home), "PAS_SANDBOX_URL": sandbox.url, "PAS_CONTACT": "bench@sandbox.example"}, root=home
    )
    now = clock_for(here).now()
    world = sandbox.world
    on = world.symbols_on(date(2026, 1, 30))
    stocks = tuple(sorted(symbol for symbol, item in on.items() if item.tier != "F"))
    ids = {symbol: on[symbol].cik for symbol in stocks}
    titles = tuple(sorted({item.wiki_title for item in on.values() if item.wiki_title}))
    for name, data in catalogue().items():
        if data.leader:
            continue
        items = {"wiki_views": titles, "macro_series": ()}.get(name, stocks)
        for site in map(source, data.sources):
            if site.name in ELSEWHERE:
                continue
            ask = Ask(name, here, now, date(2025, 1, 2), items, ids=ids)
            with Client(site, here, now) as client:
                ask = site.prepare(ask, client.look_up)
                yield Answers(site, name, [page for pages in client.fetch_all(site.requests(ask)) for page in pages])


def longest(node: Any) -> int:
    """Return the length of the longest list within a document."""
    if isinstance(node, list):
        return max(len(node), *(longest(item) for item in node), 0) if node else 0
    return max((longest(item) for item in node.values()), default=0) if isinstance(node, dict) else 0


def repeated(node: Any, length: int, times: int) -> Any:
    """Return a document with every list of a length repeated."""
    if isinstance(node, list):
        return node * times if len(node) == length else [repeated(item, length, times) for item in node]
    return {k: repeated(v, length, times) for k, v in node.items()} if isinstance(node, dict) else node


def _shape(line: bytes) -> tuple[int, bool]:
    return 0 if b"edgar/data/" in line else line.count(b","), b"edgar/data/" in line


def made_long(found: Answers) -> Answers:
    """Return one long answer instead of many short ones."""
    page = max(found.pages, key=lambda p: len(p.body))
    if found.site.name in AS_THEY_ARE | PAGES or (found.site.name, found.dataset) == ("yahoo_summary", "fundamentals"):
        return found
    if page.body.lstrip()[:1] in (b"{", b"["):
        document = orjson.loads(page.body)
        length = longest(document)
        body = orjson.dumps(repeated(document, length, -(-ROWS // length))) if length else page.body
    else:
        lines = page.body.split(b"\n")
        at = len(lines) // 2
        alike = [line for line in lines[1:] if _shape(line) == _shape(lines[at])]
        body = b"\n".join([*lines[: at + 1], *(alike * -(-ROWS // len(alike))), *lines[at + 1 :]])
    # Whole, not only the forms that are kept.
    context = {name: value for name, value in page.context.items() if name not in ("forms", "day")}
    return replace(found, pages=[replace(page, body=body, context=context)])


def measure(found: Answers) -> tuple[int, float]:
    """Return the records of one pass and the processor time of a pass in seconds."""
    site = found.site
    known = catalogue()

    def once() -> int:
        return sum(conform(known[batch.dataset], batch).num_rows for page in found.pages for batch in site.parse(page))

    count = once()
    best, spent = float("inf"), 0.0
    while spent < SECONDS:
        start = time.process_time()
        once()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-4)
    return count, best


def run() -> Iterator[Result]:
    """Yield one row per source and dataset."""
    with tempfile.TemporaryDirectory() as folder, running_sandbox(Path(folder)) as sandbox:
        collected = list(answers(sandbox, Path(folder)))
    for found in map(made_long, collected):
        count, seconds = measure(found)
        size = sum(len(page.body) for page in found.pages)
        target = HTML if found.site.name in PAGES else JSON
        shown_only = (found.site.name, found.dataset) in SHOWN_ONLY
        speed = count / seconds if seconds else 0.0
        yield Result(
            f"{found.site.name} · {found.dataset}: {count:,} records, {size / 1e6:.2f} MB: {speed:,.0f}/s",
            1000 * seconds,
            gate="" if shown_only else f"at least {target:,} records/s",
            passed=count > 0 and (shown_only or speed >= target),
        )
