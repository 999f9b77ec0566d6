"""Memory of one collection, each in a process of its own: peak resident memory against 500 MB.

Many symbols with long histories, one huge answer, and answers in many pages. What is measured is fetch, landing,
parsing, checking and loading into PostgreSQL, with all that Python needs for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import UUID

from pas_lib.clock import FixedClock, sessions
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result
from tests.support.charts import chart
from tests.support.loopback import Answer, Seen, serve
from tests.support.road import World

LIMIT_MB = 500
SYMBOLS, YEARS = 3_000, 5
ONE_ANSWER, IN_PAGES, PAGE = 1_000_000, 500_000, 5_000
REPORTS, LINES, ONE_PAGE = 300, 1_000, 50_000

CHILD = """
import sys
from datetime import date
from pathlib import Path
from pas_lib.clock import FixedClock
from pas_lib.ingest import ingest
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse
from tests.support.road import EVENING
home, url, database, name, sources = sys.argv[1:]
values = {"PAS_HOME": home, "PAS_SANDBOX_URL": url, "PAS_DATABASE_URL": database, "PAS_DATASET_SOURCES": sources}
settings = load_settings(values, root=Path(home))
found = ingest(
    name, date(2026, 1, 30), settings=settings, clock=FixedClock(EVENING), warehouse=Warehouse(settings.database_url)
)
# Not ru_maxrss: that one begins with what the parent held when it forked.
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(found.new, found.payloads, int(status["VmHWM"].split()[0]) // 1024)
"""


@dataclass(frozen=True)
class Case:
    """A dataset, what its site answers, and how many rows that is."""

    work: str
    dataset: str
    answer: Callable[[Seen], Answer | None]
    rows: int
    sources: dict[str, str] = field(default_factory=dict)


def prices() -> Case:
    """Every symbol with a bar a session, and nothing else different."""
    days = list(sessions(date(2026 - YEARS, 1, 31), date(2026, 1, 30)))
    body = chart("SYMBOL", [(day, 50.0 + number % 100 / 100) for number, day in enumerate(days)])

    def answer(seen: Seen) -> Answer | None:
        if "/finance/chart/" not in seen.path:
            return None
        return Answer(body.replace(b"SYMBOL", seen.path.rpartition("/")[2].encode()))

    return Case(f"prices: {SYMBOLS:,} symbols x {YEARS} years", "prices", answer, len(days) * (SYMBOLS + 20))


def trade(number: int) -> str:
    """One disclosed trade."""
    day = date(2012, 1, 2) + timedelta(days=number % 5000)
    return (
        f'{{"Representative":"Member {number % 535}","ReportDate":"{day}","TransactionDate":"{day}",'
        f'"Ticker":"T{number % 4000:04d}","Transaction":"Purchase","Range":"$1,001 - $15,000",'
        f'"House":"Representatives"}}'
    )


def one_answer() -> Case:
    """A site that gives all it has at once."""
    body = ("[" + ",".join(map(trade, range(ONE_ANSWER))) + "]").encode()

    def answer(seen: Seen) -> Answer | None:
        if not seen.path.endswith("/congresstrading"):
            return None
        return Answer(body if seen.query.get("page", "1") == "1" else "[]")

    return Case(f"one JSON answer of {len(body) / 1e6:,.0f} MB", "politician_trades", answer, ONE_ANSWER + 3)


def in_pages() -> Case:
    """Reports in pages."""

    def answer(seen: Seen) -> Answer | None:
        if not seen.path.endswith("/lobbying"):
            return None
        page = int(seen.query.get("page", "1")) - 1
        rows = [
            {
                "Date": str(date(2026, 1, 29) - timedelta(days=number % 3600)),
                "Amount": "50000.0",
                "Client": f"CLIENT {number} INC",
                "Issue": "Taxation/Internal Revenue Code",
                "Specific_Issue": "Provisions about " + "depreciation and research " * 12,
                "Registrant": f"FIRM {number % 900} LLC",
                "Ticker": f"T{number % 4000:04d}",
            }
            for number in range(page * PAGE, min((page + 1) * PAGE, IN_PAGES))
        ]
        return Answer(json.dumps(rows))

    return Case(f"JSON in {IN_PAGES // PAGE} pages of {PAGE:,} reports", "lobbying", answer, IN_PAGES)


def html_reports() -> Case:
    """Reports of the Senate: a list in pages, and a long page of HTML per report."""
    days = [date(2026, 1, 29) - timedelta(days=number % 300) for number in range(REPORTS)]
    row = (
        "<tr><td>{0}</td><td>{1:%m/%d/%Y}</td><td>Self</td><td><a href='#'>T{0:04d}</a></td><td>Company {0} Inc -"
        " Common Stock</td><td>Stock</td><td>Purchase</td><td>$1,001 - $15,000</td><td>--</td></tr>"
    )
    heads = "".join(
        f"<th>{name}</th>"
        for name in (
            "#",
            "Transaction Date",
            "Owner",
            "Ticker",
            "Asset Name",
            "Asset Type",
            "Type",
            "Amount",
            "Comment",
        )
    )

    def number_of(document: str) -> int:
        return int(document.rpartition("-")[2], 16)

    def answer(seen: Seen) -> Answer | None:
        if seen.path.endswith("/search/home/"):
            form = '<html><input name="csrfmiddlewaretoken" value="token"></html>'
            return Answer(form, content_type="text/html")
        if seen.path.endswith("/report/data/"):
            start = int(dict(parse_qsl(seen.body.decode()))["start"])
            rows = [
                ["Jane", "Doe", "Doe, Jane (Senator)", f'<a href="/search/view/ptr/{UUID(int=number)}/">PTR</a>',
                 f"{days[number]:%m/%d/%Y}"]
                for number in range(start, min(start + 100, REPORTS))
            ]  # fmt: skip
            return Answer(json.dumps({"recordsTotal": REPORTS, "recordsFiltered": REPORTS, "data": rows}))
        if "/search/view/ptr/" in seen.path:
            filed = days[number_of(seen.path.rstrip("/"))]
            rows_of = "".join(row.format(n, filed - timedelta(days=20 + n % 9)) for n in range(LINES))
            return Answer(
                f"<html><main><h1>Periodic Transaction Report for {filed:%m/%d/%Y}</h1><p>Filed {filed:%m/%d/%Y} @ 3 PM"
                f"</p><p>({LINES} transactions total)</p><table><thead><tr>{heads}</tr></thead><tbody>{rows_of}</tbody>"
                "</table></main></html>",
                content_type="text/html",
            )
        return None

    work = f"HTML in {REPORTS:,} pages of {LINES:,} trades, and the pages of their list"
    return Case(work, "politician_trades", answer, REPORTS * LINES, {"politician_trades": "senate_efd"})


def html_page() -> Case:
    """A list of contracts that is one long page."""
    line = (
        "<tr><td><a>T{:04d}</a></td><td>{}</td><td>${:,}.00</td><td>DEPARTMENT OF ENERGY</td><td>RESEARCH AND SERVICES"
        " OF KIND {}</td></tr>"
    )
    day = date(2026, 1, 29)
    lines = "".join(
        line.format(n % 4000, f"{day - timedelta(days=n // 100):%b. %d, %Y}", 1000 + n, n) for n in range(ONE_PAGE)
    )
    body = f'<html><table id="myTable">{lines}</table></html>'.encode()

    def answer(seen: Seen) -> Answer | None:
        found = seen.path.endswith("/sources/govcontracts")
        return Answer(body, content_type="text/html") if found else None

    work = f"one HTML page of {len(body) / 1e6:,.0f} MB"
    return Case(work, "gov_contracts", answer, ONE_PAGE, {"gov_contracts": "quiver_page"})


CASES = (prices, one_answer, in_pages, html_reports, html_page)


def run() -> Iterator[Result]:
    """Yield a row per case."""
    with tempfile.TemporaryDirectory(prefix="pas-pg-") as folder:
        server = EmbeddedPostgres(Path(folder) / "data", durable=False)
        server.start()
        try:
            for number, make in enumerate(CASES):
                name = f"memory_{number}"
                create_database(Warehouse(server.url()), name)
                migrate(Warehouse(server.url(name)), "sandbox", clock=FixedClock(datetime(2026, 1, 2, tzinfo=UTC)))
                yield _row(make(), server.url(name))
        finally:
            server.stop()


def _row(case: Case, database: str) -> Result:
    # The fund's weights are stated in hundredths, and have to add up to 100.
    small = [(f"S{n:04d}", f"SMALL COMPANY {n} INC") for n in range(2_500)]
    mid = [(f"M{n:04d}", f"Middle Company {n}", "", "") for n in range(SYMBOLS - len(small))]
    world = World(small=small, midcaps=mid)
    world.instead = case.answer
    with serve(world) as site, tempfile.TemporaryDirectory() as home:
        _collect(home, site.url, database, "universe")
        began = time.perf_counter()
        chosen = ",".join(f"{name}={source}" for name, source in case.sources.items())
        new, payloads, peak = _collect(home, site.url, database, case.dataset, chosen)
        took = time.perf_counter() - began
    return Result(
        f"{case.work}: {new:,} rows in {payloads:,} answers: {peak:,} MB",
        1000 * took,
        parity=f"{new:,} rows loaded, {case.rows:,} served",
        gate=f"at most {LIMIT_MB} MB",
        passed=peak <= LIMIT_MB and new == case.rows,
    )


def _collect(home: str, url: str, database: str, name: str, sources: str = "") -> tuple[int, int, int]:
    command = [sys.executable, "-c", CHILD, home, url, database, name, sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    new, payloads, peak = map(int, done.stdout.split())
    return new, payloads, peak
