"""Real copies of House and Senate trades, loaded with the official days of filing."""

from __future__ import annotations

import gzip
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from pas_lib.clock import next_session_midnight
from pas_lib.landing import LandedFile, Landing, Manifest
from pas_lib.sources import Payload
from pas_lib.sources.congress import read_us_day
from pas_lib.sources.house_clerk import read_index
from tests.support.paths import REAL, WIRE, needs
from tests.support.road import EVENING, Road

pytestmark = pytest.mark.needs_material

NOW = EVENING + timedelta(days=300)
HOUSE = REAL / "congress" / "capitol_watch_house_to_2026-08.json.gz"
SENATE = REAL / "congress" / "capitol_watch_senate_2025_2026.json.gz"


def official_days() -> dict[str, date]:
    """Day of filing by number of the document, from the Clerk's indexes of 2023 and 2026."""
    wire = WIRE / "congress_disclosures" / "payloads" / "house" / "2026FD.zip"
    bodies = [needs(wire).read_bytes(), needs(REAL / "congress" / "house_fd_index_2023.txt").read_bytes()]
    return {f.document: f.filed for body in bodies for f in read_index(body) if f.filed is not None}


def land(road: Road, path: Path, context: dict[str, str]) -> None:
    landing = Landing(road.settings.landing_url)
    folder = landing.new_folder("politician_trades", None, NOW)
    body = gzip.decompress(path.read_bytes())
    url = f"https://mirror.example.org/{path.name}"
    payload = Payload("congress_mirrors", "politician_trades", path.name, url, 200, "", NOW, context, body)
    files: tuple[LandedFile, ...] = (landing.write(folder, 0, payload),)
    landing.enqueue(Manifest(folder.rpartition("/")[2], "politician_trades", None, NOW, None, files))


def test_the_copies_day_is_not_the_official_day_and_never_used(road: Road) -> None:
    days = official_days()
    trades = json.loads(gzip.decompress(needs(HOUSE).read_bytes()))
    compared = [
        (read_us_day(trade["disclosure_date"]), days[number])
        for trade in trades
        if (number := trade["source_url"].rpartition("/")[2].removesuffix(".pdf")) in days
    ]
    # The trap: the copy's day is that of the notification, which only 6.4 % of the rows share with the filing.
    assert len(compared) == 2511
    assert sum(told == filed for told, filed in compared) == 161
    late = sorted((filed - told).days for told, filed in compared)
    assert (late[len(late) // 2], late[len(late) * 3 // 4], late[-1]) == (5, 15, 671)

    road.clock.at = NOW
    land(road, HOUSE, {"filed": json.dumps({number: day.isoformat() for number, day in days.items()})})
    result = road.load("politician_trades")[0]
    # Rows of reports whose official day is not known are listed, not guessed.
    unknown = [
        row["n"]
        for row in road.rows(
            "select count(*) as n from ops.quarantine where reason = 'no official day of filing is known'"
        )
    ]
    assert unknown == [len(trades) - 2511]
    assert result.new + result.quarantined == len(trades)
    rows = road.rows("select document, report_date, known_at from raw.politician_trades")
    assert len(rows) == result.new > 2400
    for row in rows:
        assert row["report_date"] == days[row["document"]]
        assert row["known_at"] == next_session_midnight(row["report_date"])

    land(road, SENATE, {})
    second = road.load("politician_trades")[0]
    assert (second.new, second.quarantined, second.changed) == (2527, 0, 0)
    equal = road.rows("select count(*) as n from raw.politician_trades where chamber = 'Senate' and ordinal > 0")
    assert equal[0]["n"] >= 32
    wrong = road.rows("select count(*) as n from raw.politician_trades where known_at <= report_date")
    assert wrong == [{"n": 0}]
