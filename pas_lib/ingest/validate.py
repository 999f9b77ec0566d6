"""From parsed batches to valid rows; what is not valid goes to quarantine with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc

from pas_lib.datasets.base import Dataset
from pas_lib.errors import QuarantineError
from pas_lib.ingest.mapping import SymbolFiller
from pas_lib.sources.base import Batch, Listing, Payload
from pas_lib.warehouse.bitemporal import News, VersionedLoad

if TYPE_CHECKING:
    from pas_lib.datasets.names import NameMap

_CHUNK_ROWS = 50_000
#: So many answers of one source do not all hold nothing by chance.
_MANY_ANSWERS = 10


@dataclass(frozen=True)
class _Refused:
    source: str
    url: str
    path: str
    reason: str
    record: str
    expected: bool = False


@dataclass
class _Buffer:
    """Batches of one source waiting to be staged."""

    tables: list[pa.Table] = field(default_factory=list)
    urls: list[tuple[str, str, int]] = field(default_factory=list)
    mentioned: list[dict[str, Any]] = field(default_factory=list)
    scopes: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0


class Intake:
    """Collects the batches of one dataset and stages them in chunks, so that memory stays bounded.

    Parameters
    ----------
    dataset : Dataset
        Which one.
    load : VersionedLoad
        Where valid rows go.
    current : pyarrow.Table, optional
        Current rows, for datasets that settle their rows against them.
    names : Callable, optional
        Makes the map from names to symbols, for datasets whose sources name companies; called when first needed.
    """

    def __init__(
        self,
        dataset: Dataset,
        load: VersionedLoad,
        current: pa.Table | None = None,
        names: Callable[[], NameMap] | None = None,
    ) -> None:
        self.dataset = dataset
        self.load = load
        self.current = current
        self.parsed = 0
        self.listed = False
        self.refused: list[_Refused] = []
        self.news = News()
        self.sources: dict[str, None] = {}
        #: per source: answers, and what they held
        self.answers: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self._lists: dict[tuple[str, str], list[Listing]] = {}
        self._buffers: dict[str, _Buffer] = {}
        self._fetched_at: datetime | None = None
        self._symbols = SymbolFiller(dataset.named, names) if dataset.named is not None and names is not None else None

    def add(self, batch: Batch, payload: Payload, path: str) -> None:
        """Take what a payload says about this dataset."""
        if self._fetched_at not in (None, payload.fetched_at) and self.dataset.resolve is None:
            # Answers of a collection that was interrupted have come at different times.
            for source, buffer in self._buffers.items():
                self._flush(source, buffer)
        self._fetched_at = payload.fetched_at
        # What is missing, or has changed, is known when the last answer that tells it has come.
        self.load.fetched_at = max(self.load.fetched_at, min(payload.fetched_at, self.load.now))
        self.sources[payload.source] = None
        self.answers[payload.source] += 1
        self.held[payload.source] += batch.num_rows + len(batch.rejects) + batch.listing + batch.missing
        for reject in batch.rejects:
            record = orjson.dumps(dict(reject.record), default=str).decode()
            self.refused.append(_Refused(payload.source, payload.url, path, reject.reason, record, reject.expected))
        self.listed = self.listed or batch.listing
        if batch.listed is not None:
            self._lists.setdefault((payload.source, batch.listed.name), []).append(batch.listed)
        buffer = self._buffers.setdefault(payload.source, _Buffer())
        table = conform(self.dataset, batch)
        if self._symbols is not None:
            table = self._symbols.fill(table)
        if table.num_rows:
            buffer.tables.append(table)
            buffer.urls.append((payload.url, path, table.num_rows))
            buffer.rows += table.num_rows
        buffer.mentioned.extend(batch.mentioned)
        buffer.scopes.extend(batch.scopes)
        if buffer.rows >= _CHUNK_ROWS and self.dataset.resolve is None:
            self._flush(payload.source, buffer)

    def finish(self, *, limited: bool = True) -> None:
        """Stage the rest.

        Parameters
        ----------
        limited : bool
            Whether too many refused rows are an error.

        Raises
        ------
        QuarantineError
            If too large a share of the rows was refused.
        """
        if self.dataset.resolve is not None:
            self._resolve()
        for source, buffer in self._buffers.items():
            self._flush(source, buffer)
        for (source, _), pages in self._lists.items():
            if (whole := _whole(pages)) is not None:
                self.load.add_listing(whole, source)
        invalid = [row for row in self.refused if not row.expected]
        total = self.parsed + len(invalid)
        if limited and total and len(invalid) > self.dataset.max_quarantine_share * total:
            first = invalid[0]
            raise QuarantineError(
                f"{self.dataset.name}: {len(invalid)} of {total} rows are invalid, nothing was loaded;"
                f" the first: {first.reason} in {first.url}"
            )

    def silent(self) -> list[str]:
        """Return the sources with many answers that held nothing at all."""
        return [name for name, count in self.answers.items() if count >= _MANY_ANSWERS and not self.held[name]]

    def notes(self) -> list[str]:
        """Return what people should know: the names that have no symbol, the documents that cannot be read."""
        found = self._symbols.notes() if self._symbols is not None else []
        for (source, name), pages in self._lists.items():
            if _whole(pages) is None:
                found.append(f"the list {name} of {source} has shifted while it was read: it ends nothing")
        unread = [row for row in self.refused if row.expected]
        if unread:
            found.append(
                f"{len(unread)} listed in quarantine, not read; the first: {unread[0].reason}, {unread[0].url}"
            )
        return found

    def _resolve(self) -> None:
        """Settle the rows of all sources against what is current, together."""
        if self.dataset.resolve is None or self.current is None:
            return
        sources = [source for source, buffer in self._buffers.items() if buffer.tables]
        if not sources:
            return
        marked = []
        for source in sources:
            buffer = self._buffers[source]
            table = pa.concat_tables(buffer.tables)
            marked.append(
                table.append_column("_source", pa.repeat(source, table.num_rows)).append_column(
                    "_url", _repeat_urls(buffer.urls)
                )
            )
        settled = self.dataset.resolve(pa.concat_tables(marked), self.current)
        for source in sources:
            rows = settled.filter(pc.equal(settled.column("_source"), source))
            buffer = self._buffers[source]
            buffer.urls = [(url, "", 1) for url in rows.column("_url").to_pylist()]
            buffer.tables = [rows.drop_columns(["_source", "_url"])] if rows.num_rows else []
            buffer.rows = rows.num_rows

    def _flush(self, source: str, buffer: _Buffer) -> None:
        if self._fetched_at is None:
            return
        if buffer.tables:
            table = pa.concat_tables(buffer.tables).combine_chunks()
            urls = _repeat_urls(buffer.urls)
            bad, reasons = find_invalid(self.dataset, table)
            if reasons:
                self._refuse(source, table, buffer.urls, reasons)
                valid = pc.invert(bad)
                refused = table.filter(bad)
                complete = [pc.is_valid(refused.column(name)) for name in self.dataset.key]
                mask = complete[0]
                for part in complete[1:]:
                    mask = pc.and_(mask, part)
                # A refused row says nothing about the one that is known under its key.
                self.load.add_mentioned(refused.filter(mask), source)
                table, urls = table.filter(valid), urls.filter(valid)
            self.parsed += table.num_rows
            if table.num_rows:
                self.load.add(table, urls, source, self._fetched_at)
        if buffer.mentioned:
            self.load.add_mentioned(self.dataset.records_table(buffer.mentioned), source)
        if buffer.scopes:
            self.load.add_scopes(self.dataset.scope_table(buffer.scopes), source)
        self._buffers[source] = _Buffer()

    def _refuse(self, source: str, table: pa.Table, urls: list[tuple[str, str, int]], reasons: dict[int, str]) -> None:
        ends: list[int] = []
        total = 0
        for _, _, count in urls:
            total += count
            ends.append(total)
        at = 0
        for index in sorted(reasons):
            while index >= ends[at]:
                at += 1
            record = orjson.dumps(table.slice(index, 1).to_pylist()[0], default=str).decode()
            self.refused.append(_Refused(source, urls[at][0], urls[at][1], reasons[index], record))

    def store_refused(self, conn: psycopg.Connection[Any], run_id: str, now: datetime) -> None:
        """Write refused rows to quarantine."""
        statement = (
            "copy ops.quarantine (dataset, source, run_id, source_url, payload_path, reason, record, quarantined_at)"
            " from stdin"
        )
        if not self.refused:
            return
        with conn.cursor() as cursor, cursor.copy(statement) as copy:
            for row in self.refused:
                # PostgreSQL's JSON cannot hold a NUL; the payload in the landing still does.
                record = row.record.replace("\\u0000", "")
                copy.write_row((self.dataset.name, row.source, run_id, row.url, row.path, row.reason, record, now))


def _whole(pages: list[Listing]) -> Listing | None:
    """Return a list made of its pages; None where they do not hold what is counted."""
    named = frozenset[str]().union(*(page.documents for page in pages))
    if {page.total for page in pages} != {len(named)}:
        return None
    return replace(pages[0], documents=named)


def _repeat_urls(urls: list[tuple[str, str, int]]) -> pa.Array:
    values = pa.array([entry[0] for entry in urls], pa.string())
    counts = [entry[2] for entry in urls]
    positions = pa.array([i for i, count in enumerate(counts) for _ in range(count)], pa.int32())
    return values.take(positions)


def conform(dataset: Dataset, batch: Batch) -> pa.Table:
    """Return a batch's rows with exactly the dataset's columns; absent ones are NULL, NaN and infinity become NULL."""
    table = batch.table
    if batch.records:
        records = dataset.records_table(batch.records)
        table = records if table is None else pa.concat_tables([records, conform(dataset, Batch("", table=table))])
    if table is None:
        return dataset.schema.empty_table()
    columns = {}
    for column in dataset.schema:
        if column.name not in table.column_names:
            columns[column.name] = pa.nulls(table.num_rows, column.type)
            continue
        values = table.column(column.name)
        if values.type != column.type:
            values = values.cast(column.type)
        if column.type == pa.float64():
            values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))
        columns[column.name] = values
    for own in dataset.columns:
        if own.default is not None:
            columns[own.name] = pc.fill_null(columns[own.name], own.default)
    return pa.table(columns, schema=dataset.schema)


def find_invalid(dataset: Dataset, table: pa.Table) -> tuple[pa.Array, dict[int, str]]:
    """Return which rows are invalid and why (index -> first reason)."""
    needed = list(dict.fromkeys(("event_date", *dataset.key)))
    needed += [column.name for column in dataset.columns if column.required and column.name not in needed]
    reasons: dict[int, str] = {}
    masks = [(f"{name} is missing", pc.is_null(table.column(name))) for name in needed if name != dataset.ordinal]
    texts = [column.name for column in dataset.columns if column.type == "text"]
    masks += [
        (f"{name} holds a NUL character", pc.fill_null(pc.match_substring(table.column(name), "\x00"), False))
        for name in texts
    ]
    masks += [(rule.reason, pc.fill_null(_flat(rule.broken(table)), False)) for rule in dataset.rules]
    bad: Any = None
    for reason, found in masks:
        mask = _flat(found)
        bad = mask if bad is None else pc.or_(bad, mask)
        if pc.any(mask).as_py():
            for index in pc.indices_nonzero(mask).to_pylist():
                reasons.setdefault(index, reason)
    return bad, reasons


def _flat(values: Any) -> Any:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
