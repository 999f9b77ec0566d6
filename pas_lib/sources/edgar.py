"""Shared by the sources of SEC EDGAR: how it refuses, what its JSON is, and which CIK has a symbol."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson

from pas_lib.errors import SourceError
from pas_lib.sources.base import Ask, Payload, Request, Source, base_url, excerpt, looks_like_html

_TICKERS = "company_tickers"
_TICKERS_HOST = "https://www.sec.gov"


def error_code(payload: Payload) -> str:
    """Return the code of the store's refusal, or nothing."""
    found = re.search(rb"<Code>(\w+)</Code>", payload.body[:1000])
    return found[1].decode() if found else ""


def absent(payload: Payload) -> bool:
    """Return whether the store says that there is no such file: as XML, unlike the refusal of a caller."""
    return error_code(payload) in ("AccessDenied", "NoSuchKey")


def stated_title(payload: Payload) -> str:
    """Return the title of a page that came instead, or an empty text."""
    found = re.search(rb"<title>(.*?)</title>", payload.body[:4000], re.S | re.I)
    return excerpt(found[1], 120) if found else ""


def stop_if_refused(payload: Payload) -> None:
    """End the collection when EDGAR refuses the caller.

    Raises
    ------
    SourceError
        Not the kind that is asked again: that would only prolong the refusal.
    """
    if payload.status in (403, 404) and not absent(payload):
        said = stated_title(payload)
        raise SourceError(
            f"{payload.source}: HTTP {payload.status} from {payload.url}{f': {said}' if said else ''}",
            hint="declare who asks with PAS_CONTACT, and wait ten minutes",
        )


def json_object(payload: Payload) -> dict[str, Any]:
    """Return the object a body is.

    Raises
    ------
    PayloadError
        If it is none.
    """
    if looks_like_html(payload.body):
        raise payload.error(stated_title(payload) or "an HTML page came instead of JSON")
    try:
        document = orjson.loads(payload.body)
    except orjson.JSONDecodeError:
        said = excerpt(payload.body)
        raise payload.error(f"not JSON or cut off ({said!r})" if said else "the answer is empty") from None
    if not isinstance(document, dict):
        raise payload.error(f"not an object but {type(document).__name__}")
    return document


def with_ciks(source: Source, ask: Ask, fetch: Callable[[Request], Payload]) -> Ask:
    """Return the ask with the CIKs of the symbols whose company is not known by one."""
    unknown = [symbol for symbol in ask.items if symbol not in ask.ids]
    if not unknown:
        return ask
    host = base_url(source, ask.settings) if ask.settings.sources == "sandbox" else _TICKERS_HOST
    asked = Request(source.name, ask.dataset, _TICKERS, f"{host}/files/{_TICKERS}.json", context={"kind": "tickers"})
    listed = read_tickers(fetch(asked))
    found = {symbol: listed[symbol] for symbol in unknown if symbol in listed}
    return replace(ask, ids={**ask.ids, **found})


def companies(ask: Ask) -> Iterator[tuple[str, str]]:
    """Yield the symbols asked for whose CIK is known, each company once: share classes have their files in common."""
    asked: set[str] = set()
    for symbol in ask.items:
        cik = ask.ids.get(symbol)
        if cik is not None and cik not in asked:
            asked.add(cik)
            yield symbol, cik


def is_index(body: bytes) -> bool:
    """Return whether a body is an index, or what comes instead of one: a refusal, or the store's word for none."""
    head = body[:3000]
    marks = (b"EDGAR Dissemination Feed", b"Undeclared Automated Tool")
    return any(mark in head for mark in marks) or (b"<Error><Code>" in head and b"<HostId>" in head)


def refuse_other_pages(payload: Payload) -> None:
    """Refuse a page, or nothing, where a file should be.

    Raises
    ------
    PayloadError
        With the page's title.
    """
    if looks_like_html(payload.body):
        raise payload.error(stated_title(payload) or "an HTML page came")
    if not payload.body.strip():
        raise payload.error("the answer is empty")


def are_tickers(payload: Payload) -> bool:
    """Return whether a payload answers :func:`with_ciks`."""
    return payload.context.get("kind") == "tickers"


def read_tickers(payload: Payload) -> dict[str, str]:
    """Return symbol -> CIK of the list of companies; share classes are written with a dash there.

    Raises
    ------
    PayloadError
        If it is no such list.
    """
    rows = list(json_object(payload).values())
    if not rows:
        raise payload.error("the list of companies is empty")
    try:
        return {str(row["ticker"]).upper().replace("-", "."): f"{int(row['cik_str']):010d}" for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise payload.error("a company cannot be read", field_name=str(error).strip("'")) from None
