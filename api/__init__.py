"""The REST API and the dashboard: what the warehouse knows, over HTTP, behind a token.

``uvicorn api:app`` and ``python -m api`` both serve it. The application is built when ``app`` is first asked for, so
that importing the package needs no configuration.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

_built: list[FastAPI] = []


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module 'api' has no attribute {name!r}")
    if not _built:
        from api.factory import create_app
        from pas_lib.errors import PasError
        from pas_lib.settings import load_settings

        try:
            _built.append(create_app(load_settings()))
        except PasError as error:
            # A server that imports the application would print a stack trace; a user needs the one line.
            print(f"api: {error}", file=sys.stderr)
            raise SystemExit(1) from None
    return _built[0]
