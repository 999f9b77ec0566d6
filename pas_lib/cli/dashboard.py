"""``pas dashboard``: the state of the book as tables in the terminal, read through the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from pas_lib.cli.common import JsonFlag, api_address, context, print_json, print_table
from pas_lib.errors import PasError, SettingsError

_LAST_ORDERS = 15
_TOP = 10
Read = Callable[..., Any]


@dataclass(frozen=True)
class Table:
    """A table: what it is called, its columns, the records it shows, and a line below."""

    title: str
    columns: tuple[str, ...]
    records: list[Mapping[str, Any]]
    note: str = ""

    def rows(self) -> list[list[Any]]:
        """Return the cells, row by row."""
        return [[record.get(name) for name in self.columns] for record in self.records]


def tables(get: Read) -> list[Table]:
    """Return what the dashboard shows.

    Parameters
    ----------
    get : callable
        ``get(path, **query)`` returns an answer of the API.
    """
    readiness = get("/readyz")
    decided = get("/allocations")
    decision = decided["decision"] or {}
    regime = get("/regime", sessions=1)["latest"]
    account = get("/db/account_metrics", limit=1, sort_by="session", order="desc")["records"]
    scores = get("/scores/top", limit=_TOP)
    found = [
        Table("stores", ("status", "postgres", "mirror"), [readiness]),
        Table("account", ("account_number", "session", "equity", "cash", "managed_equity"), account),
        Table(
            f"portfolios, decided {decision.get('session', 'never')}",
            ("portfolio_id", "status", "allocation", "share", "positions", "market_value", "cash"),
            get("/portfolios")["records"],
            note=str(decision.get("reason", "")),
        ),
        Table("crisis indicator", ("session", "cci", "scale", "note"), [regime] if regime else []),
        Table(
            f"top scores of {scores['score_date']}",
            ("rank", "symbol", "overall", "momentum", "risk_adjusted"),
            scores["records"],
        ),
        Table(
            "last orders",
            ("session", "portfolio_id", "side", "symbol", "qty", "filled_qty", "state", "reason"),
            get("/orders", limit=_LAST_ORDERS)["records"],
        ),
    ]
    for portfolio in found[2].records:
        held = get(f"/positions/{portfolio['portfolio_id']}")
        if held["records"]:
            found.append(
                Table(
                    f"positions of {portfolio['portfolio_id']}",
                    ("symbol", "qty", "avg_cost", "close", "market_value", "unrealized_pnl", "weight"),
                    held["records"],
                )
            )
    return found


def dashboard(
    url: Annotated[str | None, typer.Option("--url", help="Address of the API; the configured one by default.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show stores, account, portfolios, crisis indicator, scores, orders and positions, read from the REST API."""
    from pas_lib.stack.summary import ApiReader

    settings = context().settings
    token = settings.api_read_token
    if token is None:
        raise SettingsError("API_READ_TOKEN is not set", hint="`make run` writes one into .env")
    address = url.rstrip("/") if url else api_address(settings)
    try:
        shown = tables(ApiReader(address, token.get_secret_value()).get)
    except PasError as error:
        raise PasError(f"{address}: {error}", hint="is it up? `make run` and `make api` serve it") from None
    if as_json:
        print_json({one.title: one.records for one in shown})
        return
    for one in shown:
        print_table(one.title, one.columns, one.rows(), note=one.note)
        print()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(dashboard)
