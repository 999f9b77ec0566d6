"""The session timetable: when runs start, what they are keyed by, and what Airflow stores of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pas_timetables
import pendulum
import pytest
from airflow.exceptions import InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.utils.types import DagRunType
from pas_timetables import SessionTimetable

from pas_lib.clock import FixedClock

NY = "America/New_York"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the time the timetable sees."""

    def set_time(*parts: int) -> None:
        moment = pendulum.datetime(*parts, tz=NY)
        monkeypatch.setattr(pas_timetables.calendar, "SystemClock", lambda: FixedClock(moment))

    return set_time


def restriction(earliest: pendulum.DateTime | None, *, catchup: bool, latest: pendulum.DateTime | None = None) -> Any:
    return TimeRestriction(earliest=earliest, latest=latest, catchup=catchup)


def keys_from(timetable: SessionTimetable, limits: Any, count: int) -> list[tuple[str | None, str]]:
    found, last = [], None
    for _ in range(count):
        last = timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=limits)
        if last is None:
            break
        found.append((last.partition_key, last.run_after.in_timezone(NY).format("YYYY-MM-DD HH:mm")))
    return found


def test_evening_runs_skip_week_end_and_holiday() -> None:
    # Monday 2026-01-19 is Martin Luther King day.
    limits = restriction(pendulum.datetime(2026, 1, 15, tz=NY), catchup=True)
    assert keys_from(SessionTimetable("evening"), limits, 4) == [
        ("2026-01-15", "2026-01-15 20:00"),
        ("2026-01-16", "2026-01-16 20:00"),
        ("2026-01-20", "2026-01-20 20:00"),
        ("2026-01-21", "2026-01-21 20:00"),
    ]


def test_execution_of_a_session_starts_at_the_open_of_the_next() -> None:
    limits = restriction(pendulum.datetime(2026, 1, 16, 9, 31, tz=NY), catchup=True)
    # The run of Thursday started a minute ago; Friday's starts on Tuesday, after the holiday.
    assert keys_from(SessionTimetable("next_open"), limits, 2) == [
        ("2026-01-16", "2026-01-20 09:30"),
        ("2026-01-20", "2026-01-21 09:30"),
    ]


def test_the_hour_is_new_yorks_on_both_sides_of_a_time_change() -> None:
    # Daylight saving begins on Sunday 2026-03-08 and ends on Sunday 2026-11-01.
    timetable = SessionTimetable("evening")
    times = {day: timetable.run_time(dt.date.fromisoformat(day)).isoformat() for day in ("2026-03-06", "2026-03-09")}
    assert times == {"2026-03-06": "2026-03-07T01:00:00+00:00", "2026-03-09": "2026-03-10T00:00:00+00:00"}
    opening = SessionTimetable("next_open")
    assert opening.run_time(dt.date(2026, 10, 30)).isoformat() == "2026-11-02T14:30:00+00:00"
    assert opening.run_time(dt.date(2026, 10, 29)).isoformat() == "2026-10-30T13:30:00+00:00"


def test_a_half_day_is_collected_in_the_evening_like_any_other() -> None:
    assert SessionTimetable("evening").run_time(dt.date(2026, 11, 27)).in_timezone(NY).hour == 20


def test_without_catch_up_only_the_latest_missed_session_runs(at: Any) -> None:
    at(2026, 2, 5, 12, 0)
    timetable = SessionTimetable("evening")
    last = DagRunInfo(timetable.run_time(dt.date(2026, 1, 30)), None, None, "2026-01-30")
    info = timetable.next_dagrun_info_v2(last_dagrun_info=last, restriction=restriction(None, catchup=False))
    assert info is not None
    assert info.partition_key == "2026-02-04"
    following = timetable.next_dagrun_info_v2(last_dagrun_info=info, restriction=restriction(None, catchup=False))
    assert following is not None
    assert following.partition_key == "2026-02-05"


def test_a_new_dag_without_catch_up_starts_with_the_next_session_to_come(at: Any) -> None:
    at(2026, 2, 5, 12, 0)
    limits = restriction(pendulum.datetime(2026, 1, 2, tz=NY), catchup=False)
    assert keys_from(SessionTimetable("evening"), limits, 1) == [("2026-02-05", "2026-02-05 20:00")]
    at(2026, 2, 5, 20, 0)
    assert keys_from(SessionTimetable("evening"), limits, 1) == [("2026-02-06", "2026-02-06 20:00")]


