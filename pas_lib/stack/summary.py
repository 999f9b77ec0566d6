"""What a session came to, read through the REST API: the summary's numbers are the API's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import requests

from pas_lib.stack.airflow_env import ADMIN
from pas_lib.stack.errors import StackError

if TYPE_CHECKING:
    from pas_lib.stack.supervisor import Stack

_TOP_SCORES = 5
_TOP_TARGETS = 4
_ALL = 10_000


class ApiReader:
    """Reads the API with the read token.

    Parameters
    ----------
    address : str
        ``http://<host>:<port>``.
    token : str
        The read token.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **query: Any) -> Any:
        """Return an answer.

        Raises
        ------
        StackError
            If it is anything but 200.
        """
        try:
            answer = self._http.get(f"{self.address}{path}", params=query, timeout=60)
        except requests.RequestException as error:
            raise StackError(f"the API does not answer {path}: {type(error).__name__}") from None
        if answer.status_code != 200:
            raise StackError(f"the API answered {answer.status_code} to {path}: {answer.text[:200]}")
        return answer.json()


def show(stack: Stack, session: date) -> None:
    """Print what a session came to.

    Raises
    ------
    StackError
        If a part of it could not be read; the other parts are printed all the same.
    """
    api = ApiReader(stack.api_address, stack.tokens["API_READ_TOKEN"])
    say = stack.progress.say
    say("")
    say(f"SESSION {session}")
    failed: list[str] = []
    for title, section in SECTIONS.items():
        try:
            lines = list(section(api, session))
        except StackError as error:
            failed.append(title)
            lines = [f"could not be read: {error}"]
        say(title)
        for line in lines or ["none"]:
            say(f"  {line}")
    say("")
    if failed:
        raise StackError(f"the summary is incomplete: {', '.join(failed)}", hint="see the log of the API")


def figures(stack: Stack, session: date) -> dict[str, Any]:
    """Return what a session came to as plain values, as the API gives them: what :func:`show` prints, for programs.

    Raises
    ------
    StackError
        If a part of it could not be read.
    """
    api = ApiReader(stack.api_address, stack.tokens["API_READ_TOKEN"])
    day = session.isoformat()
    runs = api.get("/db/ingest_runs", limit=_ALL, sort_by="finished_at")["records"]
    tables = [one["table"] for one in api.get("/db")["records"] if one["schema"] == "raw"]
    portfolios = [one["portfolio_id"] for one in api.get("/portfolios")["records"]]
    account = api.get("/db/account_metrics", limit=1, sort_by="session", order="desc")["records"]
    return {
        "collected": [run for run in runs if run["session"] == day],
        "rows": {name: api.get(f"/db/{name}", limit=1)["total"] for name in tables},
        "top_scores": api.get("/scores/top", date=day, limit=_TOP_SCORES)["records"],
        "allocation": api.get("/allocations", session=day),
        "regime": api.get("/regime", sessions=1)["latest"],
        "targets": {one: api.get(f"/portfolios/{one}")["targets"] for one in portfolios},
        "orders": api.get("/orders", session=day, limit=_ALL)["records"],
        "trades": [row for row in api.get("/trades/all", limit=_ALL)["records"] if row["session"] == day],
        "positions": {one: api.get(f"/positions/{one}") for one in portfolios},
        "account": account[0] if account else None,
    }


def places(stack: Stack) -> dict[str, str]:
    """Return where everything is, by name."""
    api, airflow = stack.api_address, stack.airflow.address
    return {
        "airflow": airflow,
        "dbt_docs": f"{airflow}/pas/dbt-docs",
        "api": api,
        "api_docs": f"{api}/docs",
        "dashboard": f"{api}/dashboard",
        "logs": str(stack.processes.log_dir),
    }


def addresses(stack: Stack) -> None:
    """Print where everything is, and how to log in; the secrets themselves on a terminal only."""
    where, say = places(stack), stack.progress.say
    private = stack.progress.console.is_terminal
    password = stack.password if private else "AIRFLOW_ADMIN_PASSWORD of .env"
    token = stack.tokens["API_READ_TOKEN"] if private else "API_READ_TOKEN of .env"
    say("Where it is")
    say(f"  Airflow     {where['airflow']}   user {ADMIN}, password {password}")
    say(f"  dbt docs    {where['dbt_docs']}   the same log-in")
    say(f"  API docs    {where['api_docs']}   token {token}")
    say(f"  dashboard   {where['dashboard']}   the same token")
    say(f"  logs        {where['logs']}")
    say("")


# ----------------------------------------------------------------------------------------------------- sections


