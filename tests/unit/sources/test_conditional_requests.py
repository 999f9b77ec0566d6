"""Conditional requests, the wish to wait, and pages that are streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.errors import PayloadError, SourceError
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, Payload, Request, source
from pas_lib.sources.http import Client, Known, _retry_after, request_key
from tests.support.charts import chart
from tests.support.loopback import Answer, Seen, Site, serve

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
GOOD = chart("X", [])


class Kept:
    """A memory of what a test puts into it."""

    def __init__(self, *payloads: Payload) -> None:
        self.payloads = {payload.key: payload for payload in payloads}
        self.gone = False

    def answered(self, key: str) -> Payload | None:
        return None

    def known(self, key: str) -> Known | None:
        found = self.payloads.get(key)
        return Known(found.etag, found.last_modified, "a/b", hashlib.sha256(found.body).hexdigest()) if found else None

    def earlier(self, known: Known) -> Payload | None:
        return None if self.gone else next(iter(self.payloads.values()))


def request_for(site: Site, **more: Any) -> Request:
    return Request(
        "yahoo_chart", "prices", "X", f"{site.url}/yahoo/v8/finance/chart/X", context={"symbol": "X"}, **more
    )


@pytest.fixture
def client_of(tmp_path: Path):
    def make(site: Site, memory: Kept | None = None) -> Client:
        settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_SANDBOX_URL": site.url}, root=tmp_path)
        return Client(source("yahoo_chart"), settings, NOW, memory=memory)

    return make


def site_with(headers: dict[str, str], condition: str, value: str):
    def answer(seen: Seen) -> Answer:
        if seen.headers.get(condition) == value:
            return Answer(b"", 304, headers=headers)
        return Answer(GOOD, headers=headers)

    return answer


@pytest.mark.parametrize(
    ("headers", "condition", "value"),
    [
        ({"ETag": 'W/"one"'}, "if-none-match", 'W/"one"'),
        ({"Last-Modified": "Fri, 30 Jan 2026 20:00:00 GMT"}, "if-modified-since", "Fri, 30 Jan 2026 20:00:00 GMT"),
        ({"ETag": '"x"', "Last-Modified": "Fri, 30 Jan 2026 20:00:00 GMT"}, "if-none-match", '"x"'),
    ],
)
def test_what_has_not_changed_is_not_sent_again(headers, condition, value, client_of) -> None:
    with serve(site_with(headers, condition, value)) as site, client_of(site) as plain:
        (first,) = plain.fetch(request_for(site))
        assert (first.unchanged, first.landed) == (False, "")
        kept = Kept(first)
        with client_of(site, kept) as client:
            (second,) = client.fetch(request_for(site))
            assert (second.unchanged, second.landed, second.body) == (True, "a/b", GOOD)
            assert (second.fetched_at, second.status) == (NOW, 200)
            # The bytes are gone from the landing: the whole answer is asked for.
            kept.gone = True
            (third,) = client.fetch(request_for(site))
            assert (third.unchanged, third.body) == (False, GOOD)
        # Only one of two validators is sent, and none without a memory.
        assert [sorted(set(seen.headers) & {"if-none-match", "if-modified-since"}) for seen in site.seen] == [
            [], [condition], [condition], []
        ]  # fmt: skip


def test_a_304_nobody_asked_for_is_an_error(client_of) -> None:
    with (
        serve(lambda seen: Answer(b"", 304)) as site,
        client_of(site) as client,
        pytest.raises(SourceError, match="HTTP 304"),
    ):
        client.fetch(request_for(site))


def test_bodies_of_errors_have_no_validators_and_challenge_pages_are_no_answers(client_of) -> None:
    def missing(seen: Seen) -> Answer:
        body = b'{"chart":{"result":null,"error":{"code":"Not Found","description":"No data found"}}}'
        return Answer(body, 404, headers={"ETag": '"missing"', "Last-Modified": "Fri, 30 Jan 2026 20:00:00 GMT"})

    with serve(missing) as site, client_of(site) as client:
        (page,) = client.fetch(request_for(site))
        assert (page.status, page.etag, page.last_modified) == (404, "", "")
    challenge = Answer("<!DOCTYPE html><title>Just a moment...</title>", headers={"ETag": '"c"'})
    with serve(lambda seen: challenge) as site, client_of(site) as client, pytest.raises(PayloadError):
        client.fetch(request_for(site))


def test_the_identity_of_a_question_holds_no_credential() -> None:
    plain = Request("fred", "macro_series", "GDP", "https://a.b/c", params={"series_id": "GDP", "api_key": "one"})
    other = replace(plain, params={"api_key": "two", "series_id": "GDP"})
    assert request_key(plain) == request_key(other)
    assert request_key(plain) != request_key(replace(plain, params={"series_id": "DGS10"}))
    posted = replace(plain, json={"page": 1})
    assert len({request_key(plain), request_key(posted), request_key(replace(plain, json={"page": 2}))}) == 3


@pytest.mark.parametrize(
    ("value", "sent", "seconds"),
    [
        ("17", None, 17.0),
        ("0", None, 0.0),
        ("Sat, 31 Jan 2026 01:00:30 GMT", None, 30.0),
        # The site's clock counts, not ours.
        ("Sat, 31 Jan 2026 01:00:30 GMT", "Sat, 31 Jan 2026 01:00:20 GMT", 10.0),
        ("Sat, 31 Jan 2026 00:00:00 GMT", None, 0.0),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_both_forms_of_the_wish_to_wait(value: str | None, sent: str | None, seconds: float | None) -> None:
    answer = requests.Response()
    answer.headers.update({k: v for k, v in (("Retry-After", value), ("Date", sent)) if v is not None})
    assert _retry_after(answer, NOW) == seconds


def test_a_wish_to_wait_long_reaches_the_scheduler(client_of) -> None:
    until = (NOW + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    busy = Answer("later", 429, "text/plain", {"Retry-After": until})
    with serve(lambda seen: busy) as site, client_of(site) as client, pytest.raises(SourceError) as caught:
        client.fetch(request_for(site))
    assert caught.value.retry_after == 3600.0
    assert len(site.seen) == 1


def test_pages_are_streamed_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a window of pages is asked for before the first ones are taken."""
    yahoo = source("yahoo_chart")

    def next_page(request: Request, payload: Payload) -> Request | None:
        number = int(request.params.get("page", "1"))
        return request.with_params(page=str(number + 1)) if number < 200 else None

    monkeypatch.setattr(yahoo, "follow", next_page)
    with serve(lambda seen: Answer(GOOD + b" " * int(seen.query.get("page", "1")))) as site:
        settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_SANDBOX_URL": site.url}, root=tmp_path)
        asked = [request_for(site, params={"item": str(n)}) for n in range(3)]
        with Client(yahoo, settings, NOW) as client:
            pages: Iterator[tuple[int, Payload]] = client.pages(asked)
            first = [next(pages) for _ in range(5)]
            assert [number for number, _ in first] == [0] * 5
            assert len(site.seen) < 5 + 4 * 10
            rest = list(pages)
        assert [number for number, _ in first + rest] == [0] * 200 + [1] * 200 + [2] * 200
        numbers = [page.url.rpartition("page=")[2] for number, page in first + rest if number == 1]
        assert numbers[1:] == [str(n) for n in range(2, 201)]


