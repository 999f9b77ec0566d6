# ruff: noqa: S608 - identifiers come from the dataset catalogue, values are bound
"""Building raw tables again from the landing, row for row.

Every loaded run left its manifest in the landing, with the time and the number of its load. A replay reads the payloads
again in that order into tables of its own, in one transaction, and compares: where raw is empty it is filled, where it
is the same nothing is touched. Where it differs (a parser was changed, or rows were) it is replaced only when asked
for, because stored decisions were made with the rows that are there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from pas_lib import clock as calendar
from pas_lib.datasets import catalogue
from pas_lib.datasets import dataset as dataset_named
from pas_lib.datasets.base import Dataset
from pas_lib.errors import PasError
from pas_lib.ingest.retention import first_whole_day, removed_until
from pas_lib.ingest.road import read_run, record, sources_of
from pas_lib.landing import Landing, LoadedRun
from pas_lib.warehouse.connection import trusted

if TYPE_CHECKING:
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse


@dataclass(frozen=True)
class TableReplay:
    """What a replay found in one table.

    Parameters
    ----------
    outcome : str
        ``identical``, ``filled`` (raw was empty), ``replaced``, or ``differs`` (and was left alone).
    rows, rows_before : int
        Rows built from the landing, and rows that were in raw.
    digest : str
        Hash of all rows built, whatever their order: of every column but the row's own number, and of its place among
        the versions of its key.
    only_before, only_built : int
        Rows that only raw had, and that only the landing gives.
    """

    outcome: str
    rows: int
    rows_before: int
    digest: str
    only_before: int = 0
    only_built: int = 0


@dataclass(frozen=True)
class ReplayResult:
    """What a replay did.

    Parameters
    ----------
    dataset : str
        Which one.
    runs, payloads : int
        Read again.
    tables : dict
        Per raw table.
    """

    dataset: str
    runs: int
    payloads: int
    tables: dict[str, TableReplay] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether raw is not what the landing gives, and was left alone."""
        return any(table.outcome == "differs" for table in self.tables.values())


def replay(
    name: str, *, settings: Settings, warehouse: Warehouse, since: date | None = None, replace: bool = False
) -> ReplayResult:
    """Build the raw tables of a dataset from the landing, and compare them with those that are there.

    Parameters
    ----------
    name : str
        The dataset. A follower brings its leader along.
    settings, warehouse
        Injected.
    since : date, optional
        Only runs loaded from this day on (New York); rows loaded before are taken as they are.
    replace : bool
        Put what was built in the place of what differs from it.

    Raises
    ------
    PasError
        If a collection of the dataset runs, the landing does not hold everything that is in raw, or payloads that are
        needed were removed from it because of their age.
    """
    data = dataset_named(name)
    data = dataset_named(data.leader) if data.leader else data
    names = [data.name, *data.followers]
    landing = Landing(settings.landing_url)
    runs = landing.loaded_runs(data.name)
    if not runs:
        raise PasError(f"{data.name}: the landing {landing.url} holds no loaded run", hint="collect it first")
    begin = calendar.ny_midnight(since) if since is not None else None
    # What entered late, from the quarantine, is read where it came from first.
    chosen = [run for run in runs if not run.late and (begin is None or run.loaded_at >= begin)]
    _refuse_what_was_removed(landing, data.name, chosen)
    with warehouse.connect() as conn:
        _keep_others_away(conn, data, names)
        _refuse_gaps(conn, names, runs)
        if data.named is not None and not _has_rows(conn, "raw.securities"):
            raise PasError(f"{data.name}: there are no names to look up yet", hint="replay the dataset universe first")
        shadows = {name: _shadow(conn, name, begin) for name in names}
        was_empty = {name: not _has_rows(conn, f"raw.{name}") for name in names}
        for run in chosen:
            counts, intakes, notes = read_run(conn, run.manifest, landing, run.loaded_at, tables=shadows)
            known = conn.execute(
                "select 1 from ops.ingest_runs where run_id = %s and status in ('loaded', 'unchanged')",
                (run.manifest.run_id,),
            ).fetchone()
            if not known:
                # The warehouse is a new one: what happened is told as it happened.
                for intake in intakes.values():
                    intake.store_refused(conn, run.manifest.run_id, run.loaded_at)
                record(
                    conn,
                    run.manifest,
                    counts,
                    sources_of(run.manifest, intakes),
                    run.loaded_at,
                    notes,
                    number=run.number,
                    intakes=intakes,
                )
        tables = {name: _settle(conn, catalogue()[name], shadows[name], was_empty[name], replace) for name in names}
        conn.execute(
            "select setval('ops.load_numbers', greatest(%s, (select last_value from ops.load_numbers)))",
            (max(run.number for run in runs),),
        )
    return ReplayResult(data.name, len(chosen), sum(len(run.manifest.files) for run in chosen), tables)


