"""Ports: whether they are free, and which setting moves them."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from pas_lib.stack.errors import StackError


@dataclass(frozen=True)
class Port:
    """A port a program of the stack listens on.

    Attributes
    ----------
    number : int
        The port, on loopback.
    program : str
        Who wants it.
    setting : str
        The setting that moves it.
    """

    number: int
    program: str
    setting: str


def is_free(number: int, host: str = "127.0.0.1") -> bool:
    """Return whether nothing listens on a loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError:
            return False
        return True


def require_free(ports: list[Port]) -> None:
    """Raise for the first port that is in use or asked for twice.

    Raises
    ------
    StackError
        Naming the port, who wants it, and the setting to change.
    """
    seen: dict[int, Port] = {}
    for port in ports:
        other = seen.setdefault(port.number, port)
        if other is not port:
            raise StackError(
                f"{port.program} and {other.program} are both set to port {port.number}",
                hint=f"change {port.setting} or {other.setting}",
            )
        if not is_free(port.number):
            raise StackError(
                f"port {port.number} for {port.program} is in use",
                hint=f"end what listens there, or set {port.setting}",
            )
