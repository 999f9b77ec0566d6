"""Fetch, land, validate, quarantine, load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa

from pas_lib.clock import NY, Clock
from pas_lib.datasets import catalogue
from pas_lib.datasets import dataset as dataset_named
from pas_lib.datasets.base import Dataset
from pas_lib.errors import (
    PasError,
    PayloadError,
    QuarantineError,
    SourceError,
    TableMissing,
    WarehouseError,
    WarehouseUnavailable,
)
from pas_lib.ingest import plan as planning
from pas_lib.ingest.mapping import name_map
from pas_lib.ingest.memory import RunMemory, store_validators, validators
from pas_lib.ingest.resume import Begun, begin
from pas_lib.ingest.validate import Intake
from pas_lib.landing import Accepted, LandedFile, Landing, LoadedRun, Manifest
from pas_lib.sources import Ask, Payload, Source, source, usable_sources
from pas_lib.sources.http import Client
from pas_lib.warehouse.bitemporal import Counts, News, Overruled, VersionedLoad
from pas_lib.warehouse.connection import trusted

if TYPE_CHECKING:
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse


#: Told after each answer: questions answered, questions in all, what the last one was about.
Progress = Callable[[int, int, str], None]

#: Seconds a collection waits for another one of the same dataset.
_PATIENCE = 3600
#: So many days asked one by one do not all hold nothing.
_WEEK = 5


@dataclass(frozen=True)
class IngestResult:
    """What a collection did.

    Parameters
    ----------
    dataset : str
        Which one.
    run_id : str
        Its identity in landing, raw and ops.
    status : str
        ``loaded``, ``unchanged`` (nothing differed), ``landed`` (PostgreSQL is away: queued), or ``skipped`` (a past
        was asked for that the site does not give).
    session : date, optional
        For which session.
    payloads : int
        Answers landed.
    parsed, new, changed, deleted, quarantined : int
        Rows, see :class:`pas_lib.warehouse.bitemporal.Counts`.
    followers : dict
        Counts of the datasets parsed out of the same payloads.
    notes : tuple of str
        For people: what was missing.
    """

    dataset: str
    run_id: str
    status: str
    session: date | None
    payloads: int
    parsed: int = 0
    new: int = 0
    changed: int = 0
    deleted: int = 0
    quarantined: int = 0
    followers: dict[str, Counts] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def queued(self) -> bool:
        """Whether the rows wait in the landing for PostgreSQL."""
        return self.status == "landed"


def ingest(
    name: str,
    session: date | None = None,
    *,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    start: date | None = None,
    end: date | None = None,
    items: Iterable[str] | None = None,
    progress: Progress | None = None,
    accepted: Accepted | None = None,
) -> IngestResult:
    """Collect a dataset: fetch what is new, land it, validate it, load it.

    A first load or a backfill that was interrupted goes on where it stopped. What a site says has not changed since the
    last collection is neither landed nor loaded again.

    Parameters
    ----------
    name : str
        The dataset. A follower (corporate_actions, securities) brings its leader along.
    session : date, optional
        The session it is collected for.
    settings, clock, warehouse
        Injected.
    start, end : date, optional
        A window of event dates to ask for again; by default what follows what is loaded.
    items : iterable of str, optional
        Only these symbols or titles.
    progress : Progress, optional
        Told how far it is.
    accepted : Accepted, optional
        A person's word that far fewer rows than before are true: the gates on their number are overruled, and that is
        kept in ``ops.gate_overrides``.

    Returns
    -------
    IngestResult

    Raises
    ------
    SourceError, PayloadError
        If a site does not answer as promised. Nothing is loaded then.
    QuarantineError
        If too many rows are invalid. Nothing is loaded then.
    PasError
        If the window ends before what is loaded begins: the days between would be missing without a trace.
    """
    data = dataset_named(name)
    if data.leader:
        data = dataset_named(data.leader)
    if data.history == "none" and (start is not None or end is not None):
        return _without_history(data, session)
    with collecting(warehouse, data.name) as is_there:
        wish = {"start": start, "end": end, "items": sorted(items) if items is not None else None}
        return _collect(data, session, settings, clock, warehouse, wish, is_there, progress, accepted)


@contextmanager
def collecting(warehouse: Warehouse, name: str) -> Iterator[bool]:
    """Hold the collection of a dataset: another one waits, and a replay refuses to run.

    Yields whether PostgreSQL is there to keep others away. Without it a collection only lands.
    """
    try:
        conn = psycopg.connect(warehouse.url, autocommit=True, connect_timeout=10, application_name="pas collection")
    except psycopg.OperationalError:
        yield False
        return
    try:
        conn.execute("select set_config('lock_timeout', %s, false)", (f"{_PATIENCE}s",))
        conn.execute("select pg_advisory_lock(hashtext(%s))", (f"collect:{name}",))
    except psycopg.errors.LockNotAvailable:
        conn.close()
        raise PasError(f"{name}: another collection has been running for {_PATIENCE // 60} minutes") from None
    try:
        yield True
    finally:
        # Closing gives the lock back, too, but when the server gets to it; and the server may be gone.
        with suppress(psycopg.Error):
            conn.execute("select pg_advisory_unlock_all()")
        conn.close()


def _collect(
    data: Dataset,
    session: date | None,
    settings: Settings,
    clock: Clock,
    warehouse: Warehouse,
    wish: dict[str, Any],
    is_there: bool,
    progress: Progress | None,
    accepted: Accepted | None,
) -> IngestResult:
    now = clock.now()
    landing = Landing(settings.landing_url)
    away: WarehouseUnavailable | None = None
    start, end = wish["start"], wish["end"]
    try:
        ask = planning.plan(data, settings, now, warehouse, start=start, end=end, session=session)
        covered = planning.coverage(data, settings, warehouse)
        planning.remember(landing, ask, stated=start is not None)
    except TableMissing:
        raise WarehouseError(
            f"{warehouse.shown_url} is not a warehouse yet, or older than this code", hint="migrate it with `make run`"
        ) from None
    except WarehouseUnavailable as error:
        recalled = planning.recall(landing, data, settings, now, start=start, end=end)
        if recalled is None:
            raise
        ask, away, covered = recalled, error, None
    if covered is not None and wish["items"] is None:
        planning.refuse_gap_before(data, covered, end)
    reach = planning.Reach.of(covered, start, parts=wish["items"] is not None)
    if wish["items"] is not None:
        ask = replace(ask, items=tuple(wish["items"]))
    wish = {**wish, "sources": [site.name for site in _sources(data, settings)]}
    may_go_on = is_there and away is None and not ask.following and data.history == "full"
    manifest: Manifest | None = None
    try:
        begun = begin(landing, ask, session, wish, may_go_on=may_go_on)
        memory = RunMemory(landing, {} if away is not None else validators(data, warehouse), begun.answers)
        shared = warehouse if away is None else None
        manifest = _land(data, begun, landing, session, now, memory, progress, reach, accepted, shared)
        if away is not None:
            return _only_landed(manifest)
        try:
            results, failures = _load_queue(data.name, landing, clock, warehouse)
            landing.drop_state(begun.name)
            if manifest.run_id in failures:
                raise failures[manifest.run_id]
            result = next((entry for entry in results if entry.run_id == manifest.run_id), None)
            result = result or _loaded_elsewhere(warehouse, manifest)
        except WarehouseUnavailable:
            return _only_landed(manifest)
        older = tuple(f"{run_id} left behind by an outage could not be loaded: {e}" for run_id, e in failures.items())
        return replace(result, notes=result.notes + older)
    except PasError as error:
        _record_failure(warehouse, data, manifest, session, now, error)
        raise


def _without_history(data: Dataset, session: date | None) -> IngestResult:
    note = f"the site gives no past: {data.name} begins with its first collection"
    return IngestResult(data.name, "", "skipped", session, 0, notes=(note,))


def _only_landed(manifest: Manifest) -> IngestResult:
    note = "PostgreSQL is away: landed, to be loaded when it is back"
    return IngestResult(
        manifest.dataset, manifest.run_id, "landed", manifest.session, len(manifest.files), notes=(note,)
    )


def _sources(data: Dataset, settings: Settings) -> list[Source]:
    """Return where a dataset is collected from.

    Raises
    ------
    SourceError
        If there is nowhere.
    """
    sources = usable_sources(data, settings)
    if not sources:
        keys = {entry.key_setting for entry in map(source, data.sources) if entry.key_setting}
        hint = (
            f"PAS_SOURCES=subscribed and {' or '.join(sorted(key.upper() for key in keys))} enable one" if keys else ""
        )
        raise SourceError(f"{data.name} has no source with PAS_SOURCES={settings.sources}", hint=hint)
    return sources


def _land(
    data: Dataset,
    begun: Begun,
    landing: Landing,
    session: date | None,
    now: datetime,
    memory: RunMemory,
    progress: Progress | None,
    reach: planning.Reach,
    accepted: Accepted | None,
    shared: Warehouse | None,
) -> Manifest:
    """Ask everything, land each answer as it comes, and queue the run; with a watermark if it joins what is loaded."""
    ask = begun.ask
    if landing.is_queued(begun.run_id):
        return next(manifest for manifest in landing.queued(data.name) if manifest.run_id == begun.run_id)
    number = len(landing.list(begun.folder))
    files: list[LandedFile] = []
    failed: list[str] = []
    left: list[str] = []
    # The next collection asks again for what is missing at the end, not for what is missing in a past that was stated.
    tolerate = 0 if reach.is_stated else int(data.max_failed_share * len(ask.items))
    began = monotonic()
    for site in _sources(data, ask.settings):
        # The sandbox' time stands still meanwhile.
        minutes = 0 if ask.settings.sources == "sandbox" else (monotonic() - began) // 60
        at = now + timedelta(minutes=minutes)
        try:
            first_of: dict[int, int] = {}
            for done, total, page in _fetch(site, ask, at, memory, tolerate, failed, left, shared):
                begin_at = first_of.setdefault(done, len(files))
                if page.anew:
                    for void in files[begin_at:]:
                        if void.path.startswith(f"{begun.folder}/"):
                            landing.remove(void.path)
                    del files[begin_at:]
                files.append(landing.write(begun.folder, number, page))
                number += not page.landed
                if progress is not None:
                    progress(done + 1, total, page.label)
        except PayloadError as error:
            if isinstance(error.payload, Payload):
                landing.keep_refused(begun.folder, error.payload)
            raise
    if not files:
        raise SourceError(f"{data.name}: nothing was asked for")
    notes = []
    if failed:
        notes.append(f"{len(failed)} of {len(ask.items)} items got no answer, left for next time: {failed[0]}")
    unchanged = sum(file.unchanged for file in files)
    if unchanged:
        notes.append(f"{unchanged} of {len(files)} answers have not changed since the last collection")
    if begun.answers:
        notes.append(f"went on with a collection that was interrupted after {len(begun.answers)} answers")
    today = now.astimezone(NY).date()
    watermark = reach.watermark(min(ask.end or ask.now.astimezone(NY).date(), today), complete=not failed)
    if reach.note:
        notes.append(reach.note)
    manifest = Manifest(
        begun.run_id,
        data.name,
        session,
        now,
        watermark,
        tuple(files),
        (*notes, *left),
        None if ask.following or watermark is None else ask.start,
        accepted,
    )
    landing.enqueue(manifest)
    return manifest


def _fetch(
    site: Source,
    ask: Ask,
    now: datetime,
    memory: RunMemory,
    tolerate: int,
    failed: list[str],
    left: list[str],
    shared: Warehouse | None,
) -> Iterator[tuple[int, int, Payload]]:
    """Yield each answer with the number of its question and how many there are."""
    read = getattr(site, "read", None)
    if read is not None:
        asked = list(site.requests(ask))
        for number, request in enumerate(asked):
            yield number, len(asked), read(request, ask)
        return
    with Client(site, ask.settings, now, tolerate=tolerate, memory=memory, shared=shared) as client:
        asked = list(site.requests(site.prepare(ask, client.look_up)))
        for number, page in client.pages(asked):
            yield number, len(asked), page
        failed.extend(client.failed)
        left.extend(client.left)


def load_landed(
    name: str | None = None, *, settings: Settings, clock: Clock, warehouse: Warehouse
) -> list[IngestResult]:
    """Load what waits in the landing, oldest first, each run exactly once.

    Parameters
    ----------
    name : str, optional
        Only this dataset.
    settings, clock, warehouse
        Injected.

    Returns
    -------
    list of IngestResult
        One per run loaded now.

    Raises
    ------
    WarehouseUnavailable
        If PostgreSQL cannot be reached; the queue stays.
    PayloadError, QuarantineError
        If a run cannot be loaded: it leaves the queue, its payloads stay in the landing.
    """
    results, failures = _load_queue(name, Landing(settings.landing_url), clock, warehouse)
    for error in failures.values():
        raise error
    return results


def load_refused(name: str, *, settings: Settings, clock: Clock, warehouse: Warehouse) -> list[IngestResult]:
    """Load the captures of a dataset that could not be loaded when they came, after a parser was mended.

    Only where each capture stands by itself: elsewhere an old answer would replace what came after it.

    Parameters
    ----------
    name : str
        The dataset. A follower brings its leader along.
    settings, clock, warehouse
        Injected.

    Returns
    -------
    list of IngestResult
        One per run loaded now.

    Raises
    ------
    WarehouseUnavailable
        If PostgreSQL cannot be reached; they wait in the queue then.
    PayloadError, QuarantineError
        If one still cannot be loaded: it waits on.
    PasError
        If the dataset's answers do not stand by themselves.
    """
    data = dataset_named(name)
    data = dataset_named(data.leader) if data.leader else data
    landing = Landing(settings.landing_url)
    waiting = landing.refused_runs(data.name)
    if waiting and "capture_date" not in data.key:
        raise PasError(
            f"{data.name}: {len(waiting)} runs could not be loaded, and what came since is newer",
            hint="their past is asked for again by `pas ingest --start`",
        )
    with collecting(warehouse, data.name):
        for manifest in waiting:
            landing.enqueue_again(manifest)
        return load_landed(data.name, settings=settings, clock=clock, warehouse=warehouse)


def _load_queue(
    name: str | None, landing: Landing, clock: Clock, warehouse: Warehouse
) -> tuple[list[IngestResult], dict[str, PasError]]:
    """Load what waits; return what was loaded, and what could not be and why."""
    results: list[IngestResult] = []
    failures: dict[str, PasError] = {}
    for manifest in list(landing.queued(name)):
        try:
            result = _load(manifest, landing, clock.now(), warehouse)
        except WarehouseUnavailable:
            raise
        except PasError as error:
            landing.refuse(manifest)
            failures[manifest.run_id] = error
            _record_failure(warehouse, catalogue()[manifest.dataset], manifest, manifest.session, clock.now(), error)
            continue
        landing.loaded(_loaded_run(manifest, warehouse))
        if result is not None:
            results.append(result)
    return results, failures


def _loaded_run(manifest: Manifest, warehouse: Warehouse) -> LoadedRun:
    """Return a committed run with the time and number of its load, as the warehouse has them."""
    row = warehouse.rows(
        "select min(finished_at) as at, min(load_number) as number from ops.ingest_runs where run_id = %s"
        " and status in ('loaded', 'unchanged')",
        (manifest.run_id,),
    )[0]
    return LoadedRun(manifest, row["at"], row["number"])


def _loaded_elsewhere(warehouse: Warehouse, manifest: Manifest) -> IngestResult:
    """Return the result of a run that another process took from the queue first."""
    rows = warehouse.rows("select * from ops.ingest_runs where run_id = %s", (manifest.run_id,))
    counts = {
        row["dataset"]: Counts(
            row["rows_parsed"], row["rows_new"], row["rows_changed"], row["rows_deleted"], row["rows_quarantined"]
        )
        for row in rows
    }
    if manifest.dataset not in counts:
        raise PasError(f"run {manifest.run_id} is neither in the queue nor loaded")
    return _result(manifest, counts, [])


def _load(manifest: Manifest, landing: Landing, now: datetime, warehouse: Warehouse) -> IngestResult | None:
    """Load one run in one transaction; None if it is loaded already."""
    data = catalogue()[manifest.dataset]
    names = [data.name, *data.followers]
    with warehouse.connect() as conn:
        for name in names:
            conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"ingest:{name}",))
        done = conn.execute(
            "select 1 from ops.ingest_runs where run_id = %s and status in ('loaded', 'unchanged')",
            (manifest.run_id,),
        ).fetchone()
        if done:
            return None
        counts, intakes, notes = read_run(conn, manifest, landing, now)
        for name, count in counts.items():
            fewer = _judge_count(conn, catalogue()[name], count.parsed, sources_of(manifest, intakes)[name], manifest)
            if fewer is not None:
                intakes[name].load.overruled.append(fewer)
        notes += _told(intakes, manifest)
        for intake in intakes.values():
            intake.store_refused(conn, manifest.run_id, now)
        record(conn, manifest, counts, sources_of(manifest, intakes), now, notes, intakes=intakes)
    return _result(manifest, counts, notes)


def read_run(
    conn: psycopg.Connection[Any],
    manifest: Manifest,
    landing: Landing,
    now: datetime,
    *,
    tables: Mapping[str, str] | None = None,
) -> tuple[dict[str, Counts], dict[str, Intake], list[str]]:
    """Read what a run landed into its tables, in the connection's transaction.

    Parameters
    ----------
    conn : psycopg.Connection
        Its transaction is the load's.
    manifest : Manifest
        The run.
    landing : Landing
        Where its payloads are.
    now : datetime
        Ingestion time.
    tables : mapping, optional
        Dataset -> a table to fill instead of its own.

    Returns
    -------
    tuple
        Counts and intakes per dataset, and notes for people.

    Raises
    ------
    PayloadError, QuarantineError
        If it cannot be loaded.
    """
    data = catalogue()[manifest.dataset]
    tables = tables or {}
    intakes = {
        name: Intake(
            catalogue()[name],
            VersionedLoad(
                conn,
                catalogue()[name],
                manifest.run_id,
                now,
                tables.get(name),
                fetched_at=manifest.fetched_at,
                accepts_fewer=manifest.accepted is not None,
            ),
            current_rows(conn, catalogue()[name], tables.get(name)),
            lambda: name_map(conn, now),
        )
        for name in (data.name, *data.followers)
    }
    notes, missing = list(manifest.notes), []
    # One answer that changed is read together with those that did not: what they state completely, they state
    # together. Where none changed, everything in them is loaded.
    for file in () if manifest.is_unchanged else manifest.files:
        payload = landing.read(file.path)
        if file.unchanged:
            payload = replace(payload, fetched_at=manifest.fetched_at)
        for batch in source(file.source).batches(payload):
            intakes[batch.dataset].add(batch, payload, file.path)
            if batch.missing:
                missing.append(batch.note)
    notes += _judge_missing(data, missing, len(manifest.files))
    counts: dict[str, Counts] = {}
    for name, intake in intakes.items():
        intake.finish()
        notes += intake.notes()
        if intake.parsed == 0 and not intake.listed and not manifest.is_unchanged:
            _judge_empty(conn, catalogue()[name], manifest, intake, tables.get(name))
        # Beside other sources' rows those of one would not be missed.
        if catalogue()[name].all_sources and not manifest.is_unchanged and (silent := intake.silent()):
            raise PayloadError(
                f"{name}: no rows in {intake.answers[silent[0]]} answers of {silent[0]}; nothing was loaded"
            )
    for name, intake in intakes.items():
        new, changed, deleted = intake.load.merge()
        counts[name] = Counts(intake.parsed, new, changed, deleted, len(intake.refused))
        intake.news = intake.load.news(manifest.fetched_at)
    return counts, intakes, notes


def _result(manifest: Manifest, counts: dict[str, Counts], notes: list[str]) -> IngestResult:
    own = counts[manifest.dataset]
    return IngestResult(
        dataset=manifest.dataset,
        run_id=manifest.run_id,
        status="loaded" if any(count.touched for count in counts.values()) else "unchanged",
        session=manifest.session,
        payloads=len(manifest.files),
        parsed=own.parsed,
        new=own.new,
        changed=own.changed,
        deleted=own.deleted,
        quarantined=own.quarantined,
        followers={name: count for name, count in counts.items() if name != manifest.dataset},
        notes=tuple(notes),
    )


def current_rows(conn: psycopg.Connection[Any], data: Dataset, table: str | None = None) -> pa.Table | None:
    """Return the current rows of a dataset that settles its rows against them; these are small."""
    if data.resolve is None:
        return None
    names = [field.name for field in data.schema]
    keys = ", ".join(data.key)
    cursor = conn.execute(
        trusted(
            f"select {', '.join(names)} from (select distinct on (source, {keys}) * from {table or data.table}"  # noqa: S608
            f" order by source, {keys}, known_at desc, row_id desc) latest where not is_deleted"
        )
    )
    return data.records_table([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])


def _judge_count(
    conn: psycopg.Connection[Any], data: Dataset, parsed: int, sources: str, manifest: Manifest
) -> Overruled | None:
    """Refuse a load with far fewer rows than the one before it from the same sources, unless a person accepts it."""
    if data.min_count_share is None or not parsed:
        return None
    before = conn.execute(
        "select rows_parsed from ops.ingest_runs where dataset = %s and source = %s and rows_parsed > 0"
        " and status in ('loaded', 'unchanged') and session is not null order by load_number desc limit 1",
        (data.name, sources),
    ).fetchone()
    if not before or parsed >= data.min_count_share * before[0]:
        return None
    if manifest.accepted is None:
        raise PayloadError(
            f"{data.name}: {parsed} rows from {sources}, where the collection before had {before[0]}"
            f" (less than {data.min_count_share:.0%}); nothing was loaded",
            hint="if it is true: --accept-rows",
        )
    return Overruled(data.name, "count", parsed, before[0])


def _told(intakes: Mapping[str, Intake], manifest: Manifest) -> list[str]:
    """Return one line about each gate that was overruled."""
    if manifest.accepted is None:
        return []
    gates = [gate for intake in intakes.values() for gate in intake.load.overruled]
    if not gates:
        return ["no gate was in the way: nothing had to be accepted"]
    said = {"count": "rows, where the collection before had", "vanished": "known rows gone, of"}
    return [
        f"{gate.dataset}: {gate.found} {said[gate.gate]} {gate.before}, accepted by {manifest.accepted.who}:"
        f" {manifest.accepted.reason}"
        for gate in gates
    ]


def _judge_empty(
    conn: psycopg.Connection[Any], data: Dataset, manifest: Manifest, intake: Intake, table: str | None
) -> None:
    """Refuse a collection without rows, unless there may have been nothing since the newest row of its sources."""
    said = f"{data.name}: no rows in {len(manifest.files)} payloads"
    if not data.may_be_empty:
        raise PayloadError(f"{said}; nothing was loaded")
    if data.quiet is None:
        return
    if len(manifest.files) >= _WEEK:
        raise PayloadError(f"{said}: {_WEEK} days in a row never hold nothing; nothing was loaded")
    found = conn.execute(
        trusted(f"select max(known_at) from {table or data.table} where source = any(%s)"),  # noqa: S608
        (list(intake.sources),),
    ).fetchone()
    newest = found[0] if found else None
    if newest is None or manifest.fetched_at - newest > data.quiet:
        since = "ever" if newest is None else f"since {newest.astimezone(NY):%Y-%m-%d}"
        raise PayloadError(f"{said}, nor any {since}: longer than {data.quiet.days} days; nothing was loaded")


def _judge_missing(data: Dataset, missing: list[str], asked: int) -> list[str]:
    if not missing:
        return []
    if len(missing) > max(1.0, data.max_missing_share * asked):
        raise PayloadError(
            f"{data.name}: {len(missing)} of {asked} items are not known to the site ({missing[0]}, ...);"
            " nothing was loaded"
        )
    shown = "; ".join(missing[:5])
    return [f"{len(missing)} of {asked} items not known to the site: {shown}{'; ...' if len(missing) > 5 else ''}"]


def sources_of(manifest: Manifest, intakes: Mapping[str, Intake]) -> dict[str, str]:
    """Return the sources of each dataset's rows in a run, joined by +; of a run without news those that were asked."""
    asked = dict.fromkeys(file.source for file in manifest.files)
    return {name: "+".join(intake.sources or asked) for name, intake in intakes.items()}


