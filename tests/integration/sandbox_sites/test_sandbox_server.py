"""Clock and faults over HTTP, and the server as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.errors import PasError
from pas_lib.sandbox.__main__ import claim
from pas_lib.sandbox.faults import KINDS, SITES
from pas_lib.sandbox.world import generator_version

SPY = "/yahoo/v8/finance/chart/SPY?range=1mo&interval=1d"
ROOT = Path(__file__).resolve().parents[3]


def test_clock_and_world(moving: Any) -> None:
    assert moving.get("/sandbox/clock").json() == {"now": "2026-01-31T01:00:00+00:00", "session": "2026-01-30"}
    assert moving.advance("open") == {"now": "2026-02-02T14:30:00+00:00", "session": "2026-02-02"}
    url = f"{moving.sandbox.url}/sandbox/advance"
    for wrong in ({"to": "2020-01-01"}, {"to": "noon"}, {}, {"to": 5}):
        answer = moving.session.post(url, json=wrong, timeout=5)
        assert answer.status_code == 422
        assert "\n" not in answer.json()["error"]
    assert moving.session.post(url, data=b"{", timeout=5).json() == {"error": "the body is not JSON"}
    moving.get(SPY)
    moving.get("/yahoo/v8/finance/chart/NOSUCH")
    world = moving.get("/sandbox/world").json()
    assert (world["seed"], world["first_decision_session"], world["origin"]) == (7, "2026-01-30", "sandbox")
    assert world["requests"] == {"yahoo": 2}
    assert world["statuses"] == {"yahoo 200": 1, "yahoo 404": 1}
    assert moving.get("/sandbox/nothing").status_code == 404


def test_rate_limit_with_retry_after_then_well_again(moving: Any) -> None:
    moving.fault(site="yahoo", kind="429", times=2, retry_after=3)
    for _ in range(2):
        answer = moving.get(SPY)
        assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (429, "3", "Too Many Requests\r\n")
    assert moving.get(SPY).status_code == 200
    moving.fault(site="fred", kind="429")
    body = moving.get("/fred/fred/series?series_id=GDPC1").json()
    assert body == {"error_code": 429, "error_message": "Too Many Requests.  Exceeded Rate Limit"}
    assert moving.get("/fredgraph/graph/fredgraph.csv?id=DGS10").status_code == 200  # another site


def test_spoiled_bodies(moving: Any) -> None:
    whole = moving.get(SPY).content
    moving.fault(site="yahoo", kind="truncated", times=1)
    assert moving.get(SPY).content == whole[: len(whole) // 2]
    moving.fault(site="yahoo", kind="disconnect", times=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        moving.get(SPY)
    moving.fault(site="yahoo", kind="columns", times=1)
    assert set(moving.get(SPY).json()["chart"]["result"][0]["indicators"]["quote"][0]) >= {"closePrice", "open"}
    moving.fault(site="yahoo", kind="challenge", times=1)
    page = moving.get(SPY)
    assert page.status_code == 200
    assert "Just a moment..." in page.text
    moving.fault(site="yahoo", kind="empty", times=1)
    assert moving.get(SPY).json() == {"chart": {"result": [], "error": None}}
    moving.fault(site="yahoo", kind="blank", times=1)
    assert moving.get(SPY).content == b""
    moving.fault(site="yahoo", kind="500", times=1, status=503)
    assert moving.get(SPY).status_code == 503
    assert moving.get(SPY).content == whole


def test_changed_columns_change_every_site(moving: Any) -> None:
    pages = {
        "wikimedia": "/wikimedia/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/"
        + moving.sandbox.world.views.titles[0].replace(" ", "_")
        + "/daily/20260101/20260120",
        "wikipedia": "/wikipedia/wiki/List_of_S%26P_400_companies",
        "ishares": "/ishares/us/products/239710/ishares-russell-2000-etf/latest-holdings.csv",
        "fred": f"/fred/fred/series/observations?series_id=GDPC1&file_type=json&api_key={'sandbox0'.ljust(32, '0')}",
        "fredgraph": "/fredgraph/graph/fredgraph.csv?id=DGS10",
        "quiver-api": "/quiver-api/beta/live/congresstrading",
        "quiver": "/quiver/congresstrading/",
        "alpaca-data": "/alpaca-data/v2/stocks/bars?symbols=SPY&start=2026-01-05",
    }
    headers = {"Authorization": "Bearer sandbox", "APCA-API-KEY-ID": "SANDBOX", "APCA-API-SECRET-KEY": "sandbox-secret"}
    for site, path in pages.items():
        before = moving.get(path, headers=headers)
        assert before.status_code == 200, site
        for kind in ("columns", "empty"):
            moving.fault(site=site, kind=kind, times=1)
            spoiled = moving.get(path, headers=headers)
            assert spoiled.status_code == 200
            assert spoiled.content != before.content, (site, kind)
        assert moving.get(path, headers=headers).content == before.content


def test_time_out_holds_only_the_caller(moving: Any) -> None:
    moving.fault(site="yahoo", kind="timeout", path="SPY", seconds=20)
    with pytest.raises(requests.exceptions.ReadTimeout):
        moving.session.get(moving.sandbox.url + SPY, timeout=0.2)
    assert moving.get("/yahoo/v8/finance/chart/XLK?range=5d").status_code == 200


def test_an_answer_can_be_lost_after_the_work_was_done(moving: Any) -> None:
    moving.fault(site="alpaca", kind="500", after=True, times=1, method="POST", status=504)
    keys = {"APCA-API-KEY-ID": "SANDBOX", "APCA-API-SECRET-KEY": "sandbox-secret"}
    order = {
        "symbol": "SPY",
        "qty": "1",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": "once",
    }
    url = f"{moving.sandbox.url}/alpaca/v2/orders"
    assert moving.session.post(url, json=order, headers=keys, timeout=5).status_code == 504
    found = moving.get("/alpaca/v2/orders:by_client_order_id?client_order_id=once", headers=keys)
    assert found.status_code == 200
    assert found.json()["symbol"] == "SPY"


def test_switchboard(moving: Any) -> None:
    url = f"{moving.sandbox.url}/sandbox/faults"
    shown = moving.get("/sandbox/faults").json()
    assert (shown["faults"], shown["sites"], shown["kinds"]) == ([], list(SITES), list(KINDS))
    for wrong in (
        {"site": "yahoo"},
        {"site": "x", "kind": "500"},
        {"site": "yahoo", "kind": "x"},
        {"site": "yahoo", "kind": "500", "often": 1},
    ):
        answer = moving.session.put(url, json=wrong, timeout=5)
        assert answer.status_code == 422, wrong
    moving.fault(site="yahoo", kind="500")
    moving.fault(site="fred", kind="500")
    assert moving.session.delete(url, params={"site": "yahoo"}, timeout=5).json()["faults"][0]["site"] == "fred"
    assert moving.session.delete(url, timeout=5).json()["faults"] == []


def _start(home: Path, port: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pas_lib.sandbox", "--port", str(port), "--home", str(home), "--size", "small"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=home)


def test_the_process_keeps_its_clock_and_ends_on_sigterm(tmp_path: Path) -> None:
    for expected in ("2026-01-30", "2026-02-02"):
        process = _start(tmp_path)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[3]
            session = requests.Session()
            session.trust_env = False
            assert session.get(f"{url}/sandbox/clock", timeout=5).json()["session"] == expected
            session.post(f"{url}/sandbox/advance", json={"to": "evening"}, timeout=5)
            session.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            _, errors = process.communicate()
        assert "Traceback" not in errors


def test_a_home_belongs_to_one_world(tmp_path: Path) -> None:
    claim(tmp_path, 7, "small")
    claim(tmp_path, 7, "small")
    with pytest.raises(PasError, match="another sandbox world"):
        claim(tmp_path, 8, "small")
    mark = tmp_path / "sandbox.json"
    mark.write_text(mark.read_text().replace(generator_version(), "000000000000"))
    with pytest.raises(PasError, match="remove this one"):
        claim(tmp_path, 7, "small")


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = _start(tmp_path, port)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, "")
    assert errors.count("\n") == 1
    assert f"port {port} on 127.0.0.1" in errors
    assert "--port" in errors