def _rows(api: ApiReader, session: date) -> Iterator[str]:
    runs = api.get("/db/ingest_runs", limit=_ALL, sort_by="finished_at")["records"]
    last = {run["dataset"]: run for run in runs}
    for table in api.get("/db")["records"]:
        if table["schema"] != "raw":
            continue
        total = api.get(f"/db/{table['table']}", limit=1)["total"]
        run = last.get(table["table"], {})
        fresh = run.get("session") == session.isoformat()
        note = f"{run['rows_new']:,} new, {run['rows_changed']:,} changed" if fresh else "not collected in this session"
        yield f"{table['table']:<20}{_count(total):>12} rows   {note if run.get('status') != 'failed' else 'FAILED'}"


def _scores(api: ApiReader, session: date) -> Iterator[str]:
    answer = api.get("/scores/top", date=session.isoformat(), limit=_TOP_SCORES)
    for row in answer["records"]:
        parts = "  ".join(
            f"{name.replace('_', '-')} {_number(row[name], 1)}" for name in ("overall", "momentum", "risk_adjusted")
        )
        yield f"{row['rank']:>3}  {row['symbol']:<8} {parts}   ({answer['score_date']})"


def _targets(api: ApiReader, session: date) -> Iterator[str]:
    del session
    for portfolio in api.get("/portfolios")["records"]:
        detail = api.get(f"/portfolios/{portfolio['portfolio_id']}")
        top = sorted(detail["targets"], key=lambda row: (-row["weight"], row["symbol"]))
        shown = ", ".join(f"{row['symbol']} {row['weight']:.1%}" for row in top[:_TOP_TARGETS])
        more = f" and {len(top) - _TOP_TARGETS} more" if len(top) > _TOP_TARGETS else ""
        since = f"   (decided {detail['targets_session']})" if detail["targets_session"] else ""
        yield f"{portfolio['portfolio_id']:<24}{shown or 'cash'}{more}{since}"


def _allocation(api: ApiReader, session: date) -> Iterator[str]:
    answer = api.get("/allocations", session=session.isoformat())
    decision = answer["decision"]
    if decision is None:
        return
    yield (
        f"method {decision['method']}, gross {_percent(decision['gross'])}, expected volatility"
        f" {_percent(decision['expected_vol'])}, cash {_percent(answer['cash'])}; {decision['reason']}"
    )
    for row in answer["records"]:
        yield (
            f"{row['portfolio_id']:<24}{_percent(row['allocation']):>8} x S = {_percent(row['share']):>7}"
            f"   {row['reason'] or ''}"
        )


def _regime(api: ApiReader, session: date) -> Iterator[str]:
    del session
    latest = api.get("/regime", sessions=1)["latest"]
    if latest is not None:
        cci = _number(latest["cci"], 3)
        yield f"CCI {cci}   S {latest['scale']:.3f}   ({latest['session']}) {latest['note']}".rstrip()


def _orders(api: ApiReader, session: date) -> Iterator[str]:
    orders = api.get("/orders", session=session.isoformat(), limit=_ALL)["records"]
    states: dict[str, int] = {}
    for order in orders:
        states[order["state"]] = states.get(order["state"], 0) + 1
    parts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    yield f"{len(orders)} orders{f': {parts}' if parts else ''}"
    trades = [row for row in api.get("/trades/all", limit=_ALL)["records"] if row["session"] == session.isoformat()]
    for kind, name in (("fill", "fills"), ("cross", "internal crosses")):
        found = [row for row in trades if row["kind"] == kind]
        bought = sum(row["notional"] for row in found if row["side"] == "buy")
        sold = sum(row["notional"] for row in found if row["side"] == "sell")
        yield f"{len(found)} {name}: bought {bought:,.2f}, sold {sold:,.2f} USD"
    for order in [order for order in orders if order["state"] in ("rejected", "denied", "expired", "unknown")][:5]:
        yield f"{order['state']}: {order['side']} {order['qty']:g} {order['symbol']} - {order['reason']}"


def _positions(api: ApiReader, session: date) -> Iterator[str]:
    del session
    for portfolio in api.get("/portfolios")["records"]:
        held = api.get(f"/positions/{portfolio['portfolio_id']}")
        yield (
            f"{portfolio['portfolio_id']:<24}{len(held['records']):>4} positions, worth {_money(held['market_value'])},"
            f" cash {_money(held['cash'])}"
        )


def _equity(api: ApiReader, session: date) -> Iterator[str]:
    del session
    rows = api.get("/db/account_metrics", limit=1, sort_by="session", order="desc")["records"]
    for row in rows:
        yield (
            ", ".join(f"{name} {_money(float(row[name]))}" for name in ("equity", "cash") if row.get(name) is not None)
            + f"   (account {row['account_number']}, end of {row['session']})"
        )


SECTIONS: dict[str, Callable[[ApiReader, date], Iterator[str]]] = {
    "Rows": _rows,
    "Top scores": _scores,
    "Target weights": _targets,
    "Allocation": _allocation,
    "Crisis indicator": _regime,
    "Orders and fills": _orders,
    "Positions": _positions,
    "Equity": _equity,
}


def _count(value: int | None) -> str:
    return "over 1 M" if value is None else f"{value:,}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f} USD"