def table_digest(conn: psycopg.Connection[Any], data: Dataset, table: str) -> tuple[int, str]:
    """Return the number of rows of a raw table, and a hash of them all that does not depend on their order."""
    keys = ", ".join(("source", *data.key))
    statement = (
        "select count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text from"
        f" (select {_columns(data)}, row_number() over (partition by {keys} order by known_at, row_id) as version"
        f" from {table}) t"
    )
    found = conn.execute(trusted(statement)).fetchone()
    return (int(found[0]), str(found[1])) if found else (0, "0")


def _columns(data: Dataset) -> str:
    common = ("source", "event_date", "known_at", "ingested_at", "source_url", "run_id", "content_hash", "is_deleted")
    return ", ".join((*common, *(column.name for column in data.columns)))


def _keep_others_away(conn: psycopg.Connection[Any], data: Dataset, names: list[str]) -> None:
    row = conn.execute("select pg_try_advisory_xact_lock(hashtext(%s))", (f"collect:{data.name}",)).fetchone()
    if not row or not row[0]:
        raise PasError(f"{data.name} is being collected: nothing was replayed", hint="try again when that has ended")
    for name in names:
        conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"ingest:{name}",))


def _refuse_what_was_removed(landing: Landing, name: str, chosen: list[LoadedRun]) -> None:
    until = removed_until(landing, name)
    gone = [run for run in chosen if until is not None and run.loaded_at <= until]
    if until is not None and gone:
        raise PasError(
            f"{name}: payloads of {len(gone)} of {len(chosen)} runs, loaded up to {until:%Y-%m-%d}, were removed"
            " (PAS_LANDING_RETENTION_DAYS)",
            hint=f"--since {first_whole_day(until)} builds the rest; `pas restore` brings back all of it",
        )


def _refuse_gaps(conn: psycopg.Connection[Any], names: list[str], runs: tuple[LoadedRun, ...]) -> None:
    ids = [run.manifest.run_id for run in runs]
    for name in names:
        missing = conn.execute(
            trusted(f"select distinct run_id from raw.{name} where run_id <> all(%s) order by 1"), (ids,)
        ).fetchall()
        if missing:
            raise PasError(
                f"raw.{name} holds rows of {len(missing)} runs that the landing does not know ({missing[0][0]}):"
                " it cannot be built from there"
            )


def _has_rows(conn: psycopg.Connection[Any], table: str) -> bool:
    found = conn.execute(trusted(f"select exists (select 1 from {table})")).fetchone()
    return bool(found and found[0])


def _shadow(conn: psycopg.Connection[Any], name: str, begin: datetime | None) -> str:
    """Create an empty table like a raw one, with the rows loaded before ``begin``."""
    table, columns = f"replay_{name}", _columns(catalogue()[name])
    conn.execute(trusted(f"create temporary table {table} (like raw.{name} including all) on commit drop"))
    if begin is not None:
        conn.execute(
            trusted(
                f"insert into {table} ({columns}) select {columns} from raw.{name}"
                " where ingested_at < %s order by row_id"
            ),
            (begin,),
        )
    return table


def _settle(conn: psycopg.Connection[Any], data: Dataset, shadow: str, was_empty: bool, replace: bool) -> TableReplay:
    rows, digest = table_digest(conn, data, shadow)
    before, digest_before = table_digest(conn, data, data.table)
    columns = _columns(data)
    copy = f"insert into {data.table} ({columns}) select {columns} from {shadow} order by row_id"
    if was_empty:
        conn.execute(trusted(copy))
        conn.execute(trusted(f"analyze {data.table}"))
        return TableReplay("filled" if rows else "identical", rows, before, digest)
    if (rows, digest) == (before, digest_before):
        return TableReplay("identical", rows, before, digest)
    only = [
        conn.execute(
            trusted(f"select count(*) from (select {columns} from {a} except all select {columns} from {b}) only_here")
        ).fetchone()
        for a, b in ((data.table, shadow), (shadow, data.table))
    ]
    only_before, only_built = (int(found[0]) if found else 0 for found in only)
    if replace:
        # Row numbers go on: the mirror sees that these are other rows.
        conn.execute(trusted(f"delete from {data.table}"))
        conn.execute(trusted(copy))
        conn.execute(trusted(f"analyze {data.table}"))
    return TableReplay("replaced" if replace else "differs", rows, before, digest, only_before, only_built)
