"""What a person finds in Airflow's own pages while the stack is up: log-in, notes, links, pages, backfill, deadlines.

One start of the stack serves it, and a second one, on real sources, the schedules: runs of the sandbox are asked for.
"""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from pas_lib import clock as calendar
from pas_lib.stack.state import STEPS
from tests.support.job import TOKENS, Job, job_of_its_own, wait_for
from tests.support.receiver import Receiver, receive

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

FRIDAY, WEDNESDAY = "2026-01-30", "2026-01-28"
LOGIN = {"username": "admin", "password": TOKENS["AIRFLOW_ADMIN_PASSWORD"]}


@dataclass
class Up:
    """A stack that is up, a person logged in to its Airflow, and the channel that is told."""

    job: Job
    channel: Receiver
    http: requests.Session

    @property
    def airflow(self) -> str:
        return f"http://127.0.0.1:{self.job.ports[2]}"

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.http.get(f"{self.airflow}{path}", params=query, timeout=60)

    def api(self, path: str, **query: Any) -> Any:
        answer = self.get(f"/api/v2{path}", **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def runs(self, dag_id: str, session: str) -> list[dict[str, Any]]:
        found = self.api(f"/dags/{dag_id}/dagRuns", order_by="-id")["dag_runs"]
        return [run for run in found if run["partition_key"] == session]

    def log_in(self) -> None:
        answer = requests.post(f"{self.airflow}/auth/token", json=LOGIN, timeout=30)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    with receive() as channel, job_of_its_own() as job:
        job.extra["PAS_NOTIFY_URLS"] = channel.url
        job.start()
        job.until("up until Ctrl-C")
        one = Up(job, channel, requests.Session())
        one.log_in()
        yield one
        job.signal(signal.SIGINT)
        assert job.finish() == 0, job.text
        assert job.left_behind() == []


def test_nothing_is_shown_without_a_log_in(up: Up) -> None:
    for path in ("/api/v2/dags", "/pas/dbt-docs", "/pas/dashboard", "/pas/api/dashboard", "/pas/api/events"):
        assert requests.get(f"{up.airflow}{path}", timeout=30, allow_redirects=False).status_code == 401, path
    wrong = LOGIN | {"password": "admin"}
    assert requests.post(f"{up.airflow}/auth/token", json=wrong, timeout=30).status_code == 401
    assert requests.get(f"http://127.0.0.1:{up.job.ports[1]}/portfolios", timeout=30).status_code == 401


def test_it_listens_on_127_0_0_1_and_nowhere_else_and_a_second_one_is_refused(up: Up) -> None:
    for port in up.job.ports:
        with socket.socket() as elsewhere:
            elsewhere.settimeout(5)
            # Not even on another loopback address, which 0.0.0.0 would answer.
            assert elsewhere.connect_ex(("127.0.0.2", port)) != 0
    second = Job(up.job.home, ports=up.job.ports)
    assert second.run("--once") == 1
    assert "another run is up" in second.text


def test_the_pages_are_in_the_menu_and_the_pools_are_there(up: Up) -> None:
    docs = up.get("/pas/dbt-docs")
    assert docs.status_code == 200
    assert docs.headers["Content-Security-Policy"] == "frame-ancestors 'self'"
    assert "daily_returns" in docs.text
    assert "SANDBOX" in up.get("/pas/dashboard").text
    (ours,) = [plugin for plugin in up.api("/plugins")["plugins"] if plugin["name"] == "pas"]
    assert [view["name"] for view in ours["external_views"]] == ["Dashboard", "dbt docs"]
    pools = {pool["name"]: pool["slots"] for pool in up.api("/pools")["pools"]}
    assert (pools["alpaca"], pools["sites"]) == (1, 3)


def test_every_run_has_a_note_with_its_summary(up: Up) -> None:
    notes = {step: up.runs(step, FRIDAY)[0]["note"] or "" for step in STEPS}
    with_orders = up.job.live().rows("select count(*) as n from ops.orders where state = 'filled'")[0]["n"]
    assert notes["collect"].startswith(f"gate of {FRIDAY}\n\n- session: {FRIDAY}\n- collected: 17")
    assert "success" in notes["transform"]
    assert "- gross: " in notes["decide"]
    assert f"({with_orders} filled" in notes["execute"]
    assert "- mirror: " in notes["evaluate"]
    for note in notes.values():
        assert "{" not in note  # nothing of a program's innards


def test_every_task_leads_to_what_it_did(up: Up) -> None:
    seen = set()
    for step in STEPS:
        run = up.runs(step, FRIDAY)[0]["dag_run_id"]
        for task in up.api(f"/dags/{step}/dagRuns/{run}/taskInstances", limit=100)["task_instances"]:
            if task["task_id"] == "approve":
                continue
            found = up.api(f"/dags/{step}/dagRuns/{run}/taskInstances/{task['task_id']}/links")["extra_links"]
            (link,) = found.values()
            seen.add(link)
            assert requests.get(f"{up.airflow}{link}", timeout=30).status_code == 401
    assert len(seen) > len(STEPS)
    for link in seen:
        answer = up.get(link)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), link


