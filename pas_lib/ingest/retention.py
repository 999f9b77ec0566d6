"""How long payloads are kept: old ones leave the landing, what is still needed stays.

Only payloads of runs whose rows are committed may go. What stays, however old: what waits in the queue or belongs to a
collection that was interrupted, bytes that a younger run refers to (the site said they are the same), answers whose
validators are in use, and the payloads of refused records that nobody has settled. Manifests stay too, so that a replay
can tell what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pas_lib import clock as calendar
from pas_lib.clock import Clock
from pas_lib.datasets import leaders
from pas_lib.landing import Landing, LoadedRun
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

_IN_USE = """
select path from ops.cache
union
select q.payload_path from ops.quarantine q
where not exists (select 1 from ops.quarantine_states s where s.quarantine_id = q.quarantine_id)
"""


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
    """Remove the payloads of runs that were loaded more than PAS_LANDING_RETENTION_DAYS days ago; 0 keeps them all.

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
    in_use |= {file.path for manifest in landing.queued() for file in manifest.files}
    runs = {data.name: landing.loaded_runs(data.name) for data in leaders()}
    young = [run for one in runs.values() for run in one if run.loaded_at >= before]
    in_use |= {file.path for run in young for file in run.manifest.files}
    removed = [_prune(landing, name, [r for r in one if r.loaded_at < before], in_use) for name, one in runs.items()]
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


def removed_until(landing: Landing, name: str) -> datetime | None:
    """Return when the youngest run was loaded that has lost payloads, or None."""
    state = landing.load_state(_state(name))
    return datetime.fromisoformat(state["until"]) if state else None


def first_whole_day(until: datetime) -> date:
    """Return the first day (New York) from which all payloads are there."""
    return until.astimezone(calendar.NY).date() + timedelta(days=1)


def _state(name: str) -> str:
    return f"retention-{name}"
