"""How old each dataset is, and whether that is too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from api.store import Reader
from pas_lib.ingest.freshness import LAST_COLLECTED, ages


@dataclass(frozen=True)
class Freshness:
    """One dataset's last load.

    Attributes
    ----------
    dataset : str
        Its name.
    status : str or None
        Outcome of its latest run; None before the first.
    finished_at : datetime or None
        When the latest run ended.
    loaded_at : datetime or None
        When a run last succeeded.
    watermark : date or None
        Latest event date loaded; where the load states none, the session it was made for.
    rows_new, rows_quarantined : int
        Of the latest run.
    behind_days : float or None
        Days since the last good collection.
    tolerance_days : float
        How many the catalogue allows.
    is_stale : bool
        Whether that is more than the dataset tolerates, nothing was ever loaded, or its site says nothing new.
    newest_at : datetime or None
        Time of the newest thing its site said, where the dataset has a measure for that.
    why : str
        Why it is stale; empty where it is not.
    note : str or None
        What the latest run had to say.
    """

    dataset: str
    status: str | None
    finished_at: datetime | None
    loaded_at: datetime | None
    watermark: date | None
    rows_new: int
    rows_quarantined: int
    behind_days: float | None
    tolerance_days: float
    is_stale: bool
    note: str | None
    newest_at: datetime | None = None
    why: str = ""


_LATEST = """
select r.dataset, r.status, r.finished_at, r.rows_new, r.rows_quarantined, r.note, g.loaded_at, g.watermark
from ops.ingest_runs r
join (select dataset, max(started_at) as started_at from ops.ingest_runs group by dataset) l
  on l.dataset = r.dataset and l.started_at = r.started_at
left join (
    select dataset, max(finished_at) as loaded_at, max(coalesce(watermark, session)) as watermark
    from ops.ingest_runs where status in ('loaded', 'unchanged') group by dataset
) g on g.dataset = r.dataset
order by r.dataset, r.source, r.run_id
"""


def datasets(reader: Reader, now: datetime) -> list[Freshness]:
    """Return every dataset of the catalogue with the outcome of its latest run.

    Parameters
    ----------
    reader : Reader
    now : datetime
        The machine's time; only used where nothing tells which session is current.
    """
    from pas_lib.datasets import catalogue

    # The sandbox's world has a time of its own: what is late is late against the newest collection of any dataset.
    if reader.scalar("select origin from ops.warehouse_identity") == "sandbox":
        now = reader.scalar("select max(started_at) from ops.ingest_runs") or now
    judged = {one.dataset: one for one in ages(reader.records(LAST_COLLECTED), now)}
    latest = {row["dataset"]: row for row in reader.records(_LATEST)}
    found = []
    for name, dataset in catalogue().items():
        row = latest.get(name)
        if row is None:
            tolerance = dataset.tolerance.total_seconds() / 86_400
            found.append(
                Freshness(name, None, None, None, None, 0, 0, None, tolerance, True, None, None, judged[name].why)
            )
            continue
        watermark: date | None = row["watermark"]
        age = judged[name].age
        found.append(
            Freshness(
                dataset=name,
                status=row["status"],
                finished_at=row["finished_at"],
                loaded_at=row["loaded_at"],
                watermark=watermark,
                rows_new=row["rows_new"],
                rows_quarantined=row["rows_quarantined"],
                behind_days=None if age is None else age.total_seconds() / 86_400,
                tolerance_days=dataset.tolerance.total_seconds() / 86_400,
                is_stale=judged[name].is_stale,
                note=row["note"],
                newest_at=judged[name].newest_at,
                why=judged[name].why,
            )
        )
    return found
