"""The command line without a server: answers, one-line errors, exit statuses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pas_lib.cli.app import run
from pas_lib.cli.common import Context, cell, plain
from pas_lib.clock import FixedClock, last_closed_session
from pas_lib.errors import PasError
from pas_lib.pipeline.lookahead import Verdict
from pas_lib.settings import load_settings
from tests.support.loopback import Answer, serve

Pas = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pas(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pas:
    monkeypatch.setenv("PAS_HOME", str(tmp_path))
    # Nothing answers at port 1: what needs the sandbox or the warehouse must say so.
    monkeypatch.setenv("PAS_SANDBOX_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PAS_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")

    def call(*words: str) -> tuple[int, str, str]:
        status = run(words)
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


CHART = {
    "chart": {
        "error": None,
        "result": [
            {
                "meta": {
                    "currency": "USD",
                    "symbol": "AAA",
                    "exchangeTimezoneName": "America/New_York",
                    "gmtoffset": -18000,
                    "dataGranularity": "1d",
                    "instrumentType": "EQUITY",
                },
                "timestamp": [1767364200],
                "indicators": {
                    "quote": [{"open": [1.0], "high": [3.0], "low": [0.5], "close": [2.0], "volume": [100]}],
                    "adjclose": [{"adjclose": [2.0]}],
                },
            }
        ],
    }
}


def test_parse_prints_one_json_record_a_line(pas: Pas, tmp_path: Path) -> None:
    file = tmp_path / "chart_AAA.json"
    file.write_text(json.dumps(CHART))
    status, out, err = pas("parse", "prices", str(file))
    assert (status, err) == (0, "")
    (line,) = out.splitlines()
    record = json.loads(line)
    assert (record["symbol"], record["event_date"], record["open"], record["close"]) == ("AAA", "2026-01-02", 1.0, 2.0)


def test_a_broken_payload_is_one_line_and_status_1(pas: Pas, tmp_path: Path) -> None:
    file = tmp_path / "chart_AAA.json"
    file.write_text(json.dumps(CHART)[:60])
    status, out, err = pas("parse", "prices", str(file))
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("pas: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("parse", "pricess", "x"), "unknown dataset 'pricess' (did you mean prices?)"),
        (("weights", "wiki_atention"), "unknown strategy 'wiki_atention' (did you mean wiki_attention?)"),
        (("explain", "nobody", "AAA"), "unknown portfolio 'nobody'"),
        (("regime", "--as-of", "2026-01-31"), "2026-01-31 is not a session of the exchange"),
        (("regime", "--as-of", "today"), "--as-of: 'today' is not a date"),
        (("regime", "--as-of", "2026-01-30"), "PostgreSQL at 127.0.0.1/none cannot be reached"),
        (("regime",), "the sandbox at http://127.0.0.1:1 does not tell the time"),
        (("decide", "--as-of", "2026-01-30"), "the sandbox at http://127.0.0.1:1 does not tell the time"),
        (("build", "--as-of", "2026-01-30", "--part", "half"), "unknown part of the build 'half'"),
        (("backtest", "--start", "soon"), "--start: 'soon' is not a date"),
    ],
)
def test_expected_failures_are_one_line_and_status_1(pas: Pas, words: tuple[str, ...], message: str) -> None:
    status, out, err = pas(*words)
    assert (status, out) == (1, "")
    assert message in err
    assert err.count("\n") == 1


def test_wrong_usage_is_status_2(pas: Pas) -> None:
    assert pas("nosuchcommand")[0] == 2
    status, _, err = pas("regime", "--nosuchoption")
    assert status == 2
    assert err.count("\n") == 1


def test_an_invalid_setting_names_itself(pas: Pas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAS_TARGET_VOL", "a lot")
    status, _, err = pas("regime")
    assert status == 1
    assert "PAS_TARGET_VOL" in err


def test_a_defect_of_the_program_is_no_stack_trace(pas: Pas, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("so it is")

    monkeypatch.setattr("pas_lib.pipeline.regime.regime_as_of", broken)
    status, _, err = pas("regime", "--as-of", "2026-01-30")
    assert status == 70
    assert err == "pas: unexpected ZeroDivisionError: so it is (PAS_RUN_TRACE=1 shows where)\n"


def test_doctor_tells_what_is_not_well_and_keeps_secrets(pas: Pas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRED_API_KEY", "canary-7f3a")
    status, out, _ = pas("doctor", "--json")
    assert status == 1
    answer = json.loads(out)
    checks = {one["name"]: one for one in answer["checks"]}
    assert answer["ok"] is False
    assert not checks["warehouse"]["ok"]
    assert not checks["sandbox"]["ok"]
    assert checks["FRED_API_KEY"]["found"].startswith("set")
    assert checks["QUIVER_API_KEY"]["optional"]
    assert "canary" not in out


def test_doctor_tells_whether_api_and_airflow_are_up_and_well(pas: Pas, monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> dict[str, tuple[bool, bool, str]]:
        answer = json.loads(pas("doctor", "--json")[1])
        return {
            one["name"]: (one["ok"], one["optional"], one["found"])
            for one in answer["checks"]
            if one["name"] in ("api", "airflow")
        }

    monkeypatch.setenv("PAS_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("PAS_AIRFLOW_URL", "http://127.0.0.1:1")
    down = (False, True, "not up (ConnectionError)")
    assert look() == {"api": down, "airflow": down}
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    health = {part: {"status": "healthy"} for part in parts}
    status = 200
    with serve(lambda seen: Answer(json.dumps(health) if "monitor" in seen.path else "{}", status)) as site:
        monkeypatch.setenv("PAS_API_URL", site.url)
        monkeypatch.setenv("PAS_AIRFLOW_URL", site.url)
        assert look() == {"api": (True, False, site.url), "airflow": (True, False, site.url)}
        health["triggerer"] = {"status": "unhealthy"}
        assert look()["airflow"] == (False, False, f"{site.url}: triggerer not well")
        status = 503
        assert look()["api"] == (False, False, f"{site.url}: status 503, not well")


def test_every_command_takes_json_and_explains_itself(pas: Pas) -> None:
    status, out, _ = pas("--help")
    assert status == 0
    names = [
        line.split()[0]
        for line in out.partition("Commands:")[2].splitlines()
        if line.startswith("  ") and line[2] != " "
    ]
    assert set(names) >= {
        "run", "ingest", "parse", "build", "weights", "allocate", "regime", "decide", "execute", "approve", "adopt",
        "reconcile", "backtest", "explain", "doctor", "sandbox", "mirror",
    }  # fmt: skip
    for name in names:
        status, out, _ = pas(name, "--help")
        assert status == 0, name
        if "COMMAND [ARGS]" in out:  # a group: each of its commands does
            inner = [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
            assert inner, name
            told = [pas(name, word, "--help") for word in inner if word.replace("-", "").isalpha()]
        else:
            told = [(status, out, "")]
        assert all(code == 0 and "--json" in text for code, text, _ in told), name


def test_json_values_are_plain() -> None:
    frame = pd.DataFrame({"day": pd.to_datetime(["2026-01-30"]), "x": [np.float64("nan")]})
    assert plain(frame) == [{"day": "2026-01-30", "x": None}]
    assert plain({"a": Decimal("1.50"), "b": math.inf, "c": date(2026, 1, 2), "d": {"z", "a"}}) == {
        "a": 1.5,
        "b": None,
        "c": "2026-01-02",
        "d": ["a", "z"],
    }
    assert plain(pd.Series({"AAA": 0.25})) == {"AAA": 0.25}


def test_cells() -> None:
    assert [cell(value) for value in (None, True, float("nan"), 0.12345, 1234.5)] == [
        "-",
        "yes",
        "-",
        "0.1235",
        "1,234.50",
    ]


def test_the_last_closed_session() -> None:
    evening = FixedClock(datetime(2026, 1, 31, 1, tzinfo=UTC))  # Friday, 20:00 in New York
    noon = FixedClock(datetime(2026, 1, 30, 17, tzinfo=UTC))
    assert last_closed_session(evening.now()) == date(2026, 1, 30)
    assert last_closed_session(noon.now()) == date(2026, 1, 29)


def test_a_session_that_has_not_come_is_refused_by_the_clock_that_is_injected(tmp_path: Path) -> None:
    here = Context(load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path))
    here.__dict__["clock"] = FixedClock(datetime(2026, 1, 30, 17, tzinfo=UTC))
    assert here.session("2026-01-29") == here.session(None) == date(2026, 1, 29)
    for day in ("2026-01-30", "2026-02-02", "2027-01-04"):
        with pytest.raises(PasError, match=rf"session {day} has not closed yet \(the last one that has is 2026-01-29"):
            here.session(day)


@pytest.mark.parametrize(
    "words",
    [
        ("weights", "wiki_attention"),
        ("weights", "wiki_attention", "--recompute"),
        ("allocate",),
        ("regime",),
        ("risk", "show"),
        ("explain", "wiki_attention", "AAA"),
    ],
)
def test_while_the_sandbox_is_away_the_time_it_was_left_at_counts(
    pas: Pas, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "clock.json").write_text('{"now": "2026-01-31T01:00:00+00:00"}')
    status, out, err = pas(*words, "--as-of", "2026-02-02")
    assert (status, out) == (1, "")
    assert err == "pas: session 2026-02-02 has not closed yet (the last one that has is 2026-01-30)\n"
    # One that has closed is asked of the warehouse, which is not there.
    status, _, err = pas(*words, "--as-of", "2026-01-30")
    assert (status, "PostgreSQL" in err) == (1, True)


@pytest.mark.parametrize(("command", "option"), [("backtest", "--end"), ("lookahead", "--end"), ("lookahead", "--at")])
def test_a_date_that_is_none_names_its_option(pas: Pas, command: str, option: str) -> None:
    status, _, err = pas(command, "--end", "2026-01-30", option, "soon")
    assert (status, err) == (1, f"pas: {option}: 'soon' is not a date (write it as 2026-01-30)\n")


# ------------------------------------------------------------------------------------------------- look-ahead

FRIDAYS = [date(2025, 12, 12), date(2025, 12, 19), date(2025, 12, 26)]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[date], list[str]]]:
    """What the proof was asked for: dates and strategies; what it finds goes by the name of the strategy."""
    asked: list[tuple[list[date], list[str]]] = []

    def look_ahead(_: Path, days: list[date], *__: object, strategies: list[str], **___: object) -> list[Verdict]:
        asked.append((days, strategies))
        found = {
            "wiki_attention": Verdict("wiki_attention", tuple(days), 5000, ()),
            "meuser": Verdict("meuser", tuple(days), 700, ("2025-12-19, deleted: gross: 1 <> 2", "more")),
            "wsb_buzz": Verdict("wsb_buzz", tuple(days), 0, ()),
        }
        return [found[name] for name in strategies or found]

    monkeypatch.setattr("pas_lib.pipeline.lookahead.copy_raw", lambda *_: None)
    monkeypatch.setattr("pas_lib.pipeline.lookahead.look_ahead", look_ahead)
    firsts = {"wiki_attention": FRIDAYS[0], "meuser": FRIDAYS[1]}
    monkeypatch.setattr("pas_lib.pipeline.marts.first_signal_sessions", lambda _: firsts)
    return asked


def test_the_verdict_on_strategies_is_the_status(pas: Pas, judged: list[tuple[list[date], list[str]]]) -> None:
    words = ("lookahead", "--end", "2025-12-31", "--at", "2025-12-19", "--at", "2025-12-12", "--at", "2025-12-19")
    status, out, err = pas(*words, "wiki_attention", "wiki_attention")
    assert (status, out, err) == (0, "wiki_attention: clean, 5,000 answers at 2 dates\n", "")
    assert judged == [(FRIDAYS[:2], ["wiki_attention"])]

    status, out, err = pas(*words)
    assert status == 1
    assert out.splitlines() == [
        "wiki_attention: clean, 5,000 answers at 2 dates",
        "meuser: KNOWS THE FUTURE, 2 differences, first 2025-12-19, deleted: gross: 1 <> 2",
        "wsb_buzz: nothing to compare up to 2025-12-19",
    ]
    assert err == "pas: meuser: what became known later changes what was said before\n"
    status, out, _ = pas(*words, "meuser", "--json")
    assert (status, [(one["name"], one["is_clean"]) for one in json.loads(out)]) == (1, [("meuser", False)])

    # Nothing compared is no proof.
    status, _, err = pas(*words, "wsb_buzz", "wiki_attention")
    assert (status, err) == (1, "pas: wsb_buzz: nothing to compare, so nothing is proved (take a later date)\n")


def test_dates_that_prove_nothing_are_refused(pas: Pas, judged: list[tuple[list[date], list[str]]]) -> None:
    for words, told in (
        (("--end", "2025-12-31", "--at", "2025-12-31"), "2025-12-31 has no future before 2025-12-31: nothing would"),
        (("--end", "2025-12-12"), "there is no week's end with a signal before 2025-12-12: nothing would be proved"),
        (("wsb_buzz", "--end", "2025-12-31"), "there is no week's end with a signal before 2025-12-31"),
        (("nonsense", "--end", "2025-12-31"), "unknown strategy 'nonsense'"),
    ):
        status, out, err = pas("lookahead", *words)
        assert (status, out, err.count("\n")) == (1, "", 1), words
        assert told in err
    assert pas("lookahead", "--dates", "0")[0] == 2
    assert judged == []
    # More dates than there are: all of them, and it says so. They begin with the signals of those that are judged.
    for words, days in ((("wiki_attention",), FRIDAYS), (("wiki_attention", "--dates", "2"), FRIDAYS[::2])):
        status, _, err = pas("lookahead", *words, "--end", "2025-12-31")
        assert (status, judged[-1][0]) == (0, days)
        assert ("there are no more than 3 weeks' ends" in err) == (len(days) == 3)
    pas("lookahead", "meuser", "--end", "2025-12-31")
    assert judged[-1][0] == FRIDAYS[1:]
