"""Builds the application from settings."""

from __future__ import annotations

import gc
import importlib
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from api import errors, openapi
from api.audit import audited
from api.auth import Guard, require_read
from api.etag import EntityTags
from api.limits import Attempts, Limits
from api.middleware import Boundary, keep_queries_out_of_the_access_log
from api.routers import (
    book,
    control,
    dashboard,
    events,
    explain,
    jobs,
    logs,
    portfolios,
    prometheus,
    quarantine,
    research,
    system,
    tables,
    tokens,
)
from api.scheduler import Scheduler
from api.sessions import EndedSessions
from api.store import Mirror, PostgresPool, Store
from api.traffic import Traffic
from pas_lib.access import END, FIND, IS_ENDED, NamedToken
from pas_lib.clock import Clock, SystemClock, clock_for
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

VERSION = "0.1.0"

_DESCRIPTION = """
Shares and weights are fractions (0.25 is a quarter), money is in US dollars, returns are fractions per day unless a
name says otherwise, times are UTC, `null` means not known or not defined.

Every answer says in `X-PAS-Source` whether it was read from PostgreSQL or, while that is away, from the DuckDB mirror,
and how old that is. JSON answers carry an `ETag`; ask again with `If-None-Match` and get 304 while nothing has changed.
A failure is `application/problem+json` with one line of detail. Every write is recorded in `ops.audit_log` before it is
done.
"""

log = logging.getLogger("api")


def create_app(settings: Settings, *, clock: Clock | None = None, market_clock: Clock | None = None) -> FastAPI:
    """Build the application.

    Nothing is connected to yet: an API without PostgreSQL starts, and answers from the mirror.

    Parameters
    ----------
    settings : Settings
        Tokens, stores, broker.
    clock : Clock, optional
        The machine's time: ages and ends of sessions.
    market_clock : Clock, optional
        The time of the world that is traded, e.g. the sandbox's: approvals and the trading state.

    Returns
    -------
    FastAPI

    Raises
    ------
    SettingsError
        If a token is missing.
    """
    clock = clock or SystemClock()
    store = Store(PostgresPool(lambda: _address(settings)), Mirror(settings.mirror_path), clock)
    ended = EndedSessions(
        lambda digest: bool(store.read_primary(lambda reader: reader.scalar(IS_ENDED, {"digest": digest}))),
        lambda *row: Warehouse.from_settings(settings).execute(END, row),
    )
    guard = Guard(settings, clock, lambda token_id: _named_token(store, token_id), ended)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        keep_queries_out_of_the_access_log()
        # The numeric libraries take seconds to import: not in somebody's request.
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
        yield
        store.close()

    app = FastAPI(
        title="Portfolio Allocation System",
        version=VERSION,
        summary="What is held, why, how it did, and what was known at the time.",
        lifespan=lifespan,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # It would lead to whatever host the request names.
        redirect_slashes=False,
    )
    # What the framework derives is completed (see api.openapi); served to those who may read.
    app.openapi = lambda: openapi.description(app)  # type: ignore[method-assign]
    app.state.settings = settings
    app.state.clock = clock
    app.state.market_clock = market_clock or clock_for(settings)
    app.state.guard = guard
    app.state.store = store
    app.state.traffic = Traffic()
    app.state.scheduler = Scheduler(settings)
    app.state.attempts = Attempts()
    #: Seconds between two looks for new events.
    app.state.event_interval = 1.0
    keep_queries_out_of_the_access_log()
    errors.install(app)

    reading = [Depends(require_read)]
    app.include_router(system.router)
    app.include_router(tables.router, dependencies=reading)
    app.include_router(quarantine.router, dependencies=reading)
    app.include_router(book.router, dependencies=reading)
    app.include_router(research.router, dependencies=reading)
    app.include_router(explain.router, dependencies=reading)
    app.include_router(events.router, dependencies=reading)
    app.include_router(logs.router, dependencies=reading)
    app.include_router(control.router, dependencies=[Depends(require_read), Depends(audited)])
    app.include_router(portfolios.router, dependencies=[Depends(require_read), Depends(audited)])
    app.include_router(jobs.router, dependencies=[Depends(require_read), Depends(audited)])
    app.include_router(tokens.router, dependencies=[Depends(require_read), Depends(audited)])
    app.include_router(prometheus.router, dependencies=reading)
    app.include_router(dashboard.router)
    app.add_middleware(EntityTags)
    app.add_middleware(Limits, per_minute=settings.api_requests_per_minute)
    app.add_middleware(Boundary, guard=guard, traffic=app.state.traffic)
    return app


def _warm_up() -> None:
    for name in ("pas_lib.risk", "pas_lib.strategies.registry"):
        importlib.import_module(name)
    # What is loaded now stays: looking through it all for garbage again and again would hold up answers.
    gc.collect()
    gc.freeze()


def _named_token(store: Store, token_id: str) -> tuple[NamedToken, bytes] | None:
    row = store.read_primary(lambda reader: reader.first(FIND, {"id": token_id}))
    return (
        None if row is None else (NamedToken(**{k: v for k, v in row.items() if k != "digest"}), bytes(row["digest"]))
    )


def _address(settings: Settings) -> str:
    return Warehouse.from_settings(settings).url