def test_a_site_that_gives_the_same_page_for_every_number_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yahoo = source("yahoo_chart")
    monkeypatch.setattr(yahoo, "follow", lambda request, payload: request.with_params(page="2"))
    with serve(lambda seen: Answer(GOOD)) as site:
        settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_SANDBOX_URL": site.url}, root=tmp_path)
        with Client(yahoo, settings, NOW) as client, pytest.raises(SourceError, match="came once more") as caught:
            client.fetch(request_for(site))
    assert f"yahoo_chart: the page before came once more at {site.url}" in str(caught.value)
    assert len(site.seen) == 2


def test_a_failure_in_the_middle_stops_the_others(tmp_path: Path) -> None:
    def answer(seen: Seen) -> Answer:
        return Answer("<html>down</html>", 404, "text/html") if seen.path.endswith("S3") else Answer(GOOD)

    with serve(answer) as site:
        settings = load_settings({"PAS_HOME": str(tmp_path), "PAS_SANDBOX_URL": site.url}, root=tmp_path)
        ask = Ask("prices", settings, NOW, date(2026, 1, 1), tuple(f"S{n}" for n in range(300)))
        with Client(source("yahoo_chart"), settings, NOW) as client, pytest.raises(PayloadError):
            list(client.pages(source("yahoo_chart").requests(ask)))
        assert len(site.seen) < 100
