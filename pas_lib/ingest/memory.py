"""What a collection remembers: answers of an interrupted run, and validators of earlier ones.

Validators are rows of ``ops.cache``, written in the transaction that loads the answers they belong to: a site is only
ever asked whether something changed that is in ``raw``. Error bodies and challenge pages are never landed, so they are
never remembered either. While PostgreSQL is away nothing is known, and every question is asked plainly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from pas_lib.datasets.base import Dataset
from pas_lib.errors import PasError, TableMissing, WarehouseUnavailable
from pas_lib.landing import Landing, Manifest
from pas_lib.sources import Payload
from pas_lib.sources.http import Known

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

#: A validator that was of no use for so long is forgotten: addresses hold dates, and most are asked once.
_FORGET_AFTER = timedelta(days=45)

_KNOWN = "select cache_key, etag, last_modified, path, sha256 from ops.cache where dataset = %s"
_STORE = """
    insert into ops.cache (dataset, cache_key, source, url, etag, last_modified, path, sha256, bytes, run_id, stored_at,
                           used_at)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    on conflict (dataset, cache_key) do update set
        etag = excluded.etag, last_modified = excluded.last_modified, path = excluded.path, sha256 = excluded.sha256,
        bytes = excluded.bytes, run_id = excluded.run_id, stored_at = excluded.stored_at, used_at = excluded.used_at
"""


class RunMemory:
    """The memory of one collection.

    Parameters
    ----------
    landing : Landing
        Where the bytes are.
    known : Mapping
        Validators by the identity of the question.
    answers : Mapping
        Paths of what this run has landed already, by the identity of the question.
    """

    def __init__(
        self, landing: Landing, known: Mapping[str, Known] | None = None, answers: Mapping[str, str] | None = None
    ) -> None:
        self._landing = landing
        self._known = dict(known or {})
        self._answers = dict(answers or {})

    def answered(self, key: str) -> Payload | None:
        """Return the answer this run has landed already."""
        path = self._answers.get(key)
        if path is None:
            return None
        return replace(self._landing.read(path), landed=path)

    def known(self, key: str) -> Known | None:
        """Return the validators of an earlier answer."""
        return self._known.get(key)

    def earlier(self, known: Known) -> Payload | None:
        """Return an earlier answer, unless it is gone or not what it was."""
        try:
            payload = self._landing.read(known.path)
        except PasError:
            return None
        return payload if hashlib.sha256(payload.body).hexdigest() == known.sha256 else None


def validators(data: Dataset, warehouse: Warehouse) -> dict[str, Known]:
    """Return what is known of earlier answers of a dataset.

    Nothing where the fetch itself is the datum (a site without history: each capture counts), and nothing while
    PostgreSQL is away.
    """
    if data.history == "none":
        return {}
    try:
        rows = warehouse.rows(_KNOWN, (data.name,))
    except (WarehouseUnavailable, TableMissing):
        return {}
    return {row["cache_key"]: Known(row["etag"], row["last_modified"], row["path"], row["sha256"]) for row in rows}


def store_validators(conn: psycopg.Connection[Any], manifest: Manifest, now: datetime) -> None:
    """Remember the validators of a run's answers, and forget old ones; in the transaction that loads its rows."""
    rows = [
        (
            manifest.dataset,
            file.key,
            file.source,
            file.url,
            file.etag,
            file.last_modified,
            file.path,
            file.sha256,
            file.size,
            manifest.run_id,
            now,
            now,
        )
        for file in manifest.files
        if file.key and (file.etag or file.last_modified)
    ]
    if rows:
        with conn.cursor() as cursor:
            cursor.executemany(_STORE, rows)
    conn.execute("delete from ops.cache where dataset = %s and used_at < %s", (manifest.dataset, now - _FORGET_AFTER))
