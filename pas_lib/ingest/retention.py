"""How long payloads are kept: old ones leave the landing, what is still needed stays.

What stays, however old: what waits in the queue, bytes that a younger run refers to (the site said they are the same),
answers whose validators are in use, and the payloads of refused records that nobody has settled. Manifests of loaded
runs stay too, so that a replay can tell what is missing. What was refused, and what a collection that failed left
behind, was never loaded: it goes as a whole, with its manifest, and until then ``replay --refused`` finds it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pas_lib import clock as calendar
from pas_lib.clock import Clock
from pas_lib.datasets import leaders
from pas_lib.landing import Landing, LoadedRun, Manifest
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

_IN_USE = """
select path from ops.cache
union
select q.payload_path from ops.quarantine q
where not exists (select 1 from ops.quarantine_states s where s.quarantine_id = q.quarantine_id)
"""
#: When a run began, within its identity.
_BEGAN = re.compile(r"-(\d{8}T\d{6}Z)-\d+$")


@dataclass(frozen=True)
class Removed:
    """What left the landing.

    Attributes
    ----------
    runs, payloads : int
        Runs that lost payloads now, and how many.
    """

    runs: int = 0
    payloads: int = 0


def prune_landing(settings: Settings, clock: Clock, warehouse: Warehouse) -> Removed:
    """Remove payloads of runs that were loaded, refused or broken off more than PAS_LANDING_RETENTION_DAYS days ago.

    0 keeps them all.

    Raises
    ------
    WarehouseUnavailable
        If PostgreSQL cannot be reached: nothing is removed then.
    """
    if not settings.landing_retention_days:
        return Removed()
    before = clock.now() - timedelta(days=settings.landing_retention_days)
    landing = Landing(settings.landing_url)
    in_use = {str(row["path"]) for row in warehouse.rows(_IN_USE)}
    queued = list(landing.queued())
    in_use |= {file.path for manifest in queued for file in manifest.files}
    runs = {data.name: landing.loaded_runs(data.name) for data in leaders()}
    young = [run for one in runs.values() for run in one if run.loaded_at >= before]
    in_use |= {file.path for run in young for file in run.manifest.files}
    refused = {name: landing.refused_runs(name) for name in runs}
    in_use |= {file.path for one in refused.values() for run in one if run.fetched_at >= before for file in run.files}
    removed = [_prune(landing, name, [r for r in one if r.loaded_at < before], in_use) for name, one in runs.items()]
    for name, one in runs.items():
        removed.append(_prune_refused(landing, name, refused[name], before, in_use))
        known = {run.manifest.run_id for run in one} | {run.run_id for run in queued}
        known |= {run.run_id for run in refused[name] if run.fetched_at >= before}
        removed.append(_prune_folders(landing, name, known, before, in_use))
    return Removed(sum(one.runs for one in removed), sum(one.payloads for one in removed))


def _prune(landing: Landing, name: str, old: list[LoadedRun], in_use: set[str]) -> Removed:
    newest = removed_until(landing, name)
    touched: set[str] = set()
    payloads = 0
    for run in old:
        gone = [file.path for file in run.manifest.files if file.path not in in_use and landing.exists(file.path)]
        if not gone:
            continue
        if newest is None or run.loaded_at > newest:
            # Told before it is done: a removal that is cut off leaves no payload missing without a word.
            newest = run.loaded_at
            landing.save_state(_state(name), {"until": newest})
        for path in dict.fromkeys(gone):
            landing.remove(path)
            payloads += 1
        touched.add(run.manifest.run_id)
    return Removed(len(touched), payloads)


def _prune_refused(
    landing: Landing, name: str, refused: tuple[Manifest, ...], before: datetime, in_use: set[str]
) -> Removed:
    """Remove what was refused: runs with their payloads, and answers that were kept for people."""
    runs = payloads = 0
    for run in refused:
        if run.fetched_at >= before:
            continue
        for path in dict.fromkeys(file.path for file in run.files):
            # What the site said is the same was landed, and may have been loaded, by another run.
            if f"/{run.run_id}/" in path and path not in in_use and landing.exists(path):
                landing.remove(path)
                payloads += 1
        landing.remove(f"refused/{name}/{run.run_id}.json")
        runs += 1
    kept = _prune_folders(landing, f"refused/{name}", set(), before, in_use)
    return Removed(runs + kept.runs, payloads + kept.payloads)


def _prune_folders(landing: Landing, root: str, known: set[str], before: datetime, in_use: set[str]) -> Removed:
    """Remove what old runs left in a folder, but for known ones."""
    runs = payloads = 0
    for day in landing.list(root):
        for run in () if day.endswith(".json") else landing.list(f"{root}/{day}"):
            began = _BEGAN.search(run)
            if began is None or run in known:
                continue
            if datetime.strptime(began[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) >= before:
                continue
            paths = [f"{root}/{day}/{run}/{file}" for file in landing.list(f"{root}/{day}/{run}")]
            gone = [path for path in paths if path not in in_use]
            for path in gone:
                landing.remove(path)
            runs += bool(gone)
            payloads += len(gone)
    return Removed(runs, payloads)


def removed_until(landing: Landing, name: str) -> datetime | None:
    """Return when the youngest run was loaded that has lost payloads, or None."""
    state = landing.load_state(_state(name))
    return datetime.fromisoformat(state["until"]) if state else None


def first_whole_day(until: datetime) -> date:
    """Return the first day (New York) from which all payloads are there."""
    return until.astimezone(calendar.NY).date() + timedelta(days=1)


def _state(name: str) -> str:
    return f"retention-{name}"
