"""Which broker, which address, which key; and how answers are read."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pas_lib.errors import BrokerError, GuardError
from pas_lib.execution.broker import (
    AlpacaGateway,
    check_address,
    check_key,
    check_market,
    check_origin,
    fills_later,
    parse_activity,
    refusal_code,
    state_of,
)
from pas_lib.settings import Settings, load_settings
from tests.support.paths import WIRE, needs

CANARY = "PKCANARY0123456789"


def configured(tmp_path: Path, **env: str) -> Settings:
    return load_settings({"PAS_HOME": str(tmp_path), **env}, root=tmp_path)


def paper(tmp_path: Path, **env: str) -> Settings:
    base = {"PAS_SOURCES": "public", "PAS_BROKER": "paper", "ALPACA_API_KEY": CANARY, "ALPACA_API_SECRET": "s"}
    return configured(tmp_path, **{**base, **env})


def test_the_sandbox_ignores_every_alpaca_setting(tmp_path: Path) -> None:
    used = configured(
        tmp_path, ALPACA_API_KEY=CANARY, ALPACA_API_SECRET="s", ALPACA_BASE_URL="https://api.alpaca.markets"
    )
    gateway = AlpacaGateway.from_settings(used)
    assert gateway._trading._base_url == "http://127.0.0.1:8765/alpaca"
    assert gateway._trading._api_key == "SANDBOX"
    assert gateway._data._base_url == "http://127.0.0.1:8765/alpaca-data"


def test_prices_come_from_the_data_host_and_orders_go_to_the_trading_host(tmp_path: Path) -> None:
    """Defect 24: prices were asked from the trading host."""
    gateway = AlpacaGateway.from_settings(paper(tmp_path))
    assert gateway._trading._base_url == "https://paper-api.alpaca.markets"
    assert gateway._data._base_url == "https://data.alpaca.markets"


def test_nothing_that_could_trade_twice_is_retried_and_everything_has_a_time_out(tmp_path: Path) -> None:
    """Defect 23, and alpaca-py's own habit to post again on 429 and 504."""
    gateway = AlpacaGateway.from_settings(paper(tmp_path))
    for client in (gateway._trading, gateway._data):
        assert client._retry == 0
        assert client._session.get_adapter("https://x")._seconds == gateway.options.timeout > 0


def test_missing_keys_are_named(tmp_path: Path) -> None:
    used = configured(tmp_path, PAS_SOURCES="public", PAS_BROKER="paper", ALPACA_API_KEY="PK1")
    with pytest.raises(GuardError, match="ALPACA_API_SECRET is not set"):
        AlpacaGateway.from_settings(used)


@pytest.mark.parametrize(
    ("broker", "url"),
    [
        ("live", "https://paper-api.alpaca.markets"),
        ("paper", "https://api.alpaca.markets"),
        ("paper", "https://paper-api.alpaca.markets.evil.example"),
        ("live", "https://evil.example/api.alpaca.markets"),
        ("live", "http://api.alpaca.markets"),
        ("live", "http://127.0.0.1:9"),
        ("live", "https://api.alpaca.markets:8443"),
    ],
)
def test_an_address_of_another_broker_is_refused_by_its_parsed_host(broker: str, url: str) -> None:
    with pytest.raises(GuardError, match=f"PAS_BROKER={broker}"):
        check_address(broker, url)


def test_keys_of_the_other_kind_are_refused_without_being_shown() -> None:
    with pytest.raises(GuardError) as caught:
        check_key("live", CANARY)
    assert CANARY not in str(caught.value)
    with pytest.raises(GuardError, match="live key"):
        check_key("paper", "AKXXXX")
    check_key("paper", CANARY)


def test_sandbox_data_never_meets_a_real_broker(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="origins never mix"):
        check_origin(paper(tmp_path), "sandbox")
    check_origin(paper(tmp_path), "real")
    check_origin(configured(tmp_path), "sandbox")


def test_the_paper_broker_trades_the_market_that_the_data_are_of(tmp_path: Path) -> None:
    made_up, real = configured(tmp_path), configured(tmp_path, PAS_SOURCES="public")
    check_market(made_up, "sandbox", "PASB00000001")
    check_market(real, "real", "PASW00000001")
    check_market(paper(tmp_path), "real", "PA3ABC")
    with pytest.raises(GuardError, match="made-up market, this warehouse holds real data"):
        check_market(real, "real", "PASB00000001")
    with pytest.raises(GuardError, match="a real market, this warehouse holds made-up data"):
        check_market(made_up, "sandbox", "PASW00000001")
    assert [fills_later(x) for x in (made_up, real, paper(tmp_path))] == [False, True, False]


def test_unknown_statuses_are_never_final() -> None:
    assert [state_of(s) for s in ("filled", "replaced", "done_for_day", "calculated", "pending_review", "zzz")] == [
        "filled", "canceled", "accepted", "accepted", "accepted", "accepted",
    ]  # fmt: skip


@pytest.mark.needs_material
def test_every_recorded_refusal_has_a_reason_code() -> None:
    rows = json.loads(needs(WIRE / "alpaca" / "payloads" / "errors.json").read_text())
    codes = {refusal_code(json.loads(r["body"])["message"]) for r in rows if r["op"].startswith("POST")}
    assert codes == {
        "DUPLICATE_ID", "INSUFFICIENT_QTY", "NOT_FRACTIONABLE", "INSUFFICIENT_CASH", "OPPOSITE_OPEN_ORDER", "MALFORMED",
        "REJECTED",
    }  # fmt: skip


@pytest.mark.needs_material
def test_recorded_fills_are_read_exactly() -> None:
    path = WIRE / "alpaca" / "payloads" / "paper_recording_2026-10-08" / "fill_activities.json"
    rows = [parse_activity(r) for r in json.loads(needs(path).read_text())]
    assert (rows[0].symbol, rows[0].qty, rows[0].price) == ("KO", Decimal("0.057436865"), Decimal("86.878"))
    assert rows[0].occurred_at.isoformat() == "2026-10-08T15:10:18.097465+00:00"
    assert len({r.activity_id for r in rows}) == 6


def test_nine_fraction_digits_and_dates_without_time_are_read() -> None:
    base: dict[str, Any] = {"id": "1", "activity_type": "FILL"}
    at = parse_activity({**base, "transaction_time": "2026-10-08T15:10:18.094153596Z"}).occurred_at
    assert at.isoformat() == "2026-10-08T15:10:18.094153+00:00"
    day = parse_activity({"id": "2", "activity_type": "DIV", "date": "2026-07-01", "net_amount": "1.02"})
    assert day.occurred_at.isoformat() == "2026-07-01T04:00:00+00:00"
    assert day.net_amount == Decimal("1.02")


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"id": "1"},
        {"id": "1", "activity_type": "FILL", "transaction_time": "soon"},
        {"id": "1", "activity_type": "DIV", "date": "2026-07-01", "net_amount": "NaN"},
    ],
)
def test_an_unreadable_activity_is_an_error_and_never_skipped(row: dict[str, Any]) -> None:
    with pytest.raises(BrokerError, match="cannot be read"):
        parse_activity(row)
