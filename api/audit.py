"""The audit of writes: what was asked is stored before it is done, and what became of it afterwards.

A write that cannot be recorded is not done.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.errors import NotReady, Unprocessable
from pas_lib.errors import PasError
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

_INSERT = """
insert into ops.audit_log (at, request_id, phase, actor, stated_by, method, path, body, detail)
values (%s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
"""
#: A longer body is recorded by its size alone.
_LARGEST = 20_000


async def audited(request: Request) -> AsyncIterator[None]:
    """Record a request that changes something; a dependency of every route that does, after the one on tokens.

    Raises
    ------
    NotReady
        If it cannot be recorded: then nothing is done.
    Unprocessable
        If the body holds what no text of a database may hold.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        yield
        return
    settings: Settings = request.app.state.settings
    body = _readable(await request.body())
    stated = body.get("by") if isinstance(body, dict) else None
    actor = str(getattr(request.state, "actor", "admin"))
    request_id = secrets.token_hex(8)

    def write(phase: str, detail: str = "") -> None:
        row = (
            request.app.state.clock.now(),
            request_id,
            phase,
            actor,
            str(stated)[:100] if stated else None,
            request.method,
            request.url.path,
            json.dumps(body),
            detail,
        )
        Warehouse.from_settings(settings).execute(_INSERT, row)

    try:
        await run_in_threadpool(write, "asked")
    except (PasError, psycopg.Error) as error:
        raise NotReady(f"the request cannot be recorded, so nothing was done: {_one_line(error)}") from None
    try:
        yield
    except Exception as error:
        await run_in_threadpool(write, "refused", f"{type(error).__name__}: {_one_line(error)}"[:500])
        raise
    await run_in_threadpool(write, "done")


def _readable(raw: bytes) -> Any:
    if not raw:
        return None
    if len(raw) > _LARGEST:
        return {"bytes": len(raw)}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return {"bytes": len(raw)}
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        raise Unprocessable("body: it holds a number or a character that JSON does not have") from None
    if "\\u0000" in text:
        raise Unprocessable("body: it holds the character U+0000")
    return body


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
