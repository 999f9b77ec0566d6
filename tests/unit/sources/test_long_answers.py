"""An answer that is everything at once is read in parts, and says the same as when it is read as a whole."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pas_lib.errors import PayloadError
from pas_lib.sources import Batch, Payload, quiver_api, source
from pas_lib.sources.envelope import slices

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
SITE = source("quiver_api")


def payload(body: bytes) -> Payload:
    url = "https://a.b/beta/bulk/congresstrading?page=1"
    return Payload("quiver_api", "politician_trades", "bulk", url, 200, "", NOW, {"kind": "bulk"}, body)


def trades(count: int) -> list[dict[str, str]]:
    return [
        {
            "Representative": f"Member {n % 7}",
            "ReportDate": "2026-01-20",
            "TransactionDate": "2026-01-05" if n % 1000 else "no day",
            "Ticker": f"T{n}",
            "Transaction": "Purchase",
            "Range": "$1,001 - $15,000",
        }
        for n in range(count)
    ]


def test_parts_say_what_the_whole_says(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = payload(json.dumps(trades(12_001)).encode())
    (whole,) = SITE.parse(answer)
    monkeypatch.setattr(quiver_api, "_LONG", 1000)
    parts: list[Batch] = list(SITE.batches(answer))
    assert [part.num_rows + len(part.rejects) for part in parts] == [5000, 5000, 2001]
    assert [record for part in parts for record in part.records] == whole.records
    assert [reject.record for part in parts for reject in part.rejects] == [one.record for one in whole.rejects]
    assert len(whole.rejects) == 13
    # What the whole states completely is stated once.
    assert [part.scopes for part in parts] == [whole.scopes, [], []] == [[{}], [], []]


@pytest.mark.parametrize(
    "body", [b'[{"a":1},{"b":', b'[{"a":1},{"b":2}] and more', b'[{"a":1},{"b":nothing}]', b'{"a":1}']
)
def test_a_body_that_is_no_whole_array_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match="quiver_api: not JSON or cut off"):
        list(slices(payload(body), 1))


def test_a_long_answer_that_is_cut_off_is_refused_when_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiver_api, "_LONG", 1000)
    whole = json.dumps(trades(6000)).encode()
    SITE.check(payload(whole))
    with pytest.raises(PayloadError, match="cut off"):
        SITE.check(payload(whole[:-10]))
    with pytest.raises(PayloadError, match="not an array of objects"):
        SITE.check(payload(b"[" + b"1," * 6000 + b"1]"))
