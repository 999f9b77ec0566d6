"""Parse a payload from a file, for `pas parse`."""

from __future__ import annotations

import gzip
import re
import zlib
from contextlib import suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from pas_lib.clock import NY
from pas_lib.datasets import dataset as dataset_named
from pas_lib.datasets.base import Dataset
from pas_lib.datasets.names import NameMap
from pas_lib.errors import PayloadError
from pas_lib.ingest.mapping import SymbolFiller
from pas_lib.ingest.validate import conform
from pas_lib.landing import is_landed, split
from pas_lib.sources import Payload, Source, all_sources
from pas_lib.sources import source as source_named
from pas_lib.sources.base import UNKNOWN_TIME, excerpt

_GZIP = b"\x1f\x8b"
_DAY = re.compile(r"20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])")
_MARKET_TIME = re.compile(rb'"regularMarketTime":\s*(\d+)')


def parse_file(dataset: str, path: Path | str, source: str | None = None) -> list[dict[str, Any]]:
    """Return the records of a payload in a file.

    The site's format is recognised by the content. What a request would have told the parser (which series, which
    index) is taken from the payload, and where it does not say so, from the file's name.

    Parameters
    ----------
    dataset : str
        Which dataset the payload is read as.
    path : path
        A payload as received, plain or gzipped, or a file of the landing.
    source : str, optional
        Site module to use instead of the recognised one.

    Returns
    -------
    list of dict
        ``event_date`` and the dataset's own columns.

    Raises
    ------
    PayloadError
        If it is no payload of this dataset, or an error body.
    """
    data = dataset_named(dataset)
    place = Path(path)
    try:
        content = place.read_bytes()
    except OSError as error:
        raise PayloadError(f"{place} cannot be read: {error.strerror}") from None
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            raise PayloadError(f"{place} is compressed, but damaged or cut off") from None
    if is_landed(content):
        payload = split(content, str(place))
        site = source_named(source or payload.source)
    else:
        site = source_named(source) if source else _recognise(data, content, place)
        payload = Payload(
            source=site.name,
            dataset=data.leader or data.name,
            label=place.stem,
            url=place.name,
            status=200,
            content_type="",
            fetched_at=_fetched_at(data, content, place),
            context=_context(data, place),
            body=content,
        )
    batches = [batch for batch in site.parse(payload) if batch.dataset == data.name]
    for batch in batches:
        if batch.missing:
            raise payload.error(batch.note or "not known to the site")
        if batch.rejects and not batch.num_rows:
            raise payload.error(f"no row can be read: {batch.rejects[0].reason}")
    if not batches:
        raise PayloadError(f"{place.name} is a payload of {site.name} without rows of {data.name}")
    tables = [conform(data, batch) for batch in batches]
    if data.named is not None:
        # Without a warehouse there is no register of names: the listed aliases alone.
        filler = SymbolFiller(data.named, lambda: NameMap(()))
        tables = [filler.fill(table) for table in tables]
    return [row for table in tables for row in table.to_pylist()]


def _recognise(data: Dataset, content: bytes, place: Path) -> Source:
    if not content.strip():
        raise PayloadError(f"{place.name} is empty")
    names = {*data.sources, *data.official, *data.parse_only}
    candidates = [entry for entry in all_sources().values() if entry.name in names]
    for entry in candidates:
        if entry.recognises_for(data.name, content):
            return entry
    known = ", ".join(sorted(names))
    raise PayloadError(f"{place.name} is in no format of {data.name} ({known}): it begins {excerpt(content)!r}")


def _fetched_at(data: Dataset, content: bytes, place: Path) -> datetime:
    """Return the market time a Yahoo payload states: a bar of that day may still be open.

    What has no history is dated by its capture: where the file's name states the day, its end.
    """
    stated = _DAY.search(place.name) if data.history == "none" else None
    if stated is not None:
        with suppress(ValueError):
            return datetime.combine(date.fromisoformat(stated[0]), time(20), NY).astimezone(UTC)
    found = _MARKET_TIME.search(content, 0, 4000)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else UNKNOWN_TIME


def _context(data: Dataset, place: Path) -> dict[str, str]:
    name = place.name
    if data.name == "macro_series":
        found = re.search(r"(?:observations|fredgraph)_([A-Z0-9]+)", name) or re.search(
            r"\b([A-Z][A-Z0-9]{2,})\b", name
        )
        return {"series_id": found[1]} if found else {}
    if data.name in ("analyst_ratings", "fundamentals", "filings"):
        found = re.search(r"(?:^|_)([A-Z]{1,5}(?:[.-][A-Z])?)(?:_|\.json|$)", name)
        return {"symbol": found[1].replace("-", ".")} if found else {}
    if data.name == "gov_contracts":
        found = re.search(r"govcontracts(?:all)?_([A-Z]{1,5}(?:\.[A-Z])?)(?![A-Za-z])", name)
        return {"symbol": found[1]} if found else {}
    if (data.leader or data.name) == "universe":
        lowered = name.lower()
        for word, index_name in (("iwm", "russell2000"), ("ivv", "sp500"), ("sp400", "sp400"), ("sp500", "sp500")):
            if word in lowered:
                return {"index_name": index_name}
    return {}