def test_nothing_starts_before_the_first_or_after_the_last_moment(at: Any) -> None:
    at(2026, 2, 5, 12, 0)
    ahead = restriction(pendulum.datetime(2026, 3, 2, tz=NY), catchup=False)
    assert keys_from(SessionTimetable("evening"), ahead, 1) == [("2026-03-02", "2026-03-02 20:00")]
    over = restriction(
        pendulum.datetime(2026, 1, 29, tz=NY), catchup=True, latest=pendulum.datetime(2026, 1, 30, 20, tz=NY)
    )
    assert [key for key, _ in keys_from(SessionTimetable("evening"), over, 9)] == ["2026-01-29", "2026-01-30"]
    no_start = restriction(None, catchup=True)
    assert keys_from(SessionTimetable("evening"), no_start, 1) == []


@pytest.mark.parametrize("place", ["evening", "next_open"])
def test_the_sandbox_gets_no_automatic_run(place: str, at: Any) -> None:
    at(2026, 2, 5, 12, 0)
    timetable = SessionTimetable(place, automatic=False)
    for catchup in (True, False):
        limits = restriction(pendulum.datetime(2026, 1, 2, tz=NY), catchup=catchup)
        assert timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=limits) is None


def test_partition_date_is_new_york_midnight_of_the_session() -> None:
    info = next(
        iter(
            SessionTimetable("evening").iter_partition_dagrun_infos(
                earliest=pendulum.datetime(2026, 7, 1), latest=pendulum.datetime(2026, 7, 1)
            )
        )
    )
    assert info.partition_key == "2026-07-01"
    assert info.partition_date is not None
    assert info.partition_date.isoformat() == "2026-07-01T04:00:00+00:00"
    assert info.data_interval is None


def test_backfill_yields_every_session_of_the_window_also_in_the_sandbox() -> None:
    timetable = SessionTimetable("evening", automatic=False)
    # Thanksgiving is 2026-11-26; the bounds come from Airflow as UTC midnights and mean New York days.
    infos = timetable.iter_partition_dagrun_infos(
        earliest=pendulum.datetime(2026, 11, 24), latest=pendulum.datetime(2026, 11, 30)
    )
    assert [info.partition_key for info in infos] == ["2026-11-24", "2026-11-25", "2026-11-27", "2026-11-30"]
    empty = timetable.iter_partition_dagrun_infos(
        earliest=pendulum.datetime(2026, 11, 28), latest=pendulum.datetime(2026, 11, 29)
    )
    assert list(empty) == []


def test_a_key_is_decoded_to_its_session() -> None:
    timetable = SessionTimetable("next_open")
    assert timetable.resolve_partition_date("2026-01-30") == pendulum.datetime(2026, 1, 30, tz=NY)
    assert timetable.resolve_partition_date(None) is None


@pytest.mark.parametrize("key", ["2026-01-31", "2026-11-26", "yesterday", "2026-1-30", "2026-02-30"])
def test_a_key_that_names_no_session_is_refused(key: str) -> None:
    with pytest.raises(InvalidPartitionKeyError, match=key):
        SessionTimetable().resolve_partition_date(key)


@pytest.mark.parametrize("place", ["evening", "next_open"])
@pytest.mark.parametrize("automatic", [True, False])
def test_serialise_round_trip(place: str, automatic: bool) -> None:
    timetable = SessionTimetable(place, automatic=automatic)
    again = SessionTimetable.deserialize(timetable.serialize())
    assert (again.at, again.automatic, again.summary, again.description) == (
        timetable.at,
        timetable.automatic,
        timetable.summary,
        timetable.description,
    )


def test_run_ids_of_one_session_differ_by_their_start() -> None:
    timetable = SessionTimetable()
    ids = {
        timetable.generate_run_id(
            run_type=DagRunType.MANUAL,
            run_after=pendulum.datetime(2026, 1, 31, 1, minute),
            data_interval=None,
            partition_key="2026-01-30",
        )
        for minute in (0, 1)
    }
    assert ids == {
        "manual__2026-01-30__2026-01-31T01:00:00+00:00",
        "manual__2026-01-30__2026-01-31T01:01:00+00:00",
    }


def test_an_unknown_time_of_day_is_refused() -> None:
    with pytest.raises(ValueError, match="evening, next_open"):
        SessionTimetable("noon")
