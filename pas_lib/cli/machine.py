"""Commands about the machine: run, doctor, sandbox, mirror."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from pas_lib.cli.common import Context, JsonFlag, api_address, context, print_json, print_table, working
from pas_lib.errors import PasError


def run(
    direct: Annotated[bool, typer.Option("--direct", help="In one process, without Airflow and API.")] = False,
    once: Annotated[bool, typer.Option("--once", help="End after the job and its summary.")] = False,
    sessions: Annotated[int, typer.Option("--sessions", min=1, help="How many, one after another.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Run the whole job for the next session: collect, transform, decide, execute, evaluate."""
    if direct:
        from pas_lib.settings import load_settings
        from pas_lib.stack.direct import run_direct
        from pas_lib.stack.progress import Progress

        results = run_direct(
            load_settings(), sessions=sessions, progress=Progress.beside_json() if as_json else Progress()
        )
        if as_json:
            print_json(results)
        return
    from pas_lib.stack.__main__ import run as whole

    whole(once=once, sessions=sessions, answer=_at_once if as_json else None)


def _at_once(summary: dict[str, Any]) -> None:
    """Answer in JSON before the end: the stack may stay up for days."""
    print_json(summary)
    sys.stdout.flush()


@dataclass(frozen=True)
class Check:
    """One line of the doctor: what, whether it is well, and what was found. Optional things may be missing."""

    name: str
    ok: bool
    found: str
    optional: bool = False


def doctor(as_json: JsonFlag = False) -> None:
    """Tell what is configured, reachable and stale; exit status 1 when something needed is not well."""
    here = context()
    checks = [*_configured(here), *_reachable(here)]
    failed = [one for one in checks if not one.ok and not one.optional]
    if as_json:
        print_json({"ok": not failed, "checks": checks})
    else:
        print_table(
            "doctor",
            ["check", "state", "found"],
            [[one.name, "ok" if one.ok else "-" if one.optional else "NOT WELL", one.found] for one in checks],
        )
    if failed:
        raise typer.Exit(1)


#: Keys and what they switch on.
_KEYS = {
    "fred_api_key": ("FRED_API_KEY", "FRED with vintages; without it fredgraph"),
    "quiver_api_key": ("QUIVER_API_KEY", "QuiverQuant API"),
    "benzinga_api_key": ("BENZINGA_API_KEY", "Benzinga ratings"),
    "alpaca_api_key": ("ALPACA_API_KEY", "trading through Alpaca"),
    "api_token": ("API_TOKEN", "writing through the API"),
    "api_read_token": ("API_READ_TOKEN", "reading through the API"),
}


def _configured(here: Context) -> list[Check]:
    from pas_lib.strategies import strategy_ids

    settings = here.settings
    checks = [
        Check("sources", True, f"PAS_SOURCES={settings.sources} (origin {settings.origin})"),
        Check("broker", True, f"PAS_BROKER={settings.broker}{', live trading allowed' if settings.allow_live else ''}"),
        Check("home", settings.home.exists(), str(settings.home), optional=True),
        Check("strategies", True, ", ".join(strategy_ids())),
    ]
    for field, (name, what) in _KEYS.items():
        value = getattr(settings, field)
        checks.append(Check(name, value is not None, f"{'set' if value else 'not set'}: {what}", optional=True))
    return checks


def _reachable(here: Context) -> list[Check]:
    from pas_lib.warehouse import check_origin

    checks: list[Check] = []
    if here.settings.sources == "sandbox" or here.settings.broker == "sandbox":
        checks.append(_attempt("sandbox", lambda: f"{here.settings.sandbox_url}, its time {_sandbox_now(here)}"))

    def warehouse() -> str:
        with here.warehouse.connect() as conn:
            check_origin(conn, here.settings.origin)
            version = conn.execute("select max(version) from ops.schema_version").fetchone()
        return f"{here.warehouse.shown_url}, schema version {version[0] if version else 'none'}"

    store = _attempt("warehouse", warehouse)
    checks.append(store)
    if store.ok:
        checks.append(_attempt("decisions", lambda: _last(here, "ops.decisions")))
        checks.append(_attempt("trading state", lambda: _state(here)))
        checks += _freshness(here)
    checks += [_running("api", lambda: _api_says(here)), _running("airflow", lambda: _airflow_says(here))]
    mirror = here.settings.mirror_path
    checks.append(Check("mirror", mirror.exists(), str(mirror), optional=True))
    return checks