def record(
    conn: psycopg.Connection[Any],
    manifest: Manifest,
    counts: Mapping[str, Counts],
    sources: Mapping[str, str],
    now: datetime,
    notes: list[str],
    *,
    number: int | None = None,
    intakes: Mapping[str, Intake] | None = None,
) -> None:
    """Write what a run did to ``ops``, in the transaction that loads it; its number is the next one, unless stated."""
    store_validators(conn, manifest, now)
    intakes = intakes or {}
    if number is None:
        following = conn.execute("select nextval('ops.load_numbers')").fetchone()
        number = following[0] if following else None
    with conn.cursor() as cursor:
        for name, count in counts.items():
            news = intakes[name].news if name in intakes else News()
            cursor.execute(
                "insert into ops.ingest_runs (run_id, dataset, source, session, status, started_at, finished_at,"
                " payloads, rows_parsed, rows_new, rows_changed, rows_deleted, rows_quarantined, watermark, note,"
                " load_number, asked_from, newest_at, content)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    manifest.run_id,
                    name,
                    sources[name],
                    manifest.session,
                    "loaded" if count.touched else "unchanged",
                    manifest.fetched_at,
                    now,
                    len(manifest.files),
                    count.parsed,
                    count.new,
                    count.changed,
                    count.deleted,
                    count.quarantined,
                    manifest.watermark,
                    "; ".join(notes) or None,
                    number,
                    manifest.asked_from,
                    news.newest_at if news.content is None else _since_when(cursor, name, news.content, manifest),
                    news.content,
                ),
            )
        for gate in [gate for intake in intakes.values() for gate in intake.load.overruled]:
            if manifest.accepted is not None:
                cursor.execute(
                    "insert into ops.gate_overrides (run_id, dataset, gate, rows_found, rows_before, reason, who,"
                    " accepted_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
                    (
                        manifest.run_id,
                        gate.dataset,
                        gate.gate,
                        gate.found,
                        gate.before,
                        manifest.accepted.reason,
                        manifest.accepted.who,
                        manifest.fetched_at,
                    ),
                )
        with cursor.copy(
            "copy ops.landing_files (path, dataset, source, run_id, url, sha256, bytes, fetched_at, loaded_at)"
            " from stdin"
        ) as copy:
            for file in {file.path: file for file in manifest.files if not file.unchanged}.values():
                copy.write_row(
                    (
                        file.path,
                        manifest.dataset,
                        file.source,
                        manifest.run_id,
                        file.url,
                        file.sha256,
                        file.size,
                        manifest.fetched_at,
                        now,
                    )
                )


