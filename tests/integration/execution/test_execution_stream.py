"""The stream wakes up whoever waits; silent, broken or refused it changes nothing but the wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from pas_lib.execution import execute
from pas_lib.execution.steps import Steps
from pas_lib.execution.stream import TradeUpdates
from tests.integration.execution.conftest import D

KEY = {"key_id": "SANDBOX", "secret_key": "sandbox-secret"}


def finish(stage: Any, symbol: str, how: str = "fill") -> None:
    body = {"symbol": symbol, "how": how}
    assert requests.post(f"{stage.url}/sandbox/broker-finish", json=body, timeout=5).json()["done"] == 1


def stream_url(stage: Any) -> str:
    return stage.url.replace("http", "ws") + "/alpaca/stream"


@contextmanager
def conversation(stage: Any) -> Iterator[Any]:
    with connect(stream_url(stage), open_timeout=5, proxy=None) as socket:
        yield socket


def told(socket: Any) -> dict[str, Any]:
    frame = socket.recv(5)
    assert isinstance(frame, bytes)
    return json.loads(frame)


def test_the_conversation_is_the_recorded_one(stage: Any) -> None:
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    with conversation(stage) as socket:
        socket.send(json.dumps({"action": "authenticate", "data": KEY}))
        assert told(socket) == {
            "stream": "authorization", "data": {"action": "authenticate", "status": "authorized"},
        }  # fmt: skip
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert told(socket) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
        stage.fault("partial_fill", fraction=0.25)
        stage.execute()
        finish(stage, "AAA")
        events = [told(socket)["data"] for _ in range(3)]
    assert [e["event"] for e in events] == ["new", "partial_fill", "fill"]
    # Quantity and price are of this execution, the order's figures are cumulative.
    assert [(e["qty"], e["price"], e["position_qty"]) for e in events[1:]] == [
        ("49", "100", "49"),
        ("147", "100", "196"),
    ]
    assert [e["order"]["filled_qty"] for e in events] == ["0", "49", "196"]
    assert events[2]["execution_id"] != events[1]["execution_id"]
    assert not any(name.startswith("_") for name in events[0]["order"])


def test_a_wrong_key_is_told_and_shown_the_door(stage: Any) -> None:
    with conversation(stage) as socket:
        socket.send(json.dumps({"action": "authenticate", "data": {**KEY, "secret_key": "no"}}))
        assert told(socket)["data"]["status"] == "unauthorized"
    with TradeUpdates(stream_url(stage), "SANDBOX", "no") as updates:
        updates._thread.join(5)
        assert not updates._thread.is_alive()  # the key will not become right by trying
        naps: list[float] = []
        assert not updates.wait(3.0, naps.append)
        assert naps == [3.0]


def test_a_fill_ends_the_wait_at_once(stage: Any) -> None:
    """Between two questions lie ten minutes: without the stream this would take them."""
    stage.decide({"alpha": {"AAA": 0.2}})
    stage.at_open()
    stage.fault("no_fill")
    gateway = stage.gateway(use_stream=True, poll_pause=600.0, polls=3)
    made = gateway.updates()
    assert made is not None
    gateway.updates = lambda: made
    wait = made.wait

    def waiting(seconds: float, otherwise: Any) -> bool:
        assert made.wait_until_listening(10)
        threading.Thread(target=finish, args=(stage, "AAA")).start()
        return wait(seconds, otherwise)

    made.wait = waiting  # type: ignore[method-assign]
    report = execute(D, stage.settings, stage.clock, stage.warehouse, gateway=gateway, steps=Steps({}))
    assert [(o.state, o.filled_qty) for o in report.orders] == [("filled", Decimal(196))]
    assert stage.naps == []
    assert made.seen >= 1
    stage.assert_books_are_the_brokers()
    assert not made._thread.is_alive()


@pytest.mark.parametrize("how", ["silent", "dropped", "absent"])
def test_without_the_stream_everything_is_the_same(stage: Any, how: str) -> None:
    stage.decide({"alpha": {"AAA": 0.2, "BBB": 0.1}})
    stage.at_open()
    stage.fault("no_fill", symbol="AAA")
    gateway = stage.gateway(use_stream=True, poll_pause=0.01)
    stage.broker.stream.is_silent = how == "silent"
    if how == "absent":
        gateway._stream = (f"ws://127.0.0.1:1/{how}", "SANDBOX", "sandbox-secret")
    updates = gateway.updates()
    assert updates is not None
    gateway.updates = lambda: updates
    if how != "absent":
        enter = type(updates).__enter__

        class Ready:
            def __enter__(self) -> TradeUpdates:
                enter(updates)
                assert updates.wait_until_listening(10)
                if how == "dropped":
                    stage.broker.stream.drop()
                return updates

            def __exit__(self, *args: object) -> None:
                updates.__exit__(*args)

        gateway.updates = Ready
    report = execute(D, stage.settings, stage.clock, stage.warehouse, gateway=gateway, steps=Steps({}))
    assert {o.symbol: o.state for o in report.orders} == {"AAA": "accepted", "BBB": "filled"}
    assert report.problems == ()
    finish(stage, "AAA")
    assert stage.execute().is_complete
    assert stage.holdings() == {("alpha", "AAA"): Decimal(196), ("alpha", "BBB"): Decimal(196)}
    stage.assert_books_are_the_brokers()
