"""Events over real HTTP: what happens is told in order, and after a pause it goes on where it was."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import uvicorn

from api.factory import create_app
from pas_lib.clock import FixedClock
from pas_lib.execution.state import set_state
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.system_log import SystemLog
from tests.integration.api import seed
from tests.integration.api.conftest import MARKET_NOW, NOW
from tests.support.job import free_ports, wait_for

READ = {"Authorization": f"Bearer {seed.READ}"}
AT = FixedClock(datetime(2026, 2, 2, 15, 0, tzinfo=UTC))


@pytest.fixture
def address(filled: Warehouse, api_settings: Settings) -> Iterator[str]:
    app = create_app(api_settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
    app.state.event_interval = 0.02
    port = free_ports(1)[0]
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)


class Listener:
    """Reads a stream of events one at a time."""

    def __init__(self, address: str, **options: Any) -> None:
        headers = READ | options.pop("headers", {})
        self.answer = requests.get(f"{address}/events", params=options, headers=headers, stream=True, timeout=60)
        assert self.answer.status_code == 200, self.answer.text
        self._lines = self.answer.iter_lines(decode_unicode=True, chunk_size=1)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()

    def next(self) -> dict[str, Any]:
        event: dict[str, Any] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            if name:
                event[name] = value.strip()
            elif "data" in event:
                return event | {"data": json.loads(event["data"])}
            else:
                event = {}
        raise AssertionError("the stream ended")


def test_only_what_is_new_is_told_in_its_order(address: str, filled: Warehouse) -> None:
    with Listener(address) as listener:
        set_state(filled, AT, "REDUCING", who="Ada", reason="strange fills")
        first = listener.next()
        assert first["event"] == "state"
        assert (first["data"]["state"], first["data"]["reason"]) == ("REDUCING", "strange fills")
        SystemLog(filled, AT, "execute.execute").write("info", "execute finished")
        second = listener.next()
        assert (second["event"], second["data"]["event"]) == ("run", "execute finished")
        order = filled.rows("select client_order_id from ops.orders order by 1 limit 1")[0]["client_order_id"]
        filled.execute(
            "insert into ops.order_events (client_order_id, at, state) values (%s, %s, 'filled')", (order, AT.at)
        )
        third = listener.next()
        assert (third["event"], third["data"]["client_order_id"], third["data"]["state"]) == ("order", order, "filled")


def test_a_client_that_was_away_is_told_what_it_missed(address: str, filled: Warehouse) -> None:
    with Listener(address, only="state") as listener:
        set_state(filled, AT, "REDUCING", who="Ada", reason="one")
        seen = listener.next()
    set_state(filled, AT, "HALTED", who="Ada", reason="two")
    set_state(filled, AT, "ACTIVE", who="Ada", reason="three")
    with Listener(address, headers={"Last-Event-ID": seen["id"]}) as listener:
        assert [listener.next()["data"]["reason"] for _ in range(2)] == ["two", "three"]


def test_only_the_kinds_asked_for(address: str, filled: Warehouse) -> None:
    with Listener(address, only="run") as listener:
        set_state(filled, AT, "REDUCING", who="Ada", reason="not asked for")
        SystemLog(filled, AT, "api").write("info", "asked for")
        assert listener.next()["data"]["event"] == "asked for"
    refused = requests.get(f"{address}/events", params={"only": "nothing"}, headers=READ, timeout=10)
    assert refused.status_code == 422
    assert "kinds: run, order, fill, alert, state" in refused.json()["detail"]
    assert requests.get(f"{address}/events", timeout=10).status_code == 401


def test_a_position_that_is_none_begins_with_what_is_new(address: str) -> None:
    for position in ("", "1.2", "a.b.c.d.e", "\u00b2.1.1.1.1", ".".join(["9" * 5000] * 5), "-1.0.0.0.0"):
        headers = READ | {"Last-Event-ID": position.encode("latin-1")}
        with requests.get(f"{address}/events", headers=headers, stream=True, timeout=10) as answer:
            assert answer.status_code == 200, position[:20]
