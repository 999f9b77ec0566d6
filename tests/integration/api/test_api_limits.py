"""Entity tags, request limits and the explanation of a weight."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from api.factory import create_app
from api.limits import LARGEST_BODY
from pas_lib.clock import FixedClock
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed
from tests.integration.api.conftest import NOW

ADMIN = {"Authorization": f"Bearer {seed.ADMIN}"}


def test_an_answer_that_has_not_changed_is_not_sent_again(filled: Warehouse, client: TestClient) -> None:
    first = client.get("/portfolios")
    tag = first.headers["ETag"]
    again = client.get("/portfolios", headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["X-PAS-Source"] == "postgres"
    filled.execute("update ops.portfolios set name = 'another name' where portfolio_id = 'congress_aggregate'")
    changed = client.get("/portfolios", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    assert "another name" in changed.text


def test_failures_and_pages_carry_no_tag(filled: Warehouse, client: TestClient) -> None:
    assert "ETag" not in client.get("/db/nothing").headers
    assert "ETag" not in client.get("/docs").headers
    assert "ETag" not in client.get("/db/orders", params={"format": "csv"}).headers


def test_an_address_that_asks_too_often_is_told_to_wait(filled: Warehouse, api_settings: Settings) -> None:
    settings = api_settings.model_copy(update={"api_requests_per_minute": 10})
    with TestClient(create_app(settings, clock=FixedClock(NOW)), headers={"Authorization": seed.READ}) as client:
        answers = [client.get("/orders") for _ in range(11)]
        assert [one.status_code for one in answers] == [200] * 10 + [429]
        assert answers[-1].headers["Retry-After"] == "60"
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert client.get("/health").status_code == 200


@pytest.mark.parametrize("stated", [True, False])
def test_a_body_that_is_too_large_does_nothing(filled: Warehouse, client: TestClient, stated: bool) -> None:
    body = b'{"state": "HALTED", "by": "Ada", "reason": "' + b"x" * LARGEST_BODY + b'"}'
    content = body if stated else (body[i : i + 65_536] for i in range(0, len(body), 65_536))
    headers = ADMIN | {"Content-Type": "application/json"}
    before = filled.rows("select count(*) as n from ops.trading_state")
    answer = client.post("/risk/breaker", content=content, headers=headers)
    assert answer.status_code in ((413,) if stated else (400, 413, 500))
    assert filled.rows("select count(*) as n from ops.trading_state") == before


def test_what_cannot_be_explained_is_named(filled: Warehouse, client: TestClient) -> None:
    unknown = client.get("/explain/nothing/SPY", params={"as_of": "2026-01-30"})
    assert unknown.status_code == 404
    weekend = client.get("/explain/congress_aggregate/SPY", params={"as_of": "2026-01-31"})
    assert weekend.status_code == 422
    assert "not a session" in weekend.json()["detail"]
    ahead = client.get("/explain/congress_aggregate/SPY", params={"as_of": "2027-01-04"})
    assert (ahead.status_code, ahead.json()["detail"]) == (422, "session 2027-01-04 has not closed yet")
