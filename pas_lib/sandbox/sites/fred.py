"""FRED's API with vintages, and the keyless CSV of its graphs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.clock import central_today
from pas_lib.sandbox.macro import ABOUT, FOREVER, Series
from pas_lib.sandbox.sites.base import Context, reply

MIME: Final = "application/json; charset=UTF-8"
KEYS: Final = frozenset({"sandbox0".ljust(32, "0"), ("sandbox0" * 4)})
DOCS: Final = "  Read https://fred.stlouisfed.org/docs/api/api_key.html for more information."
EARLIEST, LATEST = date(1776, 7, 4), date(9999, 12, 31)
MAX_VINTAGES: Final = 2000
UNITS: Final = ("lin", "chg", "ch1", "pch", "pc1", "pca", "cch", "cca", "log")


class FredError(Exception):
    """An error of the API: status and message."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fred:
    """``/fred/series/observations``, ``/fred/series``, ``/fred/series/vintagedates``."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def answer(self, request: Request) -> Response:
        """Answer one request; errors come in the format that was asked for."""
        query = request.query_params
        path = request.path_params["path"].strip("/").removeprefix("fred/")
        try:
            self._check_key(query.get("api_key"))
            if path == "series/observations":
                return self._observations(query)
            if path == "series":
                return self._series(query)
            if path == "series/vintagedates":
                return self._vintages(query)
        except FredError as error:
            return _refuse(error.status, str(error), query.get("file_type"))
        return reply(
            "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>", 404, "text/html"
        )

    @staticmethod
    def _check_key(key: str | None) -> None:
        if not key:
            raise FredError(f"Bad Request.  Variable api_key is not set.{DOCS}")
        if not re.fullmatch(r"[0-9a-z]{32}", key):
            raise FredError(
                "Bad Request.  The value for variable api_key is not a 32 character alpha-numeric lower-case "
                f"string.{DOCS}"
            )
        if key not in KEYS:
            raise FredError(f"Bad Request.  The value for variable api_key is not registered.{DOCS}")

    def _visible(self, series: Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of the rows published by now, and their last days as known now."""
        now = self.context.now.astimezone(NY)
        last = _last_published(series, now)
        at = np.flatnonzero(series.starts <= last)
        ends = series.ends[at]
        return at, np.where(ends >= last, FOREVER, ends)

    def _find(self, query: Mapping[str, str]) -> Series:
        name = query.get("series_id")
        if not name:
            raise FredError("Bad Request.  Variable series_id is not set.")
        found = self.context.world.series.get(name.upper())
        if found is None:
            if "realtime_start" in query or "realtime_end" in query:
                raise FredError("Bad Request.  The series does not exist in ALFRED but may exist in FRED.")
            raise FredError("Bad Request.  The series does not exist.")
        return found

    def _realtime(self, query: Mapping[str, str]) -> tuple[date | None, date | None]:
        today = central_today(self.context.now)
        found: list[date | None] = []
        for name in ("realtime_start", "realtime_end"):
            value = _date(query, name)
            if value is not None and value > today and value != LATEST:
                raise FredError(
                    f"Bad Request.  Variable {name} can not be after today's date ({today}) unless it's equal to "
                    "the real-time max date 9999-12-31."
                )
            found.append(value)
        if found[0] and found[1] and found[0] > found[1]:
            raise FredError("Bad Request.  The value for variable realtime_start is after realtime_end.")
        return found[0], found[1]

    def _observations(self, query: Mapping[str, str]) -> Response:
        series = self._find(query)
        start, end = self._realtime(query)
        at, ends = self._visible(series)
        kind = _number(query, "output_type", 1, 1, 4)
        if kind in (2, 3):
            raise FredError("Bad Request.  The sandbox knows output_type 1 and 4 only.")
        if query.get("units", "lin") not in UNITS:
            raise FredError("Bad Request.  Value of units is not one of: " + ", ".join(UNITS) + ".")
        if query.get("units", "lin") != "lin":
            raise FredError("Bad Request.  The sandbox knows units lin only.")
        order = query.get("sort_order", "asc")
        if order not in ("asc", "desc"):
            raise FredError("Bad Request.  Variable sort_order is not one of 'asc', 'desc'.")
        limit = _number(query, "limit", 100000, 1, 100000)
        offset = _number(query, "offset", 0, 0, 10**9)
        since = _date(query, "observation_start") or date(1600, 1, 1)
        until = _date(query, "observation_end") or LATEST
        chosen = query.get("vintage_dates")
        starts = series.starts[at]
        changed = date.fromordinal(int(starts.max())) if at.size else central_today(self.context.now)
        if start is None and end is None and kind == 1:
            start = end = changed  # the service answers with the day of the last change, not with today
        start, end = start or central_today(self.context.now), end or LATEST
        if kind == 4 and query.get("realtime_start") is None:
            start = EARLIEST
        if chosen:
            vintages = sorted(_parse(v.strip(), "vintage_dates") for v in chosen.split(","))
            start, end = vintages[0], vintages[-1]
        low, high = start.toordinal(), end.toordinal()
        inside = np.unique(starts[(starts >= low) & (starts <= high)])
        if inside.size > MAX_VINTAGES:
            raise FredError(
                f"Bad Request.  The number of vintage dates between realtime_start and realtime_end ({inside.size}) "
                f"exceeds the maximum number of vintage dates allowed ({MAX_VINTAGES})."
            )
        if at.size and high < int(starts.min()):
            raise FredError("Bad Request.  The series does not exist in ALFRED but may exist in FRED.")
        days = series.dates[at]
        keep = (days >= since.toordinal()) & (days <= until.toordinal()) & (starts <= high)
        if kind == 4:
            keep &= np.concatenate([[True], days[1:] != days[:-1]]) & (starts >= low)
        else:
            keep &= ends >= low
        rows = np.flatnonzero(keep)
        if order == "desc":
            rows = rows[::-1]
        count = int(rows.size)
        rows = rows[offset : offset + limit]
        first = starts[rows] if kind == 4 else np.maximum(starts[rows], low)
        final = ends[rows] if kind == 4 else np.minimum(ends[rows], high)
        name = _Iso()
        observations = [
            {"realtime_start": name[a], "realtime_end": name[b], "date": name[d], "value": v}
            for a, b, d, v in zip(
                first.tolist(), final.tolist(), days[rows].tolist(), series.values[at][rows].tolist(), strict=True
            )
        ]
        return self._reply(
            {
                "realtime_start": start.isoformat(),
                "realtime_end": end.isoformat(),
                "observation_start": since.isoformat(),
                "observation_end": until.isoformat(),
                "units": query.get("units", "lin"),
                "output_type": kind,
                "file_type": "json",
                "order_by": "observation_date",
                "sort_order": order,
                "count": count,
                "offset": offset,
                "limit": limit,
                "observations": observations,
            },
            query,
            changed,
            series,
        )

    def _series(self, query: Mapping[str, str]) -> Response:
        series = self._find(query)
        start, end = self._realtime(query)
        at, _ = self._visible(series)
        about = series.about
        changed = date.fromordinal(int(series.starts[at].max()))
        start, end = start or changed, end or changed
        offset = "-05" if datetime.combine(changed, about.hour, tzinfo=NY).dst() else "-06"
        hour = (datetime.combine(changed, about.hour) - timedelta(hours=1)).time()
        item = {
            "id": series.id,
            "realtime_start": start.isoformat(),
            "realtime_end": end.isoformat(),
            "title": about.title,
            "observation_start": date.fromordinal(int(series.dates[0])).isoformat(),
            "observation_end": date.fromordinal(int(series.dates[at].max())).isoformat(),
            "frequency": about.frequency,
            "frequency_short": about.frequency[0],
            "units": about.units,
            "units_short": about.units_short,
            "seasonal_adjustment": "Seasonally Adjusted" if about.adjusted else "Not Seasonally Adjusted",
            "seasonal_adjustment_short": "SA" if about.adjusted else "NSA",
            "last_updated": f"{changed} {hour:%H:%M}:02{offset}",
            "popularity": about.popularity,
            "notes": "An invented series of the sandbox; only its shape is real.",
        }
        return self._reply(
            {"realtime_start": start.isoformat(), "realtime_end": end.isoformat(), "seriess": [item]},
            query,
            changed,
            series,
        )

    def _vintages(self, query: Mapping[str, str]) -> Response:
        series = self._find(query)
        start, end = self._realtime(query)
        start, end = start or EARLIEST, end or LATEST
        at, _ = self._visible(series)
        days = np.unique(series.starts[at])
        days = days[(days >= start.toordinal()) & (days <= end.toordinal())]
        order = query.get("sort_order", "asc")
        days = days[::-1] if order == "desc" else days
        limit, offset = _number(query, "limit", 10000, 1, 10000), _number(query, "offset", 0, 0, 10**9)
        changed = date.fromordinal(int(series.starts[at].max()))
        return self._reply(
            {
                "realtime_start": start.isoformat(),
                "realtime_end": end.isoformat(),
                "order_by": "vintage_date",
                "sort_order": order,
                "count": int(days.size),
                "offset": offset,
                "limit": limit,
                "vintage_dates": [date.fromordinal(d).isoformat() for d in days[offset : offset + limit].tolist()],
            },
            query,
            changed,
            series,
        )

    @staticmethod
    def _reply(content: dict[str, Any], query: Mapping[str, str], changed: date, series: Series) -> Response:
        if query.get("file_type", "xml") != "json":
            return reply(
                '<?xml version="1.0" encoding="utf-8" ?>\n<error code="400" message="The sandbox answers '
                'file_type=json only."/>',
                400,
                "text/xml",
            )
        at = datetime.combine(changed, series.about.hour)
        stamp = at.strftime("%a, %d %b %Y %H:%M:02 GMT")
        return reply(content, 200, MIME, cache_control="max-age=0, no-cache", last_modified=stamp, server="Apache")