def test_a_browser_sees_them_inside_airflow(up: Up) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not on this machine")
    elsewhere: list[str] = []
    with playwright.sync_playwright() as browsers:
        chromium = browsers.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page()
        page.set_default_timeout(90_000)
        page.on(
            "request",
            lambda one: (
                None if one.url.startswith((up.airflow, "data:", "blob:", "about:")) else elsewhere.append(one.url)
            ),
        )
        page.goto(up.airflow)
        page.fill("input[name=username]", LOGIN["username"])
        page.fill("input[name=password]", LOGIN["password"])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"{up.airflow}/plugin/pas-dashboard")
        page.frame_locator("iframe").first.get_by_text("SANDBOX").first.wait_for()
        page.frame_locator("iframe").first.locator("#live.good").wait_for()
        page.goto(f"{up.airflow}/plugin/dbt-docs")
        page.frame_locator("iframe").first.get_by_placeholder("Search for models...").wait_for()
        chromium.close()
    assert elsewhere == []


def test_a_run_that_is_not_over_in_time_is_told(up: Up) -> None:
    # Nothing works on a run of a DAG that is paused; its deadline is put into the past, as time would do it.
    pause = f"{up.airflow}/api/v2/dags/freshness"
    assert up.http.patch(pause, json={"is_paused": True}, timeout=30).status_code == 200
    run = {"logical_date": None, "partition_key": FRIDAY, "dag_run_id": f"late__{FRIDAY}"}
    assert up.http.post(f"{pause}/dagRuns", json=run, timeout=30).status_code == 200
    up.job.live("airflow").execute(
        "update deadline set deadline_time = now() - interval '1 second'"
        " where dagrun_id = (select id from dag_run where run_id = %s)",
        (run["dag_run_id"],),
    )
    wait_for(lambda: "freshness is late" in " ".join(up.channel.titles), seconds=120)
    (logged,) = up.job.live().rows("select * from ops.system_logs where event = 'deadline missed'")
    assert (logged["level"], logged["run_id"], logged["fields"]) == ("warning", run["dag_run_id"], {"hours": 0.5})


def test_a_backfill_decides_a_past_session_as_a_replay_and_sends_nothing(up: Up) -> None:
    before = {name: up.job.live().rows(f"select * from ops.{name} order by 1, 2, 3, 4") for name in UNTOUCHED}
    window = {"from_date": f"{WEDNESDAY}T00:00:00Z", "to_date": f"{WEDNESDAY}T23:59:59Z"}
    wish = {"dag_id": "collect", "run_backwards": False, "dag_run_conf": {}, "reprocess_behavior": "completed"}
    asked = up.http.post(f"{up.airflow}/api/v2/backfills", json=wish | window | {"max_active_runs": 1}, timeout=60)
    assert asked.status_code == 200, asked.text

    def over() -> bool:
        up.log_in()
        states = [run["state"] for step in STEPS[:3] for run in up.runs(step, WEDNESDAY)]
        assert "failed" not in states
        return states == ["success"] * 3

    wait_for(over, seconds=600)
    (collected,) = up.runs("collect", WEDNESDAY)
    assert collected["run_type"] == "backfill"
    decided = up.job.live().rows("select session, origin from ops.decisions order by session")
    assert [(str(row["session"]), row["origin"]) for row in decided] == [(WEDNESDAY, "replay"), (FRIDAY, "live")]
    assert before == {name: up.job.live().rows(f"select * from ops.{name} order by 1, 2, 3, 4") for name in UNTOUCHED}
    assert up.runs("execute", WEDNESDAY) == []


UNTOUCHED = ("weight_history", "intents", "orders", "trades", "ledger_entries", "account_metrics")


def test_freshness_goes_by_its_own_schedule_and_tells_what_is_stale() -> None:
    """Real sources, empty tables, nobody asks for a run: the time of the next one has come."""
    with receive() as channel, job_of_its_own() as job:
        job.extra |= {
            "PAS_NOTIFY_URLS": channel.url,
            "PAS_SOURCES": "public",
            "PAS_CONTACT": "https://example.com/contact",
        }
        job.start(command="serve")
        job.until("Where it is")
        next_run = "select next_dagrun_create_after as at, next_dagrun_partition_key as key from dag where dag_id = %s"
        (planned,) = job.live("airflow").rows(next_run, ("freshness",))
        session = dt.date.fromisoformat(planned["key"])
        eight = calendar.ny_midnight(session).replace(hour=8)
        assert (calendar.is_session(session), planned["at"]) == (True, eight)
        job.live("airflow").execute(
            "update dag set next_dagrun_create_after = now() - interval '1 second' where dag_id = 'freshness'"
        )
        wait_for(lambda: any("freshness" in title for title in channel.titles), seconds=300)
        (logged,) = job.live().rows("select level, session, fields from ops.system_logs where event = 'stale'")
        runs = job.live("airflow").rows("select run_type, partition_key, state from dag_run where dag_id = 'freshness'")
        job.signal(signal.SIGTERM)
        assert job.finish() == 0, job.text
        assert job.left_behind() == []
    assert (logged["level"], logged["session"]) == ("error", session)
    assert any(line.startswith("prices: never collected") for line in logged["fields"]["datasets"])
    assert [(run["run_type"], run["partition_key"]) for run in runs] == [("scheduled", session.isoformat())]
