"""The REST API under load while dbt builds: point reads at a fixed rate, and a whole table as a stream.

The generator is open: a request goes out at its time whether or not earlier ones were answered, and its latency counts
from that time, so that an answer that keeps others waiting is seen in theirs. The warehouse, the API and dbt are the
real ones, each a process of its own as in the stack.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.dbt import Dbt
from pas_lib.settings import PROJECT_ROOT
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from pas_lib.warehouse.priority import give_way
from tests.benchmarks.report import Result
from tests.support.job import TOKENS, free_ports, wait_for
from tests.support.raw_world import RawWorld

#: The book: portfolios, names in each, weeks of trading, all stocks with a history.
BOOKS, NAMES, WEEKS, STOCKS = 18, 20, 52, 300
FIRST, LAST = date(2020, 1, 2), date(2025, 12, 31)
NOW = datetime(2026, 1, 2, 23, 0, tzinfo=UTC)
RATE, SECONDS = 100.0, 30.0
MOST_MS = 50.0
LEAST_MB = 20.0
HEADERS = {"Authorization": f"Bearer {TOKENS['API_READ_TOKEN']}"}

_SECURITIES = """
insert into raw.securities (source, event_date, known_at, ingested_at, source_url, run_id, content_hash, is_deleted,
  security_id, symbol, name, sector, asset_class)
select 'test', '2019-12-02', '2019-12-02', '2019-12-02', 'https://data.example.org/s', 'r1', 'load-' || n, false,
  'load' || lpad(n::text, 7, '0'), 'L' || lpad(n::text, 3, '0'), 'Load ' || n, 'Sector ' || n %% 10, 'stock'
from generate_series(0, %(stocks)s - 1) n
"""
_PRICES = """
insert into raw.prices (source, event_date, known_at, ingested_at, source_url, run_id, content_hash, is_deleted,
  symbol, open, high, low, close, volume, currency, split_factor)
select 'test', s.session, s.close_at, s.close_at, 'https://data.example.org/x', 'r1', md5(s.session::text || n), false,
  'L' || lpad(n::text, 3, '0'), p.close * 0.999, p.close * 1.01, p.close * 0.99, p.close, 1e6 + n, 'USD', 1
