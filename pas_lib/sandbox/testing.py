"""Start the sandbox inside a test's own process."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pas_lib.errors import PasError
from pas_lib.sandbox.clock import SandboxTime
from pas_lib.sandbox.faults import Faults
from pas_lib.sandbox.server import HOST, build_app, listen, make_server
from pas_lib.sandbox.world import World, generate

_WORLDS: dict[tuple[int, str], World] = {}


def world_for_tests(seed: int = 7, *, small: bool = True) -> World:
    """Return a world, generated once per process."""
    key = (seed, "small" if small else "full")
    if key not in _WORLDS:
        _WORLDS[key] = generate(*key)
    return _WORLDS[key]


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that listens: its address, world, clock and faults."""

    url: str
    world: World
    clock: SandboxTime
    faults: Faults
    home: Path


@contextmanager
def running_sandbox(home: Path | None = None, *, small: bool = True, seed: int = 7) -> Iterator[RunningSandbox]:
    """Serve a sandbox on a free loopback port from a thread; stopped at the end of the block.

    Parameters
    ----------
    home : Path or None
        Directory of clock and broker; None makes a temporary one.
    small : bool
        40 companies and 18 months instead of 500 and five years.
    """
    with tempfile.TemporaryDirectory() as spare:
        home = home or Path(spare)
        home.mkdir(parents=True, exist_ok=True)
        world = world_for_tests(seed, small=small)
        clock = SandboxTime(world.start_time, home)
        app = build_app(world, clock, home / "broker")
        sock = listen(0)
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="sandbox", daemon=True)
        thread.start()
        limit = time.monotonic() + 10
        while not server.started:
            if not thread.is_alive() or time.monotonic() > limit:
                raise PasError("the sandbox did not start")
            time.sleep(0.005)
        try:
            yield RunningSandbox(f"http://{HOST}:{sock.getsockname()[1]}", world, clock, app.faults, home)
        finally:
            server.should_exit = True
            thread.join(10)
            sock.close()
