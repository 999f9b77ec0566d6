"""``/quarantine``: refused records, why they were refused, and what became of them; ``/freshness``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import SecretStr

from api import freshness, models, queries
from api.dependencies import Read, world_now
from api.errors import NotFound
from api.listing import Paged, Whole
from api.store import Reader
from pas_lib.errors import PasError
from pas_lib.landing import Landing
from pas_lib.settings import Settings

router = APIRouter(tags=["collection"])

#: Characters of a payload shown around a refused record.
EXCERPT = 600

_RECORDS = """
select q.quarantine_id, q.dataset, q.source, q.run_id, q.source_url, q.payload_path, q.reason, q.record,
       q.quarantined_at, coalesce(s.state, 'open') as state, s.decided_at, s.run_id as decided_by
from ops.quarantine q
left join (
    select quarantine_id, state, decided_at, run_id,
           row_number() over (partition by quarantine_id order by state_id desc) as place
    from ops.quarantine_states
) s on s.quarantine_id = q.quarantine_id and s.place = 1
"""
_FILTERS = {
    "dataset": "q.dataset = %(dataset)s",
    "source": "q.source = %(source)s",
    "reason": "position(lower(%(reason)s) in lower(q.reason)) > 0",
    "state": "coalesce(s.state, 'open') = %(state)s",
}


@router.get("/quarantine")
def list_quarantine(
    read: Read,
    window: Paged,
    dataset: Annotated[str | None, Query(max_length=100)] = None,
    source: Annotated[str | None, Query(max_length=100)] = None,
    reason: Annotated[str | None, Query(max_length=200, description="part of the reason")] = None,
    state: Annotated[Literal["open", "resolved", "superseded", "all"], Query()] = "open",
) -> models.Listing[models.Refused]:
    """List refused records, the newest first."""
    wanted = {"dataset": dataset, "source": source, "reason": reason, "state": None if state == "all" else state}
    given = {name: value for name, value in wanted.items() if value is not None}
    where = " and ".join(_FILTERS[name] for name in given) or "true"

    statement = f"{_RECORDS} where {where}"
    return window.pick(read(lambda r: window.page_of(r, models.Refused, statement, given, own="quarantine_id desc")))


@router.get("/quarantine/{quarantine_id}")
def one_record(request: Request, read: Read, quarantine_id: int) -> models.RefusedDetail:
    """Show one refused record with the part of its payload it stood in."""

    def answer(reader: Reader) -> dict[str, Any] | None:
        return reader.first(f"{_RECORDS} where q.quarantine_id = %(id)s", {"id": quarantine_id})

    row = read(answer)
    if row is None:
        raise NotFound(f"there is no refused record {quarantine_id}")
    row = {**row, "record": queries.as_json(row["record"])}
    excerpt, note = _excerpt(row, request.app.state.settings)
    return models.RefusedDetail(**row, excerpt=excerpt, note=note)


@router.get("/freshness")
def list_freshness(request: Request, read: Read, window: Whole) -> models.FreshnessList:
    """Tell how old each dataset is, and which are older than tolerated."""
    now = world_now(request)

    def answer(reader: Reader) -> models.FreshnessList:
        found = freshness.datasets(reader, now)
        return models.FreshnessList(records=[models.DatasetAge(**vars(one)) for one in found])

    return window.cut(read(answer))


def _excerpt(row: dict[str, Any], settings: Settings) -> tuple[str | None, str]:
    """Return the part of the payload around the record, without anything that is a credential here."""
    if not row["payload_path"]:
        return None, "the record was settled over several payloads"
    try:
        body = Landing(settings.landing_url).read(row["payload_path"]).body.decode("utf-8", "replace")
    except PasError as error:
        return None, str(error)
    texts = sorted((v for v in row["record"].values() if isinstance(v, str) and len(v) > 3), key=len, reverse=True)
    at = next((place for place in (body.find(text) for text in texts) if place >= 0), 0)
    start = max(0, at - EXCERPT // 2)
    shown = body[start : start + EXCERPT]
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr) and value.get_secret_value():
            shown = shown.replace(value.get_secret_value(), "***")
    return "".join(c if c.isprintable() or c == "\n" else " " for c in shown), ""