def _running(name: str, look: Callable[[], str]) -> Check:
    """Return whether a program that need not be up is up; one that is up and not well is not well."""
    import requests

    try:
        told = look()
    except requests.RequestException as error:
        return Check(name, False, f"not up ({type(error).__name__})", optional=True)
    return Check(name, not told.endswith("not well"), told)


def _api_says(here: Context) -> str:
    address = api_address(here.settings)
    status = _get(f"{address}/health").status_code
    return address if status == 200 else f"{address}: status {status}, not well"


def _airflow_says(here: Context) -> str:
    address = here.settings.airflow_url
    answer = _get(f"{address}/api/v2/monitor/health")
    found = answer.json() if answer.status_code == 200 else {}
    parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
    bad = [name for name in parts if (found.get(name) or {}).get("status") != "healthy"]
    return f"{address}: {', '.join(bad)} not well" if bad else address


def _get(address: str) -> Any:
    import requests

    return requests.get(address, timeout=5, proxies={"http": "", "https": ""})


def _attempt(name: str, look: Any) -> Check:
    import psycopg

    try:
        return Check(name, True, str(look()))
    except PasError as error:
        return Check(name, False, str(error))
    except psycopg.Error as error:
        return Check(name, False, (str(error).splitlines() or ["refused"])[0])


def _sandbox_now(here: Context) -> str:
    from pas_lib.clock import SandboxClock

    return f"{SandboxClock(here.settings.sandbox_url, timeout=3).now():%Y-%m-%d %H:%MZ}"


def _last(here: Context, table: str) -> str:
    rows = here.warehouse.rows(f"select max(session) as session, count(*) as n from {table}")  # noqa: S608 - own names
    return f"{rows[0]['n']}, the last of session {rows[0]['session']}" if rows[0]["n"] else "none yet"


def _state(here: Context) -> str:
    from pas_lib.execution import current_state

    state, reason = current_state(here.warehouse)
    return f"{state}{f': {reason}' if reason else ''}"


def _freshness(here: Context) -> list[Check]:
    """Return one line per dataset: what there is, and whether its last good collection is within the tolerance."""
    from pas_lib.ingest.freshness import check

    try:
        now = here.clock.now()
    except PasError as error:
        return [Check("datasets", False, f"their age cannot be told: {error}")]
    checks = []
    for one in check(here.warehouse, now):
        if one.collected_at is None:
            checks.append(Check(one.dataset, False, "never collected", optional=True))
            continue
        rows = here.warehouse.rows(f"select count(*) as n, max(known_at) as newest from raw.{one.dataset}")  # noqa: S608
        newest = f", newest known {rows[0]['newest']:%Y-%m-%d %H:%MZ}" if rows[0]["newest"] else ""
        stale = f": stale, {one.why}" if one.is_stale else ""
        told = f"{rows[0]['n']:,} rows{newest}, collected {one.collected_at:%Y-%m-%d %H:%MZ}{stale}"
        checks.append(Check(one.dataset, not one.is_stale, told, optional=not one.is_critical))
    return checks


def sandbox(
    advance: Annotated[
        str | None,
        typer.Option("--advance", help="Move its clock: open, evening, or 2026-02-02T15:00:00Z."),
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="Serve on this port (0: a free one).")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of its world.")] = 7,
    as_json: JsonFlag = False,
) -> None:
    """Serve the loopback sites and the paper broker until Ctrl-C, or move the clock of the one that runs.

    With PAS_SOURCES=public or subscribed only the paper broker is served, filling at the warehouse's prices.
    """
    here = context()
    if advance is not None:
        from pas_lib.stack.sandbox_client import SandboxClient

        now = SandboxClient(here.settings.sandbox_url).advance(advance)
        if as_json:
            print_json({"now": now})
        else:
            print(f"it is {now:%Y-%m-%d %H:%M}Z in the sandbox")
        return
    from urllib.parse import urlsplit

    from pas_lib.sandbox.__main__ import main as serve

    chosen = port if port is not None else urlsplit(here.settings.sandbox_url).port or 8765
    home = here.settings.home / "sandbox"
    market = "world" if here.settings.sources == "sandbox" else "warehouse"
    status = serve(["--port", str(chosen), "--home", str(home), "--seed", str(seed), "--market", market])
    if status:
        raise typer.Exit(status)


def mirror(as_json: JsonFlag = False) -> None:
    """Refresh the DuckDB mirror of the warehouse and publish it."""
    from pas_lib.warehouse.mirror import refresh

    here = context()
    with working("copying the warehouse"):
        published = refresh(here.settings, here.clock, here.warehouse)
    if as_json:
        print_json(published)
    else:
        print(f"published {here.settings.mirror_path}")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (run, doctor, sandbox, mirror):
        app.command()(command)
