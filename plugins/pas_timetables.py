"""The session timetable: one run per session of the New York Stock Exchange, keyed by the session's date.

Registered by ``pas_plugin``. Kept flat in this folder, because Airflow imports plugin files under their bare stem and
looks a timetable up by module and class name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from airflow.exceptions import InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from airflow.utils.types import DagRunType
from pendulum import DateTime, instance
from pendulum import timezone as pendulum_timezone

from pas_lib import clock as calendar

NY = pendulum_timezone("America/New_York")
UTC = pendulum_timezone("UTC")

#: When the run of session D starts.
RUN_TIMES: dict[str, Callable[[dt.date], dt.datetime]] = {
    "morning": lambda session: calendar.ny_midnight(session).replace(hour=8),
    "evening": calendar.collect_time,
    "next_open": lambda session: calendar.session_open(calendar.next_session(session)),
}
_DESCRIPTIONS = {
    "morning": "08:00 New York time of each session",
    "evening": "20:00 New York time of each session",
    "next_open": "at the open of the session after the one it is keyed by",
}


class SessionTimetable(Timetable):
    """One run per session D; its partition key is D as ``YYYY-MM-DD``.

    Parameters
    ----------
    at : {"morning", "evening", "next_open"}
        When the run of D starts: 08:00 or 20:00 New York time of D, or the open of the session after D.
    automatic : bool, default True
        ``False`` leaves every run to be asked for (REST, UI, backfill): the sandbox's world has a clock of its own.
    """

    partitioned = True

    def __init__(self, at: str = "evening", *, automatic: bool = True) -> None:
        if at not in RUN_TIMES:
            raise ValueError(f"SessionTimetable: at must be one of {', '.join(RUN_TIMES)}, not {at!r}")
        self.at = at
        self.automatic = automatic
        self.description = _DESCRIPTIONS[at] if automatic else "when asked for, one run per session"

    # -- what Airflow stores of it

    def serialize(self) -> dict[str, Any]:
        """Return what :meth:`deserialize` needs."""
        return {"at": self.at, "automatic": self.automatic}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SessionTimetable:
        """Rebuild the timetable from its stored form."""
        return cls(data["at"], automatic=data["automatic"])

    @property
    def summary(self) -> str:
        """Short text for the list of DAGs."""
        return f"NYSE sessions, {self.at.replace('_', ' ')}" if self.automatic else "NYSE sessions, on request"

    # -- scheduling

    def run_time(self, session: dt.date) -> DateTime:
        """Return when the run of a session starts, in UTC."""
        return instance(RUN_TIMES[self.at](session)).in_timezone(UTC)

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next automatic run.

        Without catch-up, sessions missed while nothing ran are left out but for the latest one, and a DAG that is new
        starts with the next session to come.
        """
        if not self.automatic:
            return None
        now = instance(calendar.SystemClock().now())
        earliest = restriction.earliest
        if last_dagrun_info is not None:
            session = self._first_after(last_dagrun_info.run_after)
            if not restriction.catchup:
                session = max(session, self._last_until(now))
        elif restriction.catchup:
            if earliest is None:
                return None
            session = self._first_after(earliest.subtract(seconds=1))
        else:
            session = self._first_after(now)
        if earliest is not None:
            session = max(session, self._first_after(earliest.subtract(seconds=1)))
        info = self._info(session)
        return None if restriction.latest is not None and info.run_after > restriction.latest else info

    def iter_partition_dagrun_infos(self, *, earliest: dt.datetime, latest: dt.datetime) -> Iterable[DagRunInfo]:
        """Yield the run of every session whose partition date lies in the window: what a backfill runs."""
        first, last = self.localize_partition_datetime(earliest), self.localize_partition_datetime(latest)
        for session in calendar.sessions(first.in_timezone(NY).date(), last.in_timezone(NY).date()):
            info = self._info(session)
            if info.partition_date is not None and first <= info.partition_date <= last:
                yield info

    def localize_partition_datetime(self, value: dt.datetime) -> DateTime:
        """Read a window's bound as New York time, whatever time zone it was written in."""
        return DateTime(
            value.year, value.month, value.day, value.hour, value.minute, value.second, tzinfo=NY
        ).in_timezone(UTC)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the moment of the latest run time: a run asked for without a key has no window of its own."""
        return DataInterval.exact(self.run_time(self._last_until(run_after)))

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Name a run by its session and its start: a session may be run more than once."""
        del data_interval
        key = extra.get("partition_key") or "session"
        return run_type.generate_run_id(suffix=f"{key}__{run_after.isoformat()}")

    def _decode_partition_date(self, partition_key: str) -> dt.datetime:
        """Return New York midnight of the session a key names."""
        try:
            session = dt.date.fromisoformat(partition_key)
        except ValueError:
            raise InvalidPartitionKeyError(
                f"partition key {partition_key!r} is not a date written YYYY-MM-DD"
            ) from None
        if not calendar.is_session(session):
            raise InvalidPartitionKeyError(f"partition key {partition_key!r} is not a session of the exchange")
        return _midnight(session)

    # -- helpers

    def _info(self, session: dt.date) -> DagRunInfo:
        return DagRunInfo(
            run_after=self.run_time(session),
            data_interval=None,
            partition_date=_midnight(session),
            partition_key=session.isoformat(),
        )

    def _first_after(self, moment: DateTime) -> dt.date:
        """Return the first session whose run time lies after a moment."""
        session = calendar.previous_session(calendar.session_on_or_before(_ny_date(moment)))
        while self.run_time(session) <= moment:
            session = calendar.next_session(session)
        return session

    def _last_until(self, moment: DateTime) -> dt.date:
        """Return the last session whose run time is not after a moment."""
        return calendar.previous_session(self._first_after(moment))


def _ny_date(moment: dt.datetime) -> dt.date:
    return moment.astimezone(NY).date()


def _midnight(session: dt.date) -> DateTime:
    return instance(calendar.ny_midnight(session)).in_timezone(UTC)
