"""The server's processes of an application get a lower priority; nobody else's do."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import psycopg
import pytest

from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.priority import giving_way, lower
from tests.support.job import wait_for


def _pid(conn: psycopg.Connection) -> int:
    return conn.info.backend_pid


@pytest.mark.skipif(sys.platform != "linux", reason="the policy SCHED_IDLE is Linux's")
def test_only_the_named_application_gives_way(warehouse: Warehouse) -> None:
    with (
        psycopg.connect(warehouse.url, application_name="a-build") as build,
        psycopg.connect(warehouse.url, application_name="a-read") as read,
        giving_way(warehouse.url, "a-build"),
    ):
        wait_for(lambda: os.sched_getscheduler(_pid(build)) == os.SCHED_IDLE)
        assert os.sched_getscheduler(_pid(read)) == os.SCHED_OTHER


def test_a_server_elsewhere_is_left_alone() -> None:
    with giving_way("postgresql://nobody@127.0.0.1:1/nothing", "a-build"):
        pass


def test_a_server_that_is_away_is_no_failure(tmp_path) -> None:
    with giving_way(f"postgresql://postgres@/x?host={tmp_path}", "a-build"):
        pass


def test_a_process_that_is_no_server_is_left_alone() -> None:
    before = os.sched_getscheduler(os.getpid())
    lower(os.getpid())
    assert os.sched_getscheduler(os.getpid()) == before
    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(2**22 + 1)
    lower(2**22 + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="the policy SCHED_IDLE is Linux's")
def test_a_process_gives_way_with_all_it_starts_and_leaves_its_parent_alone() -> None:
    code = "import os; from pas_lib.warehouse.priority import give_way; give_way(); print(os.sched_getscheduler(0))"
    code += "; pid = os.fork(); print(os.sched_getscheduler(0)) if pid == 0 else os.wait()"
    done = subprocess.run([sys.executable, "-uc", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(os.SCHED_IDLE)] * 2
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
