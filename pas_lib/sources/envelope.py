"""Shared by the sources that answer with JSON: the body, and the envelope Yahoo puts around everything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from pas_lib.sources.base import Payload, excerpt, looks_like_html


def read_json(payload: Payload) -> Any:
    """Return what a body holds.

    Raises
    ------
    PayloadError
        If it is a page, empty, cut off, or no JSON.
    """
    if looks_like_html(payload.body):
        raise payload.error("an HTML page came instead of JSON")
    try:
        return orjson.loads(payload.body)
    except orjson.JSONDecodeError:
        said = excerpt(payload.body)
        raise payload.error(f"not JSON or cut off ({said!r})" if said else "the answer is empty") from None


def slices(payload: Payload, size: int = 5_000) -> Iterator[list[Any]]:
    """Yield the entries of a body that is a JSON array, some at a time: all of them would be many times its length.

    Raises
    ------
    PayloadError
        If it is no whole array.
    """
    try:
        entries = msgspec.json.decode(payload.body, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        raise payload.error(f"not JSON or cut off ({excerpt(payload.body)!r})") from None
    for start in range(0, len(entries), size):
        try:
            yield orjson.loads(b"[" + b",".join(entries[start : start + size]) + b"]")
        except orjson.JSONDecodeError:
            raise payload.error(f"not JSON or cut off ({excerpt(payload.body)!r})") from None


def yahoo_results(payload: Payload, name: str, words: str) -> list[Any] | None:
    """Return the results within one of Yahoo's envelopes, or None where the symbol is not known there.

    Parameters
    ----------
    payload : Payload
        The answer.
    name : str
        Name of the envelope: ``chart``, ``quoteSummary`` or ``timeseries``.
    words : str
        The same in words.

    Raises
    ------
    PayloadError
        If it is another one, an error, or holds no list of results.
    """
    document = read_json(payload)
    envelope = document.get(name) if isinstance(document, dict) else None
    if not isinstance(envelope, dict):
        found = next(iter(document), "") if isinstance(document, dict) else type(document).__name__
        inner = document.get(found) if isinstance(document, dict) else None
        error = inner.get("error") if isinstance(inner, dict) else None
        said = f": {error.get('description')}" if isinstance(error, dict) else ""
        raise payload.error(f"not {words} but {found!r}{said}", field_name=name)
    error = envelope.get("error")
    if error:
        if error.get("code") == "Not Found" and payload.status == 404:
            return None
        raise payload.error(f"{error.get('code')}: {error.get('description')}", field_name=f"{name}.error")
    results = envelope.get("result")
    if not isinstance(results, list):
        raise payload.error("no result", field_name=f"{name}.result")
    return results
