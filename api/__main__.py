"""``python -m api``: serve on the configured address."""

from __future__ import annotations

import errno
import logging
import socket
import sys

from pas_lib.errors import PasError, SettingsError
from pas_lib.settings import load_settings


def _listen(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises
    ------
    SettingsError
        If the port is taken or the address is not one of this machine's; the line names the setting to change.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except socket.gaierror:
        raise SettingsError(f"PAS_API_HOST: {host!r} is no address of this machine") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {port} on {host} is in use", hint="stop what listens there, or set PAS_API_PORT to another port"
            ) from None
        if error.errno == errno.EACCES:
            raise SettingsError(
                f"port {port} may not be opened by this user", hint="set PAS_API_PORT above 1023"
            ) from None
        raise SettingsError(f"PAS_API_HOST: {host!r} cannot be bound: {error.strerror}") from None
    return listener


def main() -> int:
    """Serve until interrupted; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        settings = load_settings()
        from api.auth import check_address
        from api.factory import create_app

        app = create_app(settings)
        check_address(settings.api_host, settings)
        listener = _listen(settings.api_host, settings.api_port)
    except PasError as error:
        print(f"api: {error}", file=sys.stderr)
        return 1
    import uvicorn

    # The access log is the application's own: uvicorn's would write query strings.
    config = uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        server_header=False,
        # A client that asks again within a minute finds its connection open, not closed under its hands.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
