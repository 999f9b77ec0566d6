"""``/metrics`` for Prometheus: derived from the warehouse at each scrape, so that any process may be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api import freshness, queries
from api.dependencies import Read
from api.errors import NotReady
from api.store import Provenance, Reader
from pas_lib.clock import Clock
from pas_lib.errors import PasError

router = APIRouter(tags=["system"])

_ORDER_STATES = (
    "planned", "submitting", "unknown", "accepted", "partially_filled",
    "filled", "canceled", "expired", "rejected", "denied",
)  # fmt: skip
_TRADING_STATES = ("ACTIVE", "REDUCING", "HALTED")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def scrape(request: Request, read: Read) -> Response:
    """Return gauges and counters in Prometheus' text format. A store that is away shows as `pas_up 0`."""
    clock: Clock = request.app.state.market_clock
    try:
        families = read(lambda reader: list(_families(reader, clock)))
        is_up = True
    except NotReady:
        families, is_up = [], False
    families.insert(0, _up(is_up, read.provenance))
    families += request.app.state.traffic.families()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(families))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Fixed(Collector):
    """Hands out families that were computed before."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _up(is_up: bool, provenance: Provenance | None) -> Metric:
    family = GaugeMetricFamily("pas_up", "1 for the store this scrape was read from", labels=["source"])
    for source in ("postgres", "mirror"):
        family.add_metric([source], float(is_up and provenance is not None and provenance.source == source))
    return family


def _gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(name, text, value=value)


def _families(reader: Reader, clock: Clock) -> Iterator[Metric]:
    """Yield every family that has data; what the warehouse does not know is left out."""
    parts: tuple[Callable[[Reader], Iterator[Metric]], ...] = (
        _account,
        _decision,
        _trading,
        lambda r: _ages(r, clock),
        _collection,
        _steps,
        _warehouse,
    )
    for part in parts:
        found = reader.attempt(lambda r, part=part: list(part(r)))  # type: ignore[misc]
        if not isinstance(found, NotReady):
            yield from found


def _account(reader: Reader) -> Iterator[Metric]:
    row = reader.first(
        "select m.equity, m.cash, m.managed_equity, m.external_value, m.taken_at from ops.account_metrics m"
        " join ops.ledger_bindings b on b.broker = m.broker and b.account_number = m.account_number and b.is_active"
        " order by m.session desc limit 1"
    )
    if row:
        yield from _gauge("pas_equity_usd", "equity of the account at its latest snapshot", row["equity"])
        yield from _gauge("pas_cash_usd", "cash of the account at its latest snapshot", row["cash"])
        yield from _gauge("pas_managed_equity_usd", "equity the portfolios are sized on", row["managed_equity"])
        yield from _gauge("pas_external_value_usd", "value of positions traded by hand", row["external_value"])
        yield from _gauge("pas_account_snapshot_time_seconds", "time of that snapshot", row["taken_at"].timestamp())
    value = GaugeMetricFamily("pas_market_value_usd", "market value of a portfolio's holdings", labels=["portfolio"])
    symbols = GaugeMetricFamily("pas_positions", "symbols a portfolio holds", labels=["portfolio"])
    for one in queries.portfolios(reader).records:
        symbols.add_metric([one.portfolio_id], one.positions)
        if one.market_value is not None:
            value.add_metric([one.portfolio_id], one.market_value)
    yield value
    yield symbols


def _decision(reader: Reader) -> Iterator[Metric]:
    found = queries.allocations(reader)
    if found.decision:
        day = datetime.combine(found.decision.session, datetime.min.time(), found.decision.decided_at.tzinfo)
        yield from _gauge("pas_decision_session_time_seconds", "session of the latest decision", day.timestamp())
        yield from _gauge("pas_gross", "gross exposure decided, before the exposure scale", found.decision.gross)
        yield from _gauge("pas_expected_volatility", "annual volatility expected", found.decision.expected_vol)
    shares = GaugeMetricFamily("pas_portfolio_share", "share of equity a portfolio aims at", labels=["portfolio"])
    for one in found.records:
        if one.share is not None:
            shares.add_metric([one.portfolio_id], one.share)
    yield shares
    latest = queries.regime(reader, 1).latest
    if latest:
        yield from _gauge("pas_cci", "crisis indicator of the latest session", latest.cci)
        yield from _gauge("pas_exposure_scale", "exposure scale S of the latest session", latest.scale)


def _trading(reader: Reader) -> Iterator[Metric]:
    total = CounterMetricFamily("pas_orders", "orders by their present state", labels=["state"])
    counted = dict(reader.fetch("select state, count(*) from ops.orders group by state").rows)
    for state in _ORDER_STATES:
        total.add_metric([state], float(counted.get(state, 0)))
    yield total
    rows = reader.fetch("select kind, count(*), sum(notional) from ops.trades group by kind order by kind").rows
    trades = CounterMetricFamily("pas_trades", "trades by kind", labels=["kind"])
    traded = CounterMetricFamily("pas_traded_usd", "value traded by kind", labels=["kind"])
    for kind, number, notional in rows:
        trades.add_metric([kind], float(number))
        traded.add_metric([kind], float(notional))
    yield trades
    yield traded
    current = reader.scalar("select state from ops.trading_state order by state_id desc limit 1")
    family = GaugeMetricFamily("pas_trading_state", "1 for the present trading state", labels=["state"])
    for state in _TRADING_STATES:
        # Nothing was ever set: everything is allowed.
        family.add_metric([state], float(state == (current or "ACTIVE")))
    yield family
    clean = reader.scalar("select is_clean from ops.reconciliations order by reconciliation_id desc limit 1")
    if clean is not None:
        yield from _gauge("pas_reconciliation_clean", "whether books and broker agreed last", float(bool(clean)))


def _ages(reader: Reader, clock: Clock) -> Iterator[Metric]:
    try:
        now = clock.now()
    except PasError as error:  # in the sandbox the market's time is the sandbox's, which may be away
        raise NotReady(str(error)) from None
    behind = GaugeMetricFamily("pas_dataset_behind_days", "days a dataset lags the current session", labels=["dataset"])
    stale = GaugeMetricFamily("pas_dataset_stale", "whether a dataset is older than tolerated", labels=["dataset"])
    loaded = GaugeMetricFamily("pas_dataset_loaded_time_seconds", "last successful load", labels=["dataset"])
    for one in freshness.datasets(reader, now):
        stale.add_metric([one.dataset], float(one.is_stale))
        if one.behind_days is not None:
            behind.add_metric([one.dataset], one.behind_days)
        if one.loaded_at is not None:
            loaded.add_metric([one.dataset], one.loaded_at.timestamp())
    yield behind
    yield stale
    yield loaded


def _collection(reader: Reader) -> Iterator[Metric]:
    runs = CounterMetricFamily("pas_ingest_runs", "loads by outcome", labels=["dataset", "status"])
    for dataset, status, number in reader.fetch(
        "select dataset, status, count(*) from ops.ingest_runs group by dataset, status order by dataset, status"
    ).rows:
        runs.add_metric([dataset, status], float(number))
    yield runs
    rows = CounterMetricFamily("pas_ingest_rows", "rows loaded", labels=["dataset"])
    refused = CounterMetricFamily("pas_quarantined_rows", "rows refused", labels=["dataset"])
    for dataset, new, quarantined in reader.fetch(
        "select dataset, sum(rows_new + rows_changed), sum(rows_quarantined) from ops.ingest_runs"
        " group by dataset order by dataset"
    ).rows:
        rows.add_metric([dataset], float(new))
        refused.add_metric([dataset], float(quarantined))
    yield rows
    yield refused
    failed = reader.scalar("select count(*) from ops.alloc_log where event = 'task_failed'")
    yield CounterMetricFamily("pas_task_failures", "failed tasks", value=float(failed or 0))


_STEPS = """
select s.program, s.event, s.logged_at, s.fields
from ops.system_logs s
join (
    select program, max(log_id) as log_id from ops.system_logs
    where event like %(finished)s or event like %(failed)s group by program
) newest on newest.log_id = s.log_id
order by s.program
"""


def _steps(reader: Reader) -> Iterator[Metric]:
    """Yield how each program's newest step ended; of dbt's builds also what became of the nodes."""
    ended = GaugeMetricFamily("pas_step_ended_time_seconds", "end of a program's newest step", labels=["program"])
    good = GaugeMetricFamily("pas_step_good", "whether a program's newest step went well", labels=["program"])
    took = GaugeMetricFamily("pas_step_seconds", "what a program's newest good step took", labels=["program"])
    nodes = GaugeMetricFamily("pas_dbt_nodes", "nodes of the newest dbt build by outcome", labels=["status"])
    for row in reader.records(_STEPS, {"finished": "% finished", "failed": "% failed"}):
        program, fields = row["program"], queries.as_json(row["fields"])
        good.add_metric([program], float(row["event"].endswith("finished")))
        ended.add_metric([program], row["logged_at"].timestamp())
        if "began_at" in fields:
            began = datetime.fromisoformat(fields["began_at"])
            took.add_metric([program], max(0.0, (row["logged_at"] - began).total_seconds()))
        result = fields.get("result")
        if isinstance(result, dict) and isinstance(result.get("nodes"), dict):
            for status, count in sorted(result["nodes"].items()):
                nodes.add_metric([status], float(count))
    yield ended
    yield good
    yield took
    yield nodes


def _warehouse(reader: Reader) -> Iterator[Metric]:
    yield from _gauge(
        "pas_schema_version", "version of the warehouse", reader.scalar("select max(version) from ops.schema_version")
    )
