"""The server's processes of an application get a lower priority; nobody else's do."""

from __future__ import annotations

import psutil
import psycopg
import pytest

from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.priority import NICENESS, giving_way, lower
from tests.support.job import wait_for


def _pid(conn: psycopg.Connection) -> int:
    return conn.info.backend_pid


def test_only_the_named_application_gives_way(warehouse: Warehouse) -> None:
    with (
        psycopg.connect(warehouse.url, application_name="a-build") as build,
        psycopg.connect(warehouse.url, application_name="a-read") as read,
        giving_way(warehouse.url, "a-build"),
    ):
        before = psutil.Process(_pid(read)).nice()
        wait_for(lambda: psutil.Process(_pid(build)).nice() == NICENESS)
        assert psutil.Process(_pid(read)).nice() == before < NICENESS


def test_a_server_elsewhere_is_left_alone() -> None:
    with giving_way("postgresql://nobody@127.0.0.1:1/nothing", "a-build"):
        pass


def test_a_server_that_is_away_is_no_failure(tmp_path) -> None:
    with giving_way(f"postgresql://postgres@/x?host={tmp_path}", "a-build"):
        pass


def test_a_process_that_is_no_server_is_left_alone() -> None:
    me = psutil.Process()
    before = me.nice()
    lower(me.pid)
    assert me.nice() == before
    with pytest.raises(psutil.NoSuchProcess):
        psutil.Process(2**22 + 1)
    lower(2**22 + 1)
