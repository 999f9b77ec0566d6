"""The compose stack's own services, run as processes on loopback, finish the main job though a worker dies."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from pas_lib.stack.secrets_file import COMPOSE_SECRETS
from pas_lib.warehouse import Warehouse
from tests.support.compose import Processes, missing_programs, postgres_for
from tests.support.job import free_ports, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.airflow]


@pytest.fixture(scope="module")
def stack() -> Iterator[Processes]:
    if lacking := missing_programs():
        pytest.skip(f"not on this machine: {', '.join(lacking)}")
    names = ("postgres", "redis", "airflow", "sandbox", "api")
    with tempfile.TemporaryDirectory(prefix="pas-compose-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        secrets = {name: make() for name, make in COMPOSE_SECRETS.items()}
        one = Processes(home, secrets, dict(zip(names, free_ports(len(names)), strict=True)))
        with postgres_for(one):
            try:
                one.start("redis")
                one.run("prepare", timeout=180)
                one.start("sandbox")
                one.start("airflow-api-server")
                one.healthy("airflow-api-server")
                one.start("airflow-scheduler")
                one.start("airflow-dag-processor")
                one.start("airflow-triggerer", AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=str(free_ports(1)[0]))
                # On one machine two workers need names and log ports of their own, which containers give them.
                for number in (1, 2):
                    port = str(free_ports(1)[0])
                    one.start("airflow-worker", f"worker-{number}", AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=port)
                one.start("api")
                one.healthy("sandbox")
                one.healthy("airflow-scheduler")
                one.healthy("api")
                yield one
            finally:
                one.stop()


def owner(stack: Processes) -> Warehouse:
    return Warehouse(stack.environment("prepare")["PAS_DATABASE_URL"])


def test_the_main_job_ends_though_one_of_two_workers_is_killed(stack: Processes) -> None:
    job = stack.start("job")
    wait_for(lambda: b"collect" in stack.log("job").encode() and loaded(stack) >= 1, seconds=300)
    stack.kill("worker-1")
    try:
        assert job.wait(timeout=900) == 0, stack.log("job")
    except subprocess.TimeoutExpired:
        pytest.fail(stack.log("job"))
    told = stack.log("job")
    for step in ("collect", "transform", "decide", "execute", "evaluate"):
        assert f"{step}: done" in told
    warehouse = owner(stack)
    states = {
        row["state"]: row["n"] for row in warehouse.rows("select state, count(*) as n from ops.orders group by state")
    }
    assert set(states) == {"filled"}
    assert states["filled"] > 0
    assert warehouse.rows("select count(*) - count(distinct client_order_id) as twice from ops.orders") == [
        {"twice": 0}
    ]
    assert warehouse.rows("select is_clean from ops.reconciliations order by reconciliation_id desc limit 1") == [
        {"is_clean": True}
    ]


def loaded(stack: Processes) -> int:
    rows = owner(stack).rows("select count(*) as n from ops.ingest_runs where status = 'loaded'")
    return int(rows[0]["n"])


def test_the_api_answers_from_its_own_role_and_owns_nothing(stack: Processes) -> None:
    address = f"http://127.0.0.1:{stack.ports['api']}"
    token = stack.secrets["API_READ_TOKEN"]
    answer = requests.get(f"{address}/db/prices", params={"limit": 1}, headers={"Authorization": token}, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["X-PAS-Source"] == "postgres"
    url = stack.environment("api")["PAS_DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in (
            "delete from ops.orders",
            "update ops.orders set state = 'filled'",
            "insert into ops.trades default values",
            "update ops.decisions set scale = 1",
            "insert into ops.weight_history default values",
            "update raw.prices set close = 0",
            "update ops.warehouse_identity set origin = 'real'",
            "create table ops.mine (n int)",
            "drop table raw.prices",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)
    with pytest.raises(psycopg.OperationalError, match=r"permission denied for database"):
        psycopg.connect(url.replace("/pas", "/airflow").replace("//airflow", "//pas"))


def test_no_role_can_do_what_another_is_for(stack: Processes) -> None:
    warehouse = stack.environment("prepare")["PAS_DATABASE_URL"]
    metadata = stack.environment("airflow-scheduler")["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    api = stack.environment("api")["PAS_DATABASE_URL"]
    # Neither of the owners opens the other's database, and nobody rules the server.
    for url, other in ((warehouse, "airflow"), (api, "airflow"), (metadata, "pas")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"{url.rpartition('/')[0]}/{other}")
        with psycopg.connect(url, autocommit=True) as conn:
            for statement in (
                "create database mine",
                "create role mine superuser",
                "copy (select 1) to program 'true'",
                "alter system set shared_buffers = '1GB'",
                "select pg_read_file('/etc/passwd')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    conn.execute(statement)
    # Only the API has its own role: tokens and plans are written by it as by the command line.
    with psycopg.connect(api, autocommit=True) as conn:
        assert conn.execute("select current_user").fetchone() == ("pas_api",)
        conn.execute("insert into ops.system_logs (logged_at, level, program, event) values (now(), 'info', 'x', 'y')")


def test_every_health_check_passes(stack: Processes) -> None:
    """The commands of the file themselves; those of the servers' images are not here."""
    ours = set(stack.services) - {"postgres", "redis", "prometheus", "grafana"}
    checked = {name for name in ours if "healthcheck" in stack.services[name]}
    assert checked == {
        "airflow-api-server",
        "airflow-scheduler",
        "airflow-dag-processor",
        "airflow-triggerer",
        "airflow-worker",
        "api",
        "sandbox",
    }
    for name in sorted(checked):
        stack.healthy(name, name="worker-2" if name == "airflow-worker" else "")


def test_prepare_may_be_run_again_while_everything_is_up(stack: Processes) -> None:
    before = owner(stack).rows("select max(version) as v from ops.schema_version")
    assert "prepared" in stack.run("prepare", timeout=180)
    assert owner(stack).rows("select max(version) as v from ops.schema_version") == before