def _since_when(cursor: psycopg.Cursor[Any], name: str, content: str, manifest: Manifest) -> datetime:
    """Return since when a site's captures say the same."""
    before = cursor.execute(
        "select content, newest_at from ops.ingest_runs where dataset = %s and content is not null"
        " order by load_number desc limit 1",
        (name,),
    ).fetchone()
    return before[1] if before and before[0] == content else manifest.fetched_at


def _record_failure(
    warehouse: Warehouse,
    data: Dataset,
    manifest: Manifest | None,
    session: date | None,
    now: datetime,
    error: PasError,
) -> None:
    """Leave a trace of a failed collection; a missing warehouse must not hide the failure itself."""
    run_id = manifest.run_id if manifest else f"{data.name}-{session}-{now:%Y%m%dT%H%M%SZ}"
    try:
        warehouse.execute(
            "insert into ops.ingest_runs (run_id, dataset, source, session, status, started_at, finished_at, payloads,"
            " note) values (%s, %s, %s, %s, 'failed', %s, %s, %s, %s) on conflict (run_id, dataset, source)"
            " do update set note = excluded.note, finished_at = excluded.finished_at",
            (run_id, data.name, "", session, now, now, len(manifest.files) if manifest else 0, str(error)),
        )
    except WarehouseUnavailable:
        return


__all__ = ["IngestResult", "QuarantineError", "ingest", "load_landed", "load_refused"]
