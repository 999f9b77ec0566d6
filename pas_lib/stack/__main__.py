"""``python -m pas_lib.stack run [--once] [--sessions N]``, called by ``make run``, and what the compose stack calls."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pas_lib.errors import PasError
from pas_lib.settings import PROJECT_ROOT, load_settings
from pas_lib.stack import signals


def run(*, once: bool, sessions: int, answer: Callable[[dict[str, Any]], None] | None = None) -> None:
    """Bring the stack up, run sessions through it, show the summary, and stay until Ctrl-C unless ``once``.

    With ``answer`` the summary is given to it, as plain values, and what is told goes to standard error.
    """
    from pas_lib.clock import clock_for
    from pas_lib.execution import standing
    from pas_lib.stack import secrets_file
    from pas_lib.stack.engine import AirflowEngine
    from pas_lib.stack.job import run_session
    from pas_lib.stack.progress import Progress
    from pas_lib.stack.state import SessionState
    from pas_lib.stack.summary import addresses, figures, places, show
    from pas_lib.stack.supervisor import Stack

    # The tokens must be there before the settings are read.
    secrets_file.ensure_tokens(PROJECT_ROOT / ".env")
    settings = load_settings()
    told: dict[str, Any] = {"sessions": {}}
    with Progress.beside_json() if answer else Progress() as progress, Stack(settings, progress) as stack:
        state = SessionState.load(stack.state_file)
        clock = clock_for(settings)
        engine = AirflowEngine(
            stack.airflow,
            stack.airflow_home,
            progress,
            stack.processes.require_alive,
            lambda day: standing(day, settings, stack.warehouse, clock),
        )
        for _ in range(sessions):
            session = run_session(engine, stack.world, state, progress)
            if session is None:
                break
            if answer is None:
                show(stack, session)
            else:
                told["sessions"][session.isoformat()] = figures(stack, session)
        stack.note_timings()
        if answer is None:
            addresses(stack)
        else:
            answer(told | {"seconds": progress.taken | {"total": progress.elapsed}, "addresses": places(stack)})
        progress.say(f"total {progress.elapsed:.1f}s")
        if once:
            return
        progress.say("up until Ctrl-C")
        try:
            while True:
                stack.processes.require_alive()
                time.sleep(1.0)
        except KeyboardInterrupt:
            progress.say("ending")


def serve() -> None:
    """Bring the stack up and stay until told to end; the DAGs run by their own schedules."""
    from pas_lib.stack import secrets_file
    from pas_lib.stack.progress import Progress
    from pas_lib.stack.summary import addresses
    from pas_lib.stack.supervisor import Stack

    secrets_file.ensure_tokens(PROJECT_ROOT / ".env")
    with Progress() as progress, Stack(load_settings(), progress) as stack:
        addresses(stack)
        try:
            while True:
                stack.processes.require_alive()
                time.sleep(1.0)
        except KeyboardInterrupt:
            progress.say("ending")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m pas_lib.stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("run", help="the whole job")
    command.add_argument("--once", action="store_true", help="end after the job and its summary")
    command.add_argument("--sessions", type=int, default=1, help="how many sessions, one after another")
    command.add_argument("--direct", action="store_true", help="in one process, without Airflow and API")
    commands.add_parser("prepare", help="compose stack: databases, pools, log-in, rights; then end")
    probe_command = commands.add_parser("probe", help="compose stack: status 0 if an address answers")
    probe_command.add_argument("url")
    drive_command = commands.add_parser("drive", help="compose stack: sessions through the programs that are up")
    drive_command.add_argument("--sessions", type=int, default=1, help="how many sessions, one after another")
    commands.add_parser("serve", help="the programs alone, until told to end")
    commands.add_parser("install-service", help="put the programs under systemd, as a user unit")
    commands.add_parser("uninstall-service", help="take the unit away; data stays")
    commands.add_parser("secrets", help="write random secrets for the compose stack into .env")
    chosen = parser.parse_args(arguments)
    if getattr(chosen, "sessions", 1) < 1:
        parser.error("--sessions must be at least 1")
    # Of a library of the embedded PostgreSQL; it finds a folder without being told one.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    signals.as_interrupt()
    try:
        if chosen.command == "probe":
            from pas_lib.stack.containers import probe

            return probe(chosen.url)
        if chosen.command == "prepare":
            from pas_lib.stack.containers import prepare

            prepare(load_settings())
        elif chosen.command == "drive":
            from pas_lib.stack.containers import drive

            drive(load_settings(), chosen.sessions)
        elif chosen.command == "serve":
            serve()
        elif chosen.command == "install-service":
            from pas_lib.stack.systemd import install

            print(f"installed and started: {install(load_settings())}")
        elif chosen.command == "uninstall-service":
            from pas_lib.stack.systemd import uninstall

            print("stopped and removed; data stays" if uninstall() else "no service is installed")
        elif chosen.command == "secrets":
            from pas_lib.stack.secrets_file import ensure_compose_secrets

            names = ensure_compose_secrets(PROJECT_ROOT / ".env")
            print(f".env: {', '.join(names)} written" if names else ".env holds every secret already")
        elif chosen.direct:
            from pas_lib.stack.direct import run_direct

            run_direct(load_settings(), sessions=chosen.sessions)
        else:
            run(once=chosen.once, sessions=chosen.sessions)
    except PasError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
