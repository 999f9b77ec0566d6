"""Parsing companies' figures: one file of company facts in full size, against what orjson alone needs for it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from pas_lib.sources import Payload, source
from tests.benchmarks.report import Result, best_ms

CONCEPTS = ("Revenues", "NetIncomeLoss", "Assets", "StockholdersEquity", "OperatingIncomeLoss", "Liabilities")
ROWS = 5_000


def body() -> bytes:
    """Return a file of 30,000 kept figures."""
    units: dict[str, Any] = {}
    for number, concept in enumerate(CONCEPTS):
        rows = []
        for i in range(ROWS):
            end = date(2010, 3, 31) + timedelta(days=i)
            row = {"end": end.isoformat(), "val": 1000 * i + number, "accn": f"0000000001-10-{i:06d}", "fy": 2010}
            rows.append({"start": (end - timedelta(days=90)).isoformat(), **row, "fp": "Q1", "form": "10-Q"})
            rows[-1]["filed"] = (end + timedelta(days=30)).isoformat()
        units[concept] = {"label": concept, "description": None, "units": {"USD": rows}}
    return orjson.dumps({"cik": 1, "entityName": "X", "facts": {"us-gaap": units}})


def run() -> Iterator[Result]:
    """Yield the row."""
    content, site = body(), source("sec_facts")
    payload = Payload("sec_facts", "fundamentals", "x", "u", 200, "", datetime(2026, 1, 30, tzinfo=UTC), {}, content)
    table = site.parse(payload)[0].table
    count = 0 if table is None else table.num_rows
    ours = best_ms(lambda: site.parse(payload), cpu=True)
    alone = best_ms(lambda: orjson.loads(content), cpu=True)
    speed = 1000 * count / ours
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Result(
        f"parse {count:,} figures ({len(content) / 1e6:.1f} MB): {speed:,.0f}/s, {memory:.0f} MB",
        ours,
        peer="orjson alone",
        peer_ms=alone,
        parity=f"{count} of {len(CONCEPTS) * ROWS} figures",
        gate="at least 50,000 records/s, at most 500 MB",
        passed=count == len(CONCEPTS) * ROWS and speed >= 50_000 and memory <= 500,
    )
