"""Reading refused records again, from the landed bytes, after a parser was mended.

Rows that are valid now enter with the time at which they would have become known; a row whose key has a newer version
stays out. A record that is no longer refused is marked as resolved, or as superseded where nothing of it was new; the
quarantine itself is never changed.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg

from pas_lib.clock import Clock
from pas_lib.datasets import catalogue
from pas_lib.datasets import dataset as dataset_named
from pas_lib.ingest.mapping import name_map
from pas_lib.ingest.road import current_rows, record
from pas_lib.ingest.validate import Intake
from pas_lib.landing import Landing, LoadedRun, Manifest
from pas_lib.sources import Payload, source
from pas_lib.warehouse.bitemporal import Counts, VersionedLoad

if TYPE_CHECKING:
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

#: Records of the quarantine about which nothing was decided yet.
OPEN = """
    select q.quarantine_id, q.dataset, q.source, q.run_id, q.payload_path, q.reason, q.record, q.quarantined_at
    from ops.quarantine q
    where not exists (select 1 from ops.quarantine_states s where s.quarantine_id = q.quarantine_id)
"""


@dataclass(frozen=True)
class QuarantineResult:
    """What became of the refused records of a dataset.

    Parameters
    ----------
    dataset : str
        Which one.
    run_id : str
        Of the replay; empty when there was nothing to read.
    looked_at, payloads : int
        Open records, and the payloads they came in.
    resolved, superseded, refused : int
        Records that entered, that were overtaken by newer ones, and that are still refused.
    new, changed : int
        Versions inserted.
    """

    dataset: str
    run_id: str
    looked_at: int
    payloads: int = 0
    resolved: int = 0
    superseded: int = 0
    refused: int = 0
    new: int = 0
    changed: int = 0


def replay_quarantined(name: str, *, settings: Settings, clock: Clock, warehouse: Warehouse) -> QuarantineResult:
    """Read the payloads of a dataset's open quarantine again, and load what is valid now.

    Raises
    ------
    PasError
        If a payload is missing in the landing. Nothing is changed then.
    """
    data = dataset_named(name)
    data = dataset_named(data.leader) if data.leader else data
    names = [data.name, *data.followers]
    landing, now = Landing(settings.landing_url), clock.now()
    with warehouse.connect() as conn, conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        for one in names:
            conn.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"ingest:{one}",))
        waiting = cursor.execute(OPEN + " and q.dataset = any(%s) order by q.quarantine_id", (names,)).fetchall()
        paths = [path for path in dict.fromkeys(row["payload_path"] for row in waiting) if path]
        if not paths:
            return QuarantineResult(data.name, "", len(waiting))
        folder = landing.new_folder(data.name, None, now)
        run_id = folder.rpartition("/")[2]
        counts = dict.fromkeys(names, Counts())
        outcome: Counter[str] = Counter()
        files = []
        for path in paths:
            payload = landing.read(path)
            # Without its validators: by now the site may have been asked again, and what it said then counts.
            old = replace(payload, landed=path, unchanged=True, etag="", last_modified="")
            files.append(landing.write(folder, 0, old))
            here = [row for row in waiting if row["payload_path"] == path]
            loaded_at = min(row["quarantined_at"] for row in here)
            intakes, found = _read(conn, payload, path, names, run_id, now, loaded_at)
            for one, (new, changed) in found.items():
                counts[one] = Counts(
                    counts[one].parsed + intakes[one].parsed,
                    counts[one].new + new,
                    counts[one].changed + changed,
                    0,
                    counts[one].quarantined + len(intakes[one].refused),
                )
            outcome += _judge(conn, here, intakes, found, run_id, now)
        manifest = Manifest(run_id, data.name, None, now, None, tuple(files), ("refused records read again",))
        sources = dict.fromkeys(names, "+".join(dict.fromkeys(file.source for file in files)))
        record(conn, manifest, counts, sources, now, list(manifest.notes))
        number = conn.execute("select load_number from ops.ingest_runs where run_id = %s", (run_id,)).fetchone()
    landing.loaded(LoadedRun(manifest, now, number[0] if number else 0, late=True))
    return QuarantineResult(
        data.name,
        run_id,
        len(waiting),
        len(paths),
        outcome["resolved"],
        outcome["superseded"],
        outcome["refused"],
        sum(count.new for count in counts.values()),
        sum(count.changed for count in counts.values()),
    )


def _read(
    conn: psycopg.Connection[Any],
    payload: Payload,
    path: str,
    names: list[str],
    run_id: str,
    now: datetime,
    loaded_at: datetime,
) -> tuple[dict[str, Intake], dict[str, tuple[int, int]]]:
    """Parse one payload and load what is missing of it."""
    intakes = {
        name: Intake(
            catalogue()[name],
            VersionedLoad(conn, catalogue()[name], run_id, now),
            current_rows(conn, catalogue()[name]),
            lambda: name_map(conn, now),
        )
        for name in names
    }
    for batch in source(payload.source).batches(payload):
        intakes[batch.dataset].add(batch, payload, path)
    found = {}
    for name, intake in intakes.items():
        intake.finish(limited=False)
        found[name] = intake.load.merge_missing(payload.fetched_at, loaded_at)
    return intakes, found


def _judge(
    conn: psycopg.Connection[Any],
    waiting: list[dict[str, Any]],
    intakes: dict[str, Intake],
    found: dict[str, tuple[int, int]],
    run_id: str,
    now: datetime,
) -> Counter[str]:
    """Write what became of the records of one payload; records that are refused in another form are added."""
    outcome: Counter[str] = Counter()
    still = {name: Counter(_form(entry.record) for entry in intake.refused) for name, intake in intakes.items()}
    for row in waiting:
        form = _form(row["record"])
        if still[row["dataset"]][form]:
            still[row["dataset"]][form] -= 1
            outcome["refused"] += 1
            continue
        state = "resolved" if sum(found[row["dataset"]]) else "superseded"
        outcome[state] += 1
        conn.execute(
            "insert into ops.quarantine_states (quarantine_id, state, run_id, decided_at) values (%s, %s, %s, %s)",
            (row["quarantine_id"], state, run_id, now),
        )
    for name, intake in intakes.items():
        fresh = []
        for entry in intake.refused:
            if still[name][_form(entry.record)]:
                still[name][_form(entry.record)] -= 1
                fresh.append(entry)
        intake.refused = fresh
        intake.store_refused(conn, run_id, now)
    return outcome


def _form(entry: Any) -> str:
    value = json.loads(entry.replace("\\u0000", "")) if isinstance(entry, str) else entry
    return json.dumps(value, sort_keys=True)