class FredGraph:
    """``/graph/fredgraph.csv``: latest values, no key, no vintages."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def answer(self, request: Request) -> Response:
        """Answer one request for one or several series."""
        query = request.query_params
        names = [n for n in query.get("id", "").upper().split(",") if n]
        if not names or any(n not in ABOUT for n in names):
            return reply(
                "<!DOCTYPE html><html><head><title>Error - St. Louis Fed</title></head><body><h1>404</h1>"
                "<p>The page you requested could not be found.</p></body></html>",
                404,
                "text/html; charset=utf-8",
            )
        try:
            since, until = _date(query, "cosd") or date.min, _date(query, "coed") or date.max
        except FredError:
            return reply("<!DOCTYPE html><html><body><h1>400</h1></body></html>", 400, "text/html; charset=utf-8")
        now = self.context.now.astimezone(NY)
        columns: list[dict[int, str]] = []
        for name in names:
            series = self.context.world.series[name]
            at = np.flatnonzero(series.starts <= _last_published(series, now))
            # rows of a date ascend by vintage: the last one wins
            columns.append(dict(zip(series.dates[at].tolist(), series.values[at].tolist(), strict=True)))
        days = sorted(d for d in set().union(*columns) if since.toordinal() <= d <= until.toordinal())
        lines = ["observation_date," + ",".join(names)]
        for day in days:
            cells = [column.get(day, "") for column in columns]
            lines.append(date.fromordinal(day).isoformat() + "," + ",".join("" if c == "." else c for c in cells))
        return reply(
            "\n".join(lines) + "\n",
            200,
            "application/csv",
            content_disposition=f'attachment; filename="{"_".join(names)}.csv"',
        )


class _Iso(dict[int, str]):
    """Ordinals to ISO dates, each made once."""

    def __missing__(self, key: int) -> str:
        text = self[key] = date.fromordinal(key).isoformat()
        return text


def _last_published(series: Series, now: datetime) -> int:
    """Last day whose publications are out at `now` (New York)."""
    return now.date().toordinal() - (0 if now.time() >= series.about.hour else 1)


def _parse(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise FredError(
            f"Bad Request.  The value for variable {name} is not a valid date in the format YYYY-MM-DD."
        ) from None


def _date(query: Mapping[str, str], name: str) -> date | None:
    return _parse(query[name], name) if query.get(name) else None


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    try:
        value = int(query.get(name, default))
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise FredError(f"Bad Request.  Variable {name} is not between {low} and {high}.")
    return value


def _refuse(status: int, message: str, file_type: str | None) -> Response:
    if file_type == "json":
        return reply({"error_code": status, "error_message": message}, status, MIME)
    text = message.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return reply(
        f'<?xml version="1.0" encoding="utf-8" ?>\n<error code="{status}" message="{text}"/>', status, "text/xml"
    )
