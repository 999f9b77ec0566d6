"""Wikimedia's pageviews API, per article."""

from __future__ import annotations

import calendar as months
import re
from datetime import UTC, date, timedelta
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.sandbox.sites.base import Context, nameless, raw_path, reply

PREFIX: Final = "/api/rest_v1"
PROBLEM: Final = "application/problem+json"
NO_DATA: Final = (
    "The date(s) you used are valid, but we either do not have data for those date(s), or the project you asked for is "
    "not loaded yet. Please check documentation for more information"
)
ACCESS: Final = ("all-access", "desktop", "mobile-web", "mobile-app")
AGENTS: Final = ("user", "automated", "spider", "all-agents")


class Pageviews:
    """``/api/rest_v1/metrics/pageviews/per-article/...``."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._known: dict[int, str] = {}

    async def answer(self, request: Request) -> Response:
        """Answer one request; the path is read before percent-decoding, as the service does."""
        if nameless(request):
            return reply(
                "Please set a user-agent and respect our robot policy "
                "<https://wikitech.wikimedia.org/wiki/Robot_policy>.\n",
                403,
                "text/plain",
            )
        path = raw_path(request).removeprefix("/wikimedia").removeprefix(PREFIX)
        parts = path.strip("/").split("/")
        if len(parts) != 10 or parts[:3] != ["metrics", "pageviews", "per-article"]:
            return _problem(404, "Not Found", "invalid route", path)
        project, access, agent, article, granularity, start, end = (unquote(p) for p in parts[3:])
        if granularity not in ("daily", "monthly"):
            return _problem(404, "Not Found", "invalid route", path)
        if access not in ACCESS or agent not in AGENTS:
            allowed = f"access should be equal to one of the allowed values: [{', '.join(ACCESS)}]"
            return _problem(400, "Bad Request", allowed, path)
        try:
            first, last = _day(start), _day(end)
        except ValueError:
            return _problem(
                400, "Bad Request", "start timestamp is invalid, must be a valid date in YYYYMMDD format", path
            )
        if first > last:
            return _problem(400, "Bad Request", "start timestamp should be before the end timestamp", path)
        if granularity == "monthly" and not _full_months(first, last):
            return _problem(400, "Bad Request", "no full months between dates", path)
        items = self._items(project.removesuffix(".org"), access, agent, article, granularity, first, last)
        if not items:
            return _problem(404, "Not Found", NO_DATA, path)
        return reply({"items": items}, 200, "application/json", cache_control="s-maxage=14400, max-age=14400")

    def _items(
        self, project: str, access: str, agent: str, article: str, granularity: str, first: date, last: date
    ) -> list[dict[str, Any]]:
        views = self.context.world.views
        row = views.rows.get(article) if project == "en.wikipedia" else None
        if row is None:
            return []
        last = min(last, self.context.now.astimezone(UTC).date() - timedelta(days=1))
        begin = max(first.toordinal() - views.start.toordinal(), 0)
        stop = min(last.toordinal() - views.start.toordinal() + 1, views.views.shape[1])
        if stop <= begin:
            return []
        counts = _split(views.views[row, begin:stop].astype(np.int64), access, agent)
        seen = counts.nonzero()[0]
        base = views.start.toordinal() + begin
        common = {"project": project, "article": article, "granularity": granularity}
        if granularity == "monthly":
            sums: dict[str, int] = {}
            for i in seen.tolist():
                key = date.fromordinal(base + i).strftime("%Y%m0100")
                sums[key] = sums.get(key, 0) + int(counts[i])
            return [{**common, "timestamp": k, "access": access, "agent": agent, "views": v} for k, v in sums.items()]
        stamps = self._stamps(base, stop - begin)
        values = counts.tolist()
        # a day without readers is left out; now and then it is stated as zero
        return [
            {
                "project": project,
                "article": article,
                "granularity": "daily",
                "timestamp": stamps[i],
                "access": access,
                "agent": agent,
                "views": values[i],
            }
            for i in range(len(values))
            if values[i] or (row % 9 == 0 and (base + i) % 5 == 0 and seen.size and i > int(seen[0]))
        ]

    def _stamps(self, base: int, count: int) -> list[str]:
        known = self._known
        for day in range(base, base + count):
            if day not in known:
                known[day] = date.fromordinal(day).strftime("%Y%m%d00")
        return [known[day] for day in range(base, base + count)]


def _split(user: NDArray[np.int64], access: str, agent: str) -> NDArray[np.int64]:
    """Divide readers by agent and access so that the parts add up exactly."""
    automated, spider = user * 9 // 100, user * 21 // 100
    total = {"user": user, "automated": automated, "spider": spider, "all-agents": user + automated + spider}[agent]
    desktop, web = total * 38 // 100, total * 57 // 100
    parts: dict[str, NDArray[np.int64]] = {
        "all-access": total,
        "desktop": desktop,
        "mobile-web": web,
        "mobile-app": total - desktop - web,
    }
    return parts[access]


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{8}(\d{2})?", text):
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _full_months(first: date, last: date) -> bool:
    index = first.year * 12 + first.month - (1 if first.day == 1 else 0)
    year, month = divmod(index, 12)
    return date(year, month + 1, months.monthrange(year, month + 1)[1]) <= last


def _problem(status: int, title: str, detail: str, uri: str) -> Response:
    return reply(
        {"detail": detail, "method": "get", "status": status, "title": title, "type": "about:blank", "uri": uri},
        status,
        PROBLEM,
    )
