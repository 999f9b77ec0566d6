"""Server-rendered pages: templates, formats, and the files they load (all from this machine)."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

NONE = "–"


def money(value: float | None, digits: int = 0) -> str:
    """Return US dollars with thousands separated; a dash when not known."""
    if value is None:
        return NONE
    sign = "−" if round(value, digits) < 0 else ""
    return f"{sign}${abs(value):,.{digits}f}"


def plain(value: float | None, digits: int = 2) -> str:
    """Return a number with thousands separated; a dash when not known."""
    return NONE if value is None else f"{value:,.{digits}f}".replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as per cent; a dash when not known."""
    return NONE if value is None else f"{value * 100:,.{digits}f} %".replace("-", "−")


def signed_percent(value: float | None, digits: int = 1) -> str:
    """Return a fraction as per cent with its sign, also a plus; a dash when not known."""
    text = percent(value, digits)
    return f"+{text}" if value is not None and round(value * 100, digits) > 0 else text


def quantity(value: float | None) -> str:
    """Return a number of shares without trailing zeros; a dash when not known."""
    if value is None:
        return NONE
    text = f"{value:,.4f}".rstrip("0").rstrip(".")
    return text.replace("-", "−")


def moment(value: datetime | date | None) -> str:
    """Return a time in UTC to the minute, or a date; a dash when not known."""
    if value is None:
        return NONE
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return value.isoformat()


def age(seconds: float | None) -> str:
    """Return a duration in its largest unit; a dash when not known."""
    if seconds is None:
        return NONE
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


class Templates:
    """The pages' templates; everything put into them is escaped."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("api"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            money=money,
            plain=plain,
            percent=percent,
            signed_percent=signed_percent,
            quantity=quantity,
            moment=moment,
            age=age,
        )

    def page(self, name: str, request: Request, *, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a rendered page."""
        template = self._environment.get_template(name)
        broker = request.app.state.settings.broker
        text = template.render(
            version=request.app.version, broker=broker, asset=asset_url, chart_styles=chart_styles, **values
        )
        return HTMLResponse(text, status_code=status)


@cache
def chart_styles() -> list[str]:
    """Return the ids of the style elements that the charts' library would put into a page.

    It leaves out those that are there already; the pages' content policy would refuse them anyway, loudly.
    """
    found = asset("plotly.js")
    text = found.content.decode() if found else ""
    return sorted(set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', text)))


TEMPLATES = Templates()


@dataclass(frozen=True)
class Asset:
    """A file that pages load."""

    content: bytes
    compressed: bytes
    media_type: str
    version: str


_ASSETS = {
    "style.css": ("api", "static/style.css", "text/css; charset=utf-8"),
    "theme.js": ("api", "static/theme.js", "text/javascript; charset=utf-8"),
    "charts.js": ("api", "static/charts.js", "text/javascript; charset=utf-8"),
    "dashboard.js": ("api", "static/dashboard.js", "text/javascript; charset=utf-8"),
    "plotly.css": ("api", "static/plotly.css", "text/css; charset=utf-8"),
    "icon.svg": ("api", "static/icon.svg", "image/svg+xml"),
    # The charts' library comes with the plotly package: nothing is loaded from elsewhere, nothing is copied here.
    "plotly.js": ("plotly", "package_data/plotly.min.js", "text/javascript; charset=utf-8"),
}


@cache
def asset(name: str) -> Asset | None:
    """Return a file that pages load, or None if there is none of that name."""
    if name not in _ASSETS:
        return None
    package, path, media_type = _ASSETS[name]
    content = resources.files(package).joinpath(path).read_bytes()
    return Asset(content, gzip.compress(content, 6, mtime=0), media_type, hashlib.sha256(content).hexdigest()[:12])


def asset_url(name: str) -> str:
    """Return the address of a file, with a version that changes when the file does."""
    found = asset(name)
    return f"/static/{name}" + (f"?v={found.version}" if found else "")