from generate_series(0, %(stocks)s - 1) n
cross join ops.sessions s
cross join lateral (
  select round((50 + n * 0.5 + 10 * sin(extract(doy from s.session) / 20.0 + n))::numeric, 2)::double precision as close
) p
where s.session between %(first)s and %(last)s
"""


def _book(warehouse: Warehouse) -> None:
    """Fill the ledger of a book that was traded every week of a year, and its decisions."""
    from tests.integration.api import seed

    rng = np.random.default_rng(11)
    key = {"broker": "sandbox", "account_number": "PA1"}
    weeks = [day for day in calendar.sessions(FIRST, LAST) if calendar.next_session(day).weekday() < day.weekday()]
    ids = [f"book_{n:02d}" for n in range(BOOKS)]
    held = {one: rng.choice(STOCKS, NAMES, replace=False) for one in ids}
    lines: list[dict[str, Any]] = []
    for week, day in enumerate(weeks[-WEEKS:]):
        for one in ids:
            for n in held[one]:
                txn, symbol, at = f"{one}-{week}-{n}", f"L{n:03d}", calendar.session_open(day)
                moves = (
                    (one, symbol, 1, 60),
                    ("OUTSIDE", symbol, -1, -60),
                    (one, "USD", -60, 0),
                    ("OUTSIDE", "USD", 60, 0),
                )
                lines += [
                    key | {"txn_id": txn, "line": i, "kind": "fill", "book": book, "asset": asset, "amount": amount,
                           "cost": cost, "session": day, "occurred_at": at, "recorded_at": at}
                    for i, (book, asset, amount, cost) in enumerate(moves)
                ]  # fmt: skip
    with warehouse.connect() as conn:
        many = seed._many
        many(conn, "ops.portfolios", [
            {"portfolio_id": one, "name": one, "strategy": one, "kind": "strategy", "cadence": "weekly",
             "status": "active", "created_at": NOW} for one in ids
        ])  # fmt: skip
        many(conn, "ops.ledger_bindings", [
            key | {"warehouse_id": "w", "bound_at": NOW, "bound_by": "test", "reason": "first", "is_active": True}
        ])  # fmt: skip
        # Each line checks its transaction; without statistics of a table that is filled at once that takes minutes.
        conn.execute("set local session_replication_role = replica")
        columns = list(lines[0])
        with conn.cursor().copy(f"copy ops.ledger_entries ({', '.join(columns)}) from stdin") as copy:
            for line in lines:
                copy.write_row([line[name] for name in columns])
        returns = [
            (one, day, float(rng.normal(0.0003, 0.01)), 0.1, 0.0001, "live", NOW)
            for one in ids for day in calendar.sessions(date(2025, 1, 2), LAST)
        ]  # fmt: skip
        with conn.cursor().copy(
            "copy ops.simulated_returns (portfolio_id, session, model_return, turnover, cost, origin, computed_at)"
            " from stdin"
        ) as copy:
            for row in returns:
                copy.write_row(row)


@dataclass(frozen=True)
class Load:
    """What the generator saw: milliseconds of each answer from its scheduled time, by kind, and what went wrong."""

    latencies: dict[str, list[float]]
    wrong: Counter[str]

    def percentile(self, share: float, kind: str | None = None) -> float:
        found = [one for name, values in self.latencies.items() if kind in (None, name) for one in values]
        return float(np.percentile(found, share * 100, method="higher"))


def _addresses() -> Iterator[tuple[str, str]]:
    """Yield kind and path of the point reads in turn, never the same portfolio twice in a row."""
    for n in itertools.count():
        book = f"book_{n * 7 % BOOKS:02d}"
        yield from (("positions", f"/positions/{book}"), ("metrics", f"/metrics/{book}"), ("scores", "/scores/top"))


async def _generate(address: str, rate: float, seconds: float) -> Load:
    latencies: dict[str, list[float]] = {}
    wrong: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=address, headers=HEADERS, timeout=20, limits=limits) as client:

        async def ask(kind: str, path: str, scheduled: float) -> None:
            try:
                answer = await client.get(path)
                if answer.status_code != 200:
                    wrong[f"{path} {answer.status_code}"] += 1
                elif not answer.json()["records"]:
                    wrong[f"{path} is empty"] += 1
            except httpx.HTTPError as error:
                wrong[type(error).__name__] += 1
            latencies.setdefault(kind, []).append((time.perf_counter() - scheduled) * 1e3)

        began = time.perf_counter() + 0.1
        async with asyncio.TaskGroup() as running:
            for n, (kind, path) in enumerate(itertools.islice(_addresses(), int(rate * seconds))):
                scheduled = began + n / rate
                await asyncio.sleep(max(0.0, scheduled - time.perf_counter()))
                running.create_task(ask(kind, path, scheduled))
    return Load(latencies, wrong)


def _build(url: str, folder: str) -> None:
    """Build everything from nothing, once."""
    Dbt(url, Path(folder)).build(LAST, part="all", full_refresh=True, data_tests=True)


def _build_over_and_over(url: str, folder: str, builds: Any) -> None:
    give_way()  # as the operator does
    while True:
        _build(url, folder)
        builds.value += 1


@contextmanager
def _world() -> Iterator[tuple[Warehouse, str, Path]]:
    with tempfile.TemporaryDirectory(prefix="pas-load-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg")
        server.start()
        try:
            create_database(Warehouse(server.url()), "bench")
            warehouse = Warehouse(server.url("bench"))
            migrate(warehouse, "sandbox", clock=FixedClock(NOW))
            RawWorld().load(warehouse)
            sizes = {"stocks": STOCKS, "first": FIRST, "last": LAST}
            with warehouse.connect() as conn:
                conn.execute(_SECURITIES, sizes)
                conn.execute(_PRICES, sizes)
            _book(warehouse)
            with warehouse.connect(autocommit=True) as conn:
                conn.execute("analyze")
            yield warehouse, warehouse.url, Path(folder)
        finally:
            server.stop()


@contextmanager
def _api(url: str, home: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PAS_")}
    env = clean | TOKENS | {"PAS_DATABASE_URL": url, "PAS_HOME": str(home), "PAS_API_PORT": str(port)}
    with (home / "api.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=PROJECT_ROOT, env=env, stdout=log, stderr=subprocess.STDOUT
        )
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{address}/health").status_code == 200
            except httpx.HTTPError:
                return False

        try:
            wait_for(answers)
            yield address
        except Exception:
            sys.stderr.write((home / "api.log").read_text(encoding="utf-8")[-4000:])
            raise
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _building(url: str, folder: Path) -> Iterator[Any]:
    """Build with dbt all the while; yields how many builds ended."""
    spawn = multiprocessing.get_context("spawn")
    builds = spawn.Value("i", 0)
    process = spawn.Process(target=_build_over_and_over, args=(url, str(folder / "dbt"), builds), daemon=True)
    process.start()
    try:
        yield builds
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            one.kill()
        process.join()


def _stream(address: str) -> tuple[float, float]:
    """Return megabytes and megabytes a second of every row of prices."""
    began = time.perf_counter()
    size = 0
    with httpx.stream("GET", f"{address}/db/prices/all", headers=HEADERS, timeout=120) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            size += len(chunk)
    return size / 1e6, size / 1e6 / (time.perf_counter() - began)


def run() -> Iterator[Result]:
    """Yield the point reads by kind and the stream, with dbt building meanwhile."""
    with _world() as (_, url, folder), _api(url, folder) as address:
        _build(url, str(folder / "dbt"))
        asyncio.run(_generate(address, 20, 3))  # what is imported and opened at the first request
        quiet = asyncio.run(_generate(address, RATE, SECONDS / 3))
        yield _point_reads("nothing else running", quiet)
        with _building(url, folder) as builds:
            time.sleep(10)
            load = asyncio.run(_generate(address, RATE, SECONDS))
            for kind in sorted(load.latencies):
                yield Result(
                    f"{kind}: median, dbt building", load.percentile(0.5, kind),
                    parity=f"p99 {load.percentile(0.99, kind):.1f} ms, worst {load.percentile(1, kind):.1f} ms",
                )  # fmt: skip
            yield _point_reads(f"dbt building ({builds.value} builds ended)", load)
            size, speed = _stream(address)
            yield Result(
                f"/db/prices/all, {size:.0f} MB as CSV, dbt building", size / speed * 1e3,
                parity=f"{speed:.1f} MB/s", gate=f"at least {LEAST_MB:.0f} MB/s", passed=speed >= LEAST_MB,
            )  # fmt: skip


def _point_reads(what: str, load: Load) -> Result:
    count = sum(map(len, load.latencies.values()))
    p99 = load.percentile(0.99)
    return Result(
        f"{count:,} point reads at {RATE:.0f}/s, p99, {what}",
        p99,
        parity=f"median {load.percentile(0.5):.1f} ms, p95 {load.percentile(0.95):.1f} ms,"
        f" worst {load.percentile(1):.1f} ms; wrong: {dict(load.wrong) or 'none'}",
        gate=f"at most {MOST_MS:.0f} ms, no error",
        passed=p99 <= MOST_MS and not load.wrong,
    )
