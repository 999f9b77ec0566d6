"""The HTTP client: politeness, retries, what it refuses, what it never tells."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pas_lib.errors import PayloadError, SourceError
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client, politeness, strip_credentials
from tests.support.charts import NOT_FOUND, chart
from tests.support.loopback import Answer, serve

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
GOOD = chart("X", [])


def settings_for(url: str, tmp_path, **more: str):
    return load_settings({"PAS_HOME": str(tmp_path), "PAS_SANDBOX_URL": url, **more}, root=tmp_path)


def fetch(handler, tmp_path, *, name="yahoo_chart", items=("X",), dataset="prices", **more):
    with serve(handler) as site:
        settings = settings_for(site.url, tmp_path, **more)
        ask = Ask(dataset, settings, NOW, datetime(2026, 1, 1, tzinfo=UTC).date(), items)
        with Client(source(name), settings, NOW) as client:
            pages = [page for pages in client.fetch_all(source(name).requests(ask)) for page in pages]
    return pages, site


def sequence(*answers: Answer):
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.b/c?series_id=GDP&api_key=SECRET&x=1", "https://a.b/c?series_id=GDP&x=1"),
        ("https://user:SECRET@a.b/c", "https://a.b/c"),
        ("https://a.b/c?token=SECRET", "https://a.b/c"),
        ("https://a.b/c?crumb=SECRET&API_KEY=SECRET#part", "https://a.b/c"),
        ("https://a.b/c?events=div,splits&period1=0", "https://a.b/c?events=div,splits&period1=0"),
    ],
)
def test_credentials_are_stripped(url, shown):
    assert strip_credentials(url) == shown


def test_a_rate_limit_is_waited_out(tmp_path):
    busy = Answer("Too Many Requests", 429, "text/plain", {"Retry-After": "0"})
    pages, site = fetch(sequence(busy, busy, Answer(GOOD)), tmp_path)
    assert [page.status for page in pages] == [200]
    assert len(site.seen) == 3
    assert site.seen[0].headers["user-agent"].startswith("Mozilla/5.0")


def test_a_long_wait_is_not_cut_short_but_told(tmp_path):
    asked = []

    def handler(request):
        asked.append(request.path)
        return Answer("Too Many Requests", 429, "text/plain", {"Retry-After": "3600"})

    with pytest.raises(SourceError, match="asks to wait 3600 s"):
        fetch(handler, tmp_path)
    assert len(asked) == 1


def test_attempts_are_bounded_and_the_error_names_site_status_and_address(tmp_path):
    with pytest.raises(SourceError, match=r"yahoo_chart: HTTP 500 from http://127.0.0.1:\d+/yahoo/v8/finance/chart/X"):
        fetch(lambda request: Answer("<html>down</html>", 500, "text/html"), tmp_path)


def test_a_truncated_answer_is_asked_for_again(tmp_path):
    pages, site = fetch(sequence(Answer(GOOD, cut_at=40), Answer(GOOD)), tmp_path)
    assert pages[0].body == GOOD
    assert len(site.seen) == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer("<!DOCTYPE html><html><title>Just a moment...</title></html>", content_type="text/html"), "HTML page"),
        (Answer(b""), "the answer is empty"),
        (Answer(GOOD[:50]), "not JSON or cut off"),
        (Answer('{"finance":{"error":{"description":"Invalid Crumb"}}}'), "Invalid Crumb"),
    ],
)
def test_a_wrong_body_with_status_200_is_asked_for_once_more_and_then_refused(answer, said, tmp_path):
    asked = []

    def handler(request):
        asked.append(request.path)
        return answer

    with pytest.raises(PayloadError, match=said):
        fetch(handler, tmp_path)
    assert len(asked) == 2


def test_an_unknown_symbol_is_an_answer(tmp_path):
    pages, site = fetch(lambda request: Answer(NOT_FOUND, 404), tmp_path)
    assert pages[0].status == 404
    assert len(site.seen) == 1
    with pytest.raises(PayloadError):
        fetch(lambda request: Answer("<html>gone</html>", 404, "text/html"), tmp_path)


def test_many_symbols_keep_their_order(tmp_path):
    symbols = tuple(f"S{i:02d}" for i in range(40))
    pages, site = fetch(lambda request: Answer(GOOD), tmp_path, items=symbols)
    assert [page.label for page in pages] == list(symbols)
    assert sorted(site.paths()) == [f"/yahoo/v8/finance/chart/{symbol}" for symbol in symbols]


def test_no_answer_ends_with_the_time_out(tmp_path):
    with pytest.raises(SourceError, match="connection failed"):
        settings = settings_for("http://127.0.0.1:9", tmp_path)
        ask = Ask("prices", settings, NOW, NOW.date(), ("X",))
        with Client(source("yahoo_chart"), settings, NOW, attempts=2) as client:
            list(client.fetch_all(source("yahoo_chart").requests(ask)))


@pytest.mark.parametrize("longest", [10, 100_000])
def test_an_answer_that_is_longer_than_memory_allows_is_refused(longest, tmp_path, monkeypatch):
    monkeypatch.setattr("pas_lib.sources.http._LARGEST", 1 << 20)
    monkeypatch.setattr("pas_lib.sources.http._LONG", longest)
    body = GOOD + b" " * (1 << 20)
    with pytest.raises(SourceError, match=r"yahoo_chart: more than 1 MB came at once from http://.*/chart/X\?"):
        fetch(lambda request: Answer(body), tmp_path)
    pages, _ = fetch(lambda request: Answer(body[: 1 << 20]), tmp_path)
    assert len(pages[0].body) == 1 << 20


def test_a_site_that_drips_its_bytes_is_given_up(tmp_path):
    """Each byte comes within the time-out of a read; the whole would take an hour."""
    stop = threading.Event()

    class Drip(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "36000")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not stop.wait(0.05):
                    self.wfile.write(b" ")
                    self.wfile.flush()

        def log_message(self, format, *args):
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Drip)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        settings = settings_for(url, tmp_path, PAS_HTTP_TIMEOUT_SEC="0.1")
        request = next(iter(source("yahoo_chart").requests(Ask("prices", settings, NOW, NOW.date(), ("X",)))))
        client = Client(source("yahoo_chart"), settings, NOW, attempts=1)
        with client, pytest.raises(SourceError, match=r"yahoo_chart: no answer within 0\.1 s from http"):
            client.look_up(request)
    finally:
        stop.set()
        server.shutdown()
        server.server_close()


def test_no_error_tells_a_key(tmp_path):
    canary = "canary0123456789canary0123456789"

    def handler(request):
        return Answer(f'{{"error_code":403,"error_message":"key {canary} refused"}}', 403)

    with serve(handler) as site:
        settings = load_settings(
            {"PAS_HOME": str(tmp_path), "PAS_SOURCES": "subscribed", "FRED_API_KEY": canary}, root=tmp_path
        )
        fred = source("fred")
        ask = Ask("macro_series", settings, NOW, NOW.date(), ("GDPC1",))
        request = next(iter(fred.requests(ask)))
        assert request.params["api_key"] == canary
        moved = type(request)(**{**request.__dict__, "url": f"{site.url}/fred/series/observations"})
        with Client(fred, settings, NOW) as client, pytest.raises(SourceError) as caught:
            client.fetch(moved)
    assert canary not in str(caught.value)
    assert "***" in str(caught.value)


def test_no_error_tells_a_key_that_goes_in_a_header(tmp_path):
    canary = "canary0123456789canary0123456789"

    def handler(request):
        said = f"{request.headers['apca-api-key-id']} with {request.headers['apca-api-secret-key']} is unknown"
        return Answer(f'{{"message":"{said}"}}', 403)

    keys = {"ALPACA_API_KEY": canary, "ALPACA_API_SECRET": canary[::-1], "PAS_SOURCES": "subscribed"}
    with serve(handler) as site:
        settings = load_settings({"PAS_HOME": str(tmp_path), **keys}, root=tmp_path)
        alpaca = source("alpaca_bars")
        request = next(iter(alpaca.requests(Ask("prices", settings, NOW, NOW.date(), ("X",)))))
        with Client(alpaca, settings, NOW) as client, pytest.raises(SourceError, match="HTTP 403") as caught:
            client.fetch(replace(request, url=f"{site.url}/v2/stocks/bars"))
    assert canary not in str(caught.value)
    assert canary[::-1] not in str(caught.value)
    assert "*** with ***" in str(caught.value)


def test_the_other_authorization_scheme_is_tried_once(tmp_path):
    def handler(request):
        if request.headers["authorization"].startswith("Token "):
            row = '"Representative":"J","ReportDate":"2026-01-20","TransactionDate":"2026-01-05","Transaction":"Sale"'
            return Answer(f'[{{"Ticker":"X",{row},"Range":"$1,001 - $15,000"}}]')
        return Answer('{"detail":"Invalid token."}', 401)

    pages, site = fetch(handler, tmp_path, name="quiver_api", dataset="politician_trades")
    assert [request.headers["authorization"] for request in site.seen] == ["Bearer sandbox", "Token sandbox"]
    assert pages[0].status == 200


def test_real_sites_are_asked_slowly(tmp_path):
    settings = load_settings(
        {"PAS_HOME": str(tmp_path), "PAS_SOURCES": "subscribed", "QUIVER_RATE_SEC": "2.5"}, root=tmp_path
    )
    assert politeness("quiver-api", settings).per_second == pytest.approx(0.4)
    assert politeness("fred", settings).per_second < 2
    assert politeness("yahoo", settings_for("http://127.0.0.1:1", tmp_path)).per_second == 0


def test_fred_pages_to_the_end(tmp_path):
    rows = [
        {"realtime_start": "2020-01-01", "realtime_end": "2020-01-01", "date": f"2020-01-0{i}", "value": str(i)}
        for i in range(1, 6)
    ]

    def handler(request):
        import json

        offset = int(request.query.get("offset", 0))
        body = {"realtime_start": "2020-01-01", "realtime_end": "9999-12-31", "output_type": 1, "count": 5}
        return Answer(json.dumps({**body, "offset": offset, "limit": 2, "observations": rows[offset : offset + 2]}))

    pages, site = fetch(handler, tmp_path, name="fred", dataset="macro_series", items=("VIXCLS",))
    assert [request.query.get("offset") for request in site.seen] == [None, "2", "4"]
    assert sum(batch.num_rows for page in pages for batch in source("fred").parse(page)) == 5
    assert all("api_key" not in page.url for page in pages)


def test_a_series_without_vintages_is_asked_for_without_them(tmp_path):
    error = (
        '{"error_code":400,"error_message":"Bad Request.  The series does not exist in ALFRED but may exist in FRED."}'
    )
    one = (
        '{"realtime_start":"2026-01-30","realtime_end":"2026-01-30","output_type":1,"count":1,"offset":0,"limit":9,'
        '"observations":[{"realtime_start":"2026-01-30","realtime_end":"2026-01-30","date":"2025-12-01","value":"4.1"}]}'
    )

    def handler(request):
        return Answer(error, 400) if "realtime_start" in request.query else Answer(one)

    pages, _ = fetch(handler, tmp_path, name="fred", dataset="macro_series", items=("UNRATE",))
    rows = [row for page in pages for batch in source("fred").parse(page) for row in batch.table.to_pylist()]
    assert [(row["value"], row["vintage"]) for row in rows] == [(4.1, "lag_rule")]


def test_answers_of_a_long_collection_carry_the_time_at_which_they_came(tmp_path, monkeypatch):
    passed = [0.0]
    monkeypatch.setattr("pas_lib.sources.http.monotonic", lambda: passed[0])
    for sources, minutes in (("public", 95), ("sandbox", 0)):
        values = {"PAS_HOME": str(tmp_path), "PAS_SOURCES": sources, "PAS_CONTACT": "me@fund.example"}
        client = Client(source("senate_lda"), load_settings(values, root=tmp_path), NOW)
        passed[0] += 59.0
        assert client.fetched_at() == NOW
        passed[0] += 95 * 60.0
        assert client.fetched_at() == NOW + timedelta(minutes=minutes)
