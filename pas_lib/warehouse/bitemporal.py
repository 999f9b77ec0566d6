# ruff: noqa: S608 - identifiers come from the dataset catalogue, values are bound
"""The versioned load into ``raw``: set-based, append-only, exactly what changed.

Rows are copied into a temporary table; one statement compares them with the latest version of each key and inserts
what is new or different; another inserts a tombstone for each known row of the stated scope that is gone. Everything
happens in the caller's transaction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import Dataset
from pas_lib.errors import PayloadError
from pas_lib.sources.base import Listing
from pas_lib.warehouse.connection import copy_arrow, trusted

_ANALYZE_FROM = 20_000
_VANISH_FLOOR = 50
_VANISH_DOCUMENTS = 5


@dataclass(frozen=True)
class Counts:
    """What a load did to one table.

    Parameters
    ----------
    parsed : int
        Rows in the payloads, without quarantined ones.
    new, changed, deleted : int
        Versions inserted: of unknown keys, of known keys with other values, tombstones.
    quarantined : int
        Rows refused.
    """

    parsed: int = 0
    new: int = 0
    changed: int = 0
    deleted: int = 0
    quarantined: int = 0

    @property
    def touched(self) -> int:
        """Rows inserted."""
        return self.new + self.changed + self.deleted


@dataclass(frozen=True)
class Overruled:
    """A gate on the number of rows that a person's word has opened.

    Parameters
    ----------
    dataset : str
        Which one.
    gate : {"count", "vanished"}
        Far fewer rows than the collection before, or too many known rows gone.
    found, before : int
        Rows parsed and those of the collection before, or rows gone and those known.
    """

    dataset: str
    gate: Literal["count", "vanished"]
    found: int
    before: int


@dataclass(frozen=True)
class News:
    """How new a load is.

    Parameters
    ----------
    newest_at : datetime or None
        Time of its newest row by the dataset's measure (a date: its midnight in New York).
    content : str or None
        Digest of all it says, for captures that state no time.
    """

    newest_at: datetime | None = None
    content: str | None = None


def content_hashes(dataset: Dataset, table: pa.Table) -> pa.Array:
    """Return a hash of the hashed columns per row: 16 hexadecimal digits.

    Numbers with a stated number of significant digits are compared at those digits. NULL differs from every value.
    """
    parts: list[pa.Array] = []
    for column in dataset.columns:
        if not column.hashed or column.name in dataset.key:
            continue
        values = table.column(column.name).combine_chunks()
        if column.digits is not None:
            values = _significant(values, column.digits)
        parts.append(values.cast(pa.string()))
    if not parts:
        return pa.repeat("0" * 16, table.num_rows)
    joined = pc.binary_join_element_wise(*parts, "\x1f", null_handling="replace", null_replacement="\x00")
    blake = hashlib.blake2b
    return pa.array([blake(text.encode(), digest_size=8).hexdigest() for text in joined.to_pylist()], pa.string())


def _significant(values: pa.Array, digits: int) -> pa.Array:
    numbers = values.to_numpy(zero_copy_only=False)
    with np.errstate(divide="ignore", invalid="ignore"):
        magnitude = np.floor(np.log10(np.abs(numbers)))
        scale = np.power(10.0, digits - 1 - np.where(np.isfinite(magnitude), magnitude, 0.0))
        rounded = np.round(numbers * scale) / scale
    return pa.array(np.where(np.isfinite(numbers), rounded, np.nan), from_pandas=True)


class VersionedLoad:
    """A load of one dataset inside a transaction.

    Parameters
    ----------
    conn : psycopg.Connection
        Its transaction is the load's.
    dataset : Dataset
        Target.
    run_id : str
        Stamped on every row.
    now : datetime
        Ingestion time.
    fetched_at : datetime, optional
        When the answers were fetched, where that was earlier: ``known_at`` of changed versions and tombstones, unless
        the rule gives a later one.
    table : str, optional
        Another table of the same shape instead of the dataset's own.
    accepts_fewer : bool
        A person says that it is true when many known rows are gone: it is told in ``overruled`` and no error.
    """

    def __init__(
        self,
        conn: psycopg.Connection[Any],
        dataset: Dataset,
        run_id: str,
        now: datetime,
        table: str | None = None,
        *,
        fetched_at: datetime | None = None,
        accepts_fewer: bool = False,
    ) -> None:
        self.conn = conn
        self.dataset = dataset
        self.run_id = run_id
        self.now = now
        self.fetched_at = min(now, fetched_at or now)
        self.table = table or dataset.table
        self.stage = f"stage_{dataset.name}"
        self.scope = f"scope_{dataset.name}"
        self.staged = 0
        self.accepts_fewer = accepts_fewer
        self.overruled: list[Overruled] = []
        self._scopes = 0
        self._listings: list[tuple[str, Listing]] = []
        own = ", ".join(f"{column.name} {column.type}" for column in dataset.columns)
        parts = ", ".join(f"{field.name} {_sql_type(field.type)}" for field in dataset.scope_schema)
        conn.execute(trusted(f"drop table if exists pg_temp.{self.stage}, pg_temp.{self.scope}"))
        conn.execute(
            trusted(
                f"create temporary table {self.stage} (seq bigint generated always as identity, is_stated boolean"
                f" not null, source text not null, source_url text, event_date date, known_at timestamptz,"
                f" content_hash text, {own}) on commit drop"
            )
        )
        conn.execute(trusted(f"create temporary table {self.scope} (source text not null, {parts}) on commit drop"))

    def add(self, table: pa.Table, source_url: pa.Array, source: str, fetched_at: datetime) -> None:
        """Stage valid rows (event date and own columns)."""
        staged = (
            table.append_column("is_stated", pa.repeat(True, table.num_rows))
            .append_column("source", pa.repeat(source, table.num_rows))
            .append_column("source_url", source_url)
            .append_column("known_at", self.dataset.known_at(table, fetched_at))
            .append_column("content_hash", content_hashes(self.dataset, table))
        )
        copy_arrow(self.conn, staged, self.stage)
        self.staged += table.num_rows

    def add_mentioned(self, table: pa.Table, source: str) -> None:
        """Stage keys about which nothing is concluded."""
        if table.num_rows:
            keys = [name for name in table.column_names if name in self.dataset.key]
            staged = table.select(keys)
            staged = staged.append_column("is_stated", pa.repeat(False, table.num_rows))
            copy_arrow(self.conn, staged.append_column("source", pa.repeat(source, table.num_rows)), self.stage)

    def add_scopes(self, table: pa.Table, source: str) -> None:
        """Stage the parts of the key space that were stated completely."""
        if table.num_rows:
            copy_arrow(self.conn, table.append_column("source", pa.repeat(source, table.num_rows)), self.scope)
            self._scopes += table.num_rows

    def add_listing(self, listing: Listing, source: str) -> None:
        """Take a complete list of documents: rows of those it would name and does not have vanished."""
        if self.dataset.document is None or self.dataset.document_day is None:
            raise ValueError(f"{self.dataset.name} has no documents")
        self._listings.append((source, listing))

    def merge(self) -> tuple[int, int, int]:
        """Insert new and changed versions and tombstones.

        Returns
        -------
        tuple of int
            New, changed, deleted.

        Raises
        ------
        PayloadError
            If an implausible share of the known rows would vanish.
        """
        data = self.dataset
        if data.ordinal:
            self._number()
        self.conn.execute(trusted(f"analyze {self.stage}"))
        deleted = self._tombstones() if self._scopes else 0
        deleted += self._unlisted()
        key = ", ".join(f"s.{name}" for name in data.key)
        own = ", ".join(column.name for column in data.columns if column.name != "event_date")
        picked = ", ".join(f"d.{column.name}" for column in data.columns if column.name != "event_date")
        same = " and ".join(f"r.{name} = s.{name}" for name in data.key)
        values = {"now": self.now, "run": self.run_id, "fetched": self.fetched_at}
        insert = (
            f"insert into {self.table} (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,"
            f" is_deleted, {own})"
        )
        incoming = (
            f"select distinct on ({key}, s.source) s.* from {self.stage} s where s.is_stated"
            f" order by {key}, s.source, s.seq desc"
        )
        empty = self.conn.execute(trusted(f"select not exists (select 1 from {self.table})")).fetchone()
        first = "d.before is null"
        if data.subject and deleted:
            about = " and ".join(f"g.{name} = d.{name}" for name in data.subject)
            first += (
                f" and not exists (select 1 from {self.table} g where {about} and g.source = d.source"
                " and g.is_deleted and g.run_id = %(run)s)"
            )
        if empty and empty[0]:
            # There is nothing to compare with: half the time of a first load.
            statement = f"""
                {insert} select d.source, d.event_date, d.known_at, %(now)s, d.source_url, %(run)s, d.content_hash,
                                false, {picked} from ({incoming}) d
            """
            new, changed = self.conn.execute(trusted(statement), values).rowcount, 0
        else:
            statement = f"""
                with diff as materialized (
                    select s.*, latest.known_at as before from ({incoming}) s
                    left join lateral (
                        select r.known_at, r.content_hash, r.is_deleted from {self.table} r
                        where {same} and r.source = s.source order by r.known_at desc, r.row_id desc limit 1
                    ) latest on true
                    where latest.known_at is null or latest.is_deleted or latest.content_hash <> s.content_hash
                ), added as (
                    {insert}
                    select d.source, d.event_date,
                           case when {first} then d.known_at else greatest(d.known_at, d.before, %(fetched)s) end,
                           %(now)s, d.source_url, %(run)s, d.content_hash, false, {picked}
                    from diff d
                )
                select count(*) filter (where before is null), count(*) filter (where before is not null) from diff
            """
            found = self.conn.execute(trusted(statement), values).fetchone()
            new, changed = found or (0, 0)
        if new >= _ANALYZE_FROM:
            # The planner must not go on believing that the table is empty until autovacuum comes by.
            self.conn.execute(trusted(f"analyze {self.table}"))
        return int(new), int(changed), deleted

    def news(self, fetched_at: datetime) -> News:
        """Return how new the staged rows are; what lies after the fetch (expected dates) is no news."""
        by = self.dataset.moves_by
        if by is None or not self.staged:
            return News()
        if by == "content":
            named = [c for c in self.dataset.key if c != "event_date" and self.dataset.column(c).type != "date"]
            parts = ", ".join([*(f"{name}::text" for name in named), "content_hash"])
            found = self.conn.execute(
                trusted(
                    f"select md5(string_agg(md5(concat_ws('|', {parts})), '' order by md5(concat_ws('|', {parts}))))"
                    f" from {self.stage} where is_stated"
                )
            ).fetchone()
            return News(content=found[0] if found else None)
        known = "known_at" if by == "known_at" else "event_date::timestamp at time zone 'America/New_York'"
        found = self.conn.execute(
            trusted(f"select max({known}) from {self.stage} where is_stated and {known} <= %s"), (fetched_at,)
        ).fetchone()
        return News(newest_at=found[0] if found else None)

    def merge_missing(self, fetched_at: datetime, loaded_at: datetime) -> tuple[int, int]:
        """Insert what was staged from an old payload and is missing: unknown keys, and values newer than all versions.

        Parameters
        ----------
        fetched_at : datetime
            When the payload was fetched: from then on a changed value was known.
        loaded_at : datetime
            When the rest of the payload was loaded: versions that came then or later are newer.

        Returns
        -------
        tuple of int
            New, changed.
        """
        data = self.dataset
        if data.ordinal:
            self._number()
        key = ", ".join(f"s.{name}" for name in data.key)
        own = ", ".join(column.name for column in data.columns if column.name != "event_date")
        picked = ", ".join(f"d.{column.name}" for column in data.columns if column.name != "event_date")
        same = " and ".join(f"r.{name} = s.{name}" for name in data.key)
        statement = f"""
            with diff as materialized (
                select s.*, latest.known_at as before
                from (
                    select distinct on ({key}, s.source) s.* from {self.stage} s where s.is_stated
                    order by {key}, s.source, s.seq desc
                ) s
                left join lateral (
                    select r.known_at, r.ingested_at, r.content_hash, r.is_deleted from {self.table} r
                    where {same} and r.source = s.source order by r.known_at desc, r.row_id desc limit 1
                ) latest on true
                where latest.known_at is null
                   or (latest.ingested_at < %(loaded)s
                       and (latest.is_deleted or latest.content_hash <> s.content_hash))
            ), added as (
                insert into {self.table} (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,
                                          is_deleted, {own})
                select d.source, d.event_date,
                       case when d.before is null then d.known_at else greatest(d.known_at, d.before, %(fetched)s) end,
                       %(now)s, d.source_url, %(run)s, d.content_hash, false, {picked}
                from diff d
            )
            select count(*) filter (where before is null), count(*) filter (where before is not null) from diff
        """
        values = {"now": self.now, "run": self.run_id, "fetched": fetched_at, "loaded": loaded_at}
        found = self.conn.execute(trusted(statement), values).fetchone()
        return (int(found[0]), int(found[1])) if found else (0, 0)

    def _number(self) -> None:
        """Set the ordinal of otherwise equal rows over all payloads, by content: their order must not matter.

        Sources that number their rows themselves are left alone.
        """
        data = self.dataset
        group = ", ".join(name for name in ("source", *data.key) if name != data.ordinal)
        self.conn.execute(
            trusted(
                f"update {self.stage} s set {data.ordinal} = n.number from (select seq, row_number() over"
                f" (partition by {group} order by content_hash, seq) - 1 as number from {self.stage}"
                f" where is_stated and source <> all(%s)) n where n.seq = s.seq"
                f" and s.{data.ordinal} is distinct from n.number"
            ),
            (list(data.numbered_by),),
        )

    def _not_staged(self) -> str:
        """Return the condition that no row of the load has the key of the row ``g``."""
        same = " and ".join(f"s.{name} = g.{name}" for name in self.dataset.key)
        return f"not exists (select 1 from {self.stage} s where s.source = g.source and {same})"

    def _added_tombstones(self) -> str:
        """Return the part of a statement that ends the rows ``gone``, as of when that was seen."""
        names = [column.name for column in self.dataset.columns if column.name != "event_date"]
        return f"""added as (
                insert into {self.table} (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,
                                          is_deleted, {", ".join(names)})
                select g.source, g.event_date, greatest(g.known_at, %(fetched)s), %(now)s, g.source_url, %(run)s,
                       g.content_hash, true, {", ".join(f"g.{name}" for name in names)}
                from gone g
            )"""

    def _tombstones(self) -> int:
        data = self.dataset
        keys = ", ".join(f"r.{name}" for name in data.key)
        parts = "".join(f" and (c.{name} is null or r.{name} = c.{name})" for name in data.scope_columns)
        if data.scope_columns and not self._has_open_parts():
            parts = "".join(f" and r.{name} = c.{name}" for name in data.scope_columns)
        statement = f"""
            with latest as (
                select distinct on (r.source, {keys}) r.* from {self.table} r
                join (select distinct * from {self.scope}) c on r.source = c.source{parts}
                     and (c.scope_start is null or r.event_date >= c.scope_start)
                     and (c.scope_end is null or r.event_date <= c.scope_end)
                order by r.source, {keys}, r.known_at desc, r.row_id desc
            ), gone as materialized (
                select g.* from latest g where not g.is_deleted
                and {self._not_staged()}
            ), {self._added_tombstones()}
            select l.source, count(*), (select count(*) from gone g where g.source = l.source)
            from latest l where not l.is_deleted group by l.source order by l.source
        """
        self.conn.execute(trusted(f"analyze {self.scope}"))
        values = {"now": self.now, "run": self.run_id, "fetched": self.fetched_at}
        by_source = self.conn.execute(trusted(statement), values).fetchall()
        total = sum(gone for _, _, gone in by_source)
        # Beside another source's rows those of one would not be missed.
        together = (None, sum(known for _, known, _ in by_source), total)
        for source, known, gone in (together, *by_source):
            if gone > _VANISH_FLOOR and gone > data.max_vanished_share * known:
                self._refuse_vanishing(source, gone, known)
                break
        return int(total)

    def _unlisted(self) -> int:
        """End the rows of documents that are not on any of the lists of their source."""
        data = self.dataset
        keys = ", ".join(f"r.{name}" for name in data.key)
        statement = f"""
            with latest as (
                select distinct on ({keys}) r.* from {self.table} r where r.source = %(source)s
                order by {keys}, r.known_at desc, r.row_id desc
            ), covered as materialized (
                select * from latest g where not g.is_deleted and g.{data.document} <> ''
                and strpos(g.source_url, %(within)s) > 0
                and (%(since)s::date is null or g.{data.document_day} >= %(since)s::date)
                and (%(until)s::date is null or g.{data.document_day} <= %(until)s::date)
            ), gone as materialized (
                select g.* from covered g where not (g.{data.document} = any(%(named)s))
                and {self._not_staged()}
            ), {self._added_tombstones()}
            select (select count(*) from gone), (select count(*) from covered),
                   (select count(distinct {data.document}) from gone),
                   (select count(distinct {data.document}) from covered)
        """
        total = 0
        for source, listing in self._listings:
            # A document may have moved to another list.
            named = set().union(*(other.documents for name, other in self._listings if name == source))
            found = self.conn.execute(
                trusted(statement),
                {
                    "source": source,
                    "within": listing.within,
                    "since": listing.since,
                    "until": listing.until,
                    "named": sorted(named),
                    "now": self.now,
                    "run": self.run_id,
                    "fetched": self.fetched_at,
                },
            ).fetchone()
            gone, known, documents, of = found or (0, 0, 0, 0)
            many = documents > _VANISH_DOCUMENTS and documents > data.max_vanished_share * of
            if many or (gone > _VANISH_FLOOR and gone > data.max_vanished_share * known) or documents == of > 1:
                self._refuse_vanishing(source, gone, known)
            total += gone
        return int(total)

    def _refuse_vanishing(self, source: str | None, gone: int, known: int) -> None:
        """Refuse that so many rows (of one source) vanish, unless a person has said that it is true."""
        name = self.dataset.name
        if not self.accepts_fewer:
            where = f"{name}, {source}" if source else name
            raise PayloadError(
                f"{where}: {gone} of {known} known rows would vanish; nothing was loaded",
                hint="the site's answer is probably incomplete; if it is true: --accept-rows",
            )
        self.overruled.append(Overruled(name, "vanished", gone, known))

    def _has_open_parts(self) -> bool:
        test = " or ".join(f"{name} is null" for name in self.dataset.scope_columns)
        found = self.conn.execute(trusted(f"select exists (select 1 from {self.scope} where {test})")).fetchone()
        return bool(found and found[0])


def _sql_type(kind: pa.DataType) -> str:
    return {pa.string(): "text", pa.date32(): "date"}[kind]
