"""The dashboard in a real browser, served by ``uvicorn api:app``: log-in, charts, light, dark and phone, log-out."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pas_lib.settings import PROJECT_ROOT
from pas_lib.warehouse import Warehouse
from tests.integration.api import seed

pytestmark = pytest.mark.browser

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)


@pytest.fixture
def server(warehouse: Warehouse, tmp_path: Path) -> Iterator[str]:
    """The address of a running server; at its end, what it wrote is searched for the tokens."""
    seed.fill(warehouse)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        "PATH": os.environ["PATH"],
        "PAS_HOME": str(tmp_path / "home"),
        "PAS_DATABASE_URL": warehouse.url,
        "API_TOKEN": seed.ADMIN,
        "API_READ_TOKEN": seed.READ,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "api:app", "--port", str(port)],
        cwd=PROJECT_ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lines: list[str] = []
    listening = threading.Event()

    def collect() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "Uvicorn running" in line:
                listening.set()

    reader = threading.Thread(target=collect)
    reader.start()
    try:
        assert listening.wait(60), "".join(lines)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
        reader.join(20)
    assert not [line for line in lines if "canary" in line]
    assert not lines or [line for line in lines if "GET /dashboard/login" in line]


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: the package chromium)")
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield one
        one.close()


def luminance(colour: str) -> float:
    """Return the relative luminance (WCAG) of ``rgb(r, g, b)``."""
    parts = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_dashboard(server: str, browser: Any) -> None:
    for scheme, width in (("light", 1360), ("dark", 1360), ("light", 390)):
        visit(server, browser, scheme, width)
    assert urllib.request.urlopen(f"{server}/db/trades?token={seed.READ}&limit=1", timeout=30).status == 200


def visit(address: str, browser: Any, scheme: str, width: int) -> None:
    """Log in, look at everything, log out."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("response", lambda r: failures.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.on("request", lambda r: None if r.url.startswith((address, "data:")) else failures.append(r.url))

    page.goto(f"{address}/dashboard")
    assert page.url == f"{address}/dashboard/login"
    page.fill("#token", seed.READ)
    page.click("main button[type=submit]")
    page.wait_for_selector("html[data-charts=drawn]", timeout=60_000)
    assert page.url == f"{address}/dashboard"

    assert "sandbox" in page.locator(".banner").inner_text().lower()
    assert page.locator(".js-plotly-plot").count() == 4
    figures = page.locator(".tile .figure").all_inner_texts()
    assert figures[0] == "$101,500"
    assert figures[3:5] == ["1.36", "0.57"]
    rows = page.locator("section.card:has(h2:text-is('Allocation')) tbody tr").all_inner_texts()
    assert rows[0].split("\t") == ["Congress aggregate", "40.0 %", "35.2 %", rows[0].split("\t")[3], "2"]

    # Charts lie inside their cards, one on another, and their legends with them.
    for chart in page.locator(".chart").all():
        frame = chart.bounding_box()
        for layer in chart.locator(".main-svg").all():
            inside = layer.bounding_box()
            assert abs(inside["y"] - frame["y"]) < 2
            assert inside["x"] + inside["width"] <= frame["x"] + frame["width"] + 2
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    colours = "e => [getComputedStyle(e).color, getComputedStyle(e.closest('.tile, .card')).backgroundColor]"
    for selector in (".tile .figure", ".tile .quiet", "td", "th"):
        text, back = page.locator(selector).first.evaluate(colours)
        assert contrast(text, back) >= 4.5, selector
    is_dark = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2
    assert is_dark == (scheme == "dark")
    page.click("#theme")
    assert (luminance(page.evaluate("getComputedStyle(document.body).backgroundColor")) < 0.2) != is_dark

    assert page.evaluate("document.cookie") == ""
    page.click("text=Log out")
    page.wait_for_url(f"{address}/dashboard/login")
    page.goto(f"{address}/dashboard")
    assert page.url == f"{address}/dashboard/login"
    assert failures == []
    context.close()
