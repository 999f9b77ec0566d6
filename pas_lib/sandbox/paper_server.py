"""The sandbox's paper broker over real data: no made-up world, the warehouse's prices and the machine's clock."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from pas_lib import clock as calendar
from pas_lib.clock import Clock
from pas_lib.sandbox.broker import PaperBroker
from pas_lib.sandbox.sites.base import reply
from pas_lib.sandbox.sites.warehouse_data import WarehouseData
from pas_lib.sandbox.warehouse_market import WarehouseMarket
from pas_lib.warehouse import Warehouse


def paper_broker(warehouse: Warehouse, clock: Clock, state_dir: Path) -> tuple[PaperBroker, Starlette]:
    """Return the broker and the application that serves it with its market data.

    Parameters
    ----------
    warehouse : Warehouse
        Whose prices it fills at; connected to when asked, so it may start later.
    state_dir : Path
        Where the broker keeps its account.
    """
    market = WarehouseMarket(warehouse)
    broker = PaperBroker(market, clock, state_dir, numbers="PASW")

    async def now(_: Request) -> Response:
        at = clock.now()
        session = calendar.session_on_or_before(at.astimezone(calendar.NY).date())
        return reply({"now": at.isoformat(), "session": session.isoformat()})

    async def world(_: Request) -> Response:
        return reply({"origin": "real", "now": clock.now().isoformat()})

    app = Starlette(
        routes=[
            Mount("/alpaca", app=broker.router),
            Route("/alpaca-data/{path:path}", WarehouseData(market, clock).answer),
            *broker.admin_routes,
            Route("/sandbox/clock", now),
            Route("/sandbox/world", world),
        ]
    )
    return broker, app
