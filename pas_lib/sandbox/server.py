"""The sandbox's server: every site under its prefix, one process, loopback only."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from pas_lib.errors import PasError
from pas_lib.sandbox.broker import PaperBroker
from pas_lib.sandbox.clock import SandboxTime
from pas_lib.sandbox.faults import KINDS, SITES, Fault, FaultLayer, Faults
from pas_lib.sandbox.insiders import InsiderFilings
from pas_lib.sandbox.ratings import Ratings
from pas_lib.sandbox.reports import build_reports
from pas_lib.sandbox.roster import FIRST_DECISION
from pas_lib.sandbox.sites.alpaca_data import AlpacaData
from pas_lib.sandbox.sites.apewisdom import ApeWisdom
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.sites.benzinga import Benzinga
from pas_lib.sandbox.sites.company_facts import CompanyFacts
from pas_lib.sandbox.sites.finviz import Finviz
from pas_lib.sandbox.sites.fred import Fred, FredGraph
from pas_lib.sandbox.sites.house import HouseSite
from pas_lib.sandbox.sites.quiver import Disclosures, Insiders, QuiverApi, QuiverPages
from pas_lib.sandbox.sites.quiver_scores import QuiverScores
from pas_lib.sandbox.sites.sec import Edgar
from pas_lib.sandbox.sites.senate import SenateSite
from pas_lib.sandbox.sites.universe import Ishares, Wikipedia
from pas_lib.sandbox.sites.washington import SenateLda, UsaSpending, Washington
from pas_lib.sandbox.sites.wikimedia import Pageviews
from pas_lib.sandbox.sites.yahoo import YahooChart
from pas_lib.sandbox.sites.yahoo_calendar import Calendar
from pas_lib.sandbox.sites.yahoo_figures import YahooFigures
from pas_lib.sandbox.sites.yahoo_summary import YahooSummary
from pas_lib.sandbox.statements import Statements
from pas_lib.sandbox.validators import ValidatorLayer
from pas_lib.sandbox.world import World

HOST: Final = "127.0.0.1"


class Admin:
    """``/sandbox/...``: the clock, the faults, and what the world is."""

    def __init__(self, context: Context, faults: Faults) -> None:
        self.context = context
        self.faults = faults

    def _time(self) -> dict[str, str]:
        clock = self.context.clock
        return {"now": clock.now().isoformat(), "session": clock.session().isoformat()}

    async def clock(self, request: Request) -> Response:  # noqa: ARG002
        """Tell the time and the session of it."""
        return reply(self._time())

    async def advance(self, request: Request) -> Response:
        """Move the clock: ``{"to": "open" | "close" | "evening" | ISO time}``."""
        try:
            asked = await _body(request)
            to = asked.get("to") or request.query_params.get("to")
            if not isinstance(to, str) or not to:
                raise PasError("'to' is missing: open, close, evening or an ISO time")
            self.context.clock.advance(to)
        except PasError as error:
            return reply({"error": str(error)}, 422)
        return reply(self._time())

    async def fault(self, request: Request) -> Response:
        """List, switch on (PUT, POST) or switch off (DELETE) faults."""
        try:
            if request.method in ("PUT", "POST"):
                asked = await _body(request)
                known = set(Fault.__dataclass_fields__)
                if unknown := sorted(set(asked) - known):
                    raise PasError(f"unknown field '{unknown[0]}'; fields: {', '.join(sorted(known))}")
                try:
                    self.faults.put(Fault(**asked))
                except TypeError as error:
                    raise PasError(f"a fault needs site and kind: {error}") from error
            elif request.method == "DELETE":
                asked = {**dict(request.query_params), **await _body(request)}
                self.faults.clear(asked.get("site"), asked.get("kind"))
        except PasError as error:
            return reply({"error": str(error)}, 422)
        return reply({"faults": self.faults.describe(), "sites": SITES, "kinds": KINDS})

    async def world(self, request: Request) -> Response:  # noqa: ARG002
        """Summarise the world and count what was asked."""
        faults = self.faults
        return reply(
            {
                **self.context.world.summary(),
                "origin": "sandbox",
                **self._time(),
                "requests": dict(faults.requests),
                "statuses": dict(faults.statuses),
                "fault_hits": dict(faults.hits),
                "faults": faults.describe(),
                "first_decision_session": FIRST_DECISION.isoformat(),
            }
        )


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    if not raw:
        return {}
    try:
        found = json.loads(raw)
    except ValueError as error:
        raise PasError("the body is not JSON") from error
    if not isinstance(found, dict):
        raise PasError("the body is not a JSON object")
    return found


def build_app(world: World, clock: SandboxTime, state_dir: Path) -> FaultLayer:
    """Put all sites together.

    Parameters
    ----------
    state_dir : Path
        Where the broker keeps its account.
    """
    context, faults = Context(world, clock), Faults()
    admin, yahoo, views = Admin(context, faults), YahooChart(context), Pageviews(context)
    wikipedia, ishares, fred, graph = Wikipedia(context), Ishares(context), Fred(context), FredGraph(context)
    disclosures = Disclosures(context)
    reports = functools.cache(lambda: build_reports(world))
    house, senate = HouseSite(context, reports), SenateSite(context, reports)
    scores = QuiverScores(context, disclosures)
    filings = InsiderFilings(world)
    statements = Statements(world)
    insiders, edgar = Insiders(context, filings), Edgar(context, filings, CompanyFacts(context, statements))
    washington = Washington(context)
    lda, spending = SenateLda(washington), UsaSpending(washington)
    api = QuiverApi(context, disclosures, insiders, washington)
    pages = QuiverPages(context, disclosures, insiders, washington)
    data = AlpacaData(context)
    ratings = Ratings(world)
    benzinga, summary = Benzinga(context, ratings), YahooSummary(context, ratings)
    figures = YahooFigures(context, statements)
    summary.modules.update(figures.modules)
    summary.modules["calendarEvents"] = Calendar(context).module
    routes: list[BaseRoute] = [
        Route("/yahoo/v8/finance/chart/{symbol}", yahoo.chart),
        Route("/yahoo/", summary.cookie),
        Route("/yahoo/v1/test/getcrumb", summary.crumb),
        Route("/yahoo/v10/finance/quoteSummary/{symbol}", summary.answer),
        Route("/yahoo/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}", figures.timeseries),
        Route("/benzinga/api/v2.1/calendar/ratings", benzinga.answer),
        Route("/benzinga/api/v2/calendar/ratings", benzinga.answer),
        Route("/benzinga-page/analyst-stock-ratings/{kind}", benzinga.page),
        Route("/wikimedia/{path:path}", views.answer),
        Route("/wikipedia/w/api.php", wikipedia.api),
        Route("/wikipedia/wiki/{title:path}", wikipedia.page),
        Route("/ishares/{path:path}", ishares.answer),
        Route("/fred/{path:path}", fred.answer),
        Route("/fredgraph/graph/fredgraph.csv", graph.answer),
        Route("/fredgraph/fredgraph.csv", graph.answer),
        Route("/quiver-api/beta/live/appratings", scores.ratings),
        Route("/quiver-api/beta/{path:path}", api.answer),
        Route("/quiver/googletrends/", scores.page),
        Route("/quiver/scores/dcinsider", scores.page),
        Route("/quiver/sources/appratings", scores.page),
        Route("/quiver/{path:path}", pages.answer),
        Route("/sec/{path:path}", edgar.answer),
        Route("/house-clerk/{path:path}", house.answer),
        Route("/senate-efd/{path:path}", senate.answer, methods=["GET", "POST"]),
        Route("/senate-lda/{path:path}", lda.answer, methods=["GET", "POST", "DELETE"]),
        Route("/usaspending/{path:path}", spending.answer, methods=["GET", "POST"]),
        Route("/alpaca-data/{path:path}", data.answer),
        Route("/apewisdom/api/v1.0/filter/{path:path}", ApeWisdom(context).answer),
        Route("/finviz/{path:path}", Finviz(context).answer),
        Route("/sandbox/clock", admin.clock),
        Route("/sandbox/advance", admin.advance, methods=["POST"]),
        Route("/sandbox/faults", admin.fault, methods=["GET", "PUT", "POST", "DELETE"]),
        Route("/sandbox/world", admin.world),
    ]
    broker = PaperBroker(world, clock, state_dir)
    routes += [Mount("/alpaca", app=broker.router), *broker.admin_routes]
    return FaultLayer(ValidatorLayer(Starlette(routes=routes)), faults)


class QuietServer(uvicorn.Server):
    """A server that ends in order on SIGTERM or SIGINT, with status 0, and leaves signals alone in threads."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as a wish to stop; give the handlers back afterwards."""
        kept = {}
        with contextlib.suppress(ValueError):  # only the main thread may set handlers
            for number in (signal.SIGTERM, signal.SIGINT):
                kept[number] = signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


def listen(port: int, host: str = HOST) -> socket.socket:
    """Bind an address of this machine, loopback unless told otherwise.

    Raises
    ------
    PasError
        When the port is taken or not allowed.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(256)  # a second server on the same port fails here at the latest
    except OSError as error:
        sock.close()
        raise PasError(
            f"port {port} on {host} cannot be used by the sandbox ({error.strerror or error}); "
            "choose another with --port or PAS_SANDBOX_URL"
        ) from error
    return sock


def make_server(app: Any) -> QuietServer:
    """Make a server for an application; the caller passes it a socket."""
    return QuietServer(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            timeout_keep_alive=30,
            server_header=False,
            date_header=True,
        )
    )
