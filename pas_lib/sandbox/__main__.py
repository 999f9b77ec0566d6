"""``python -m pas_lib.sandbox``: serve the sandbox until told to stop."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pas_lib.errors import PasError

if TYPE_CHECKING:
    from starlette.applications import Starlette


def claim(home: Path, seed: int, size: str) -> None:
    """Mark the directory as this world's.

    Raises
    ------
    PasError
        When clock and account in there belong to another world.
    """
    from pas_lib.sandbox.world import generator_version

    wanted = {"seed": seed, "size": size, "version": generator_version()}
    mark = home / "sandbox.json"
    if mark.exists():
        try:
            found = json.loads(mark.read_text())
        except ValueError:
            found = None
        if found != wanted:
            raise PasError(
                f"{home} belongs to another sandbox world ({found}, asked for {wanted})",
                hint="what was collected and traded there is of that world: choose another PAS_HOME or remove this one",
            )
    mark.write_text(json.dumps(wanted))


def _paper(home: Path) -> Starlette:
    from pas_lib.clock import SystemClock
    from pas_lib.sandbox.paper_server import paper_broker
    from pas_lib.settings import load_settings
    from pas_lib.warehouse import Warehouse

    return paper_broker(Warehouse.from_settings(load_settings()), SystemClock(), home / "paper")[1]


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments, bind the port, load the world, serve; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pas_lib.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8765, help="port on 127.0.0.1 (0 takes a free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; beyond loopback only in a container")
    parser.add_argument(
        "--home", type=Path, required=True, help="directory for the world, the clock and the broker's account"
    )
    parser.add_argument("--seed", type=int, default=7, help="seed of the world")
    parser.add_argument("--size", choices=("full", "small"), default="full", help="small is for tests")
    parser.add_argument(
        "--market",
        choices=("world", "warehouse"),
        default="world",
        help="what the broker trades: the sandbox's own world, or the configured warehouse's real prices",
    )
    asked = parser.parse_args(arguments)

    from pas_lib.sandbox.clock import SandboxTime
    from pas_lib.sandbox.server import build_app, listen, make_server
    from pas_lib.sandbox.world import load_world

    try:
        sock = listen(asked.port, asked.host)
        asked.home.mkdir(parents=True, exist_ok=True)
        app: Any
        if asked.market == "warehouse":
            app, told = _paper(asked.home), "paper broker over the warehouse's prices"
        else:
            claim(asked.home, asked.seed, asked.size)
            world = load_world(asked.home, asked.seed, asked.size)
            app = build_app(world, SandboxTime(world.start_time, asked.home), asked.home / "broker")
            told = f"seed {asked.seed}"
    except PasError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: the sandbox cannot use {asked.home}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"sandbox ready on http://{asked.host}:{sock.getsockname()[1]} ({told})", flush=True)
    make_server(app).run(sockets=[sock])
    return 0


if __name__ == "__main__":
    sys.exit(main())
