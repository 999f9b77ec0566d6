"""Failures as ``application/problem+json``: a status, a title and one line of detail, never a stack trace."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from pas_lib.errors import BrokerError, PasError, SettingsError, SourceError, UnknownName, WarehouseError

PROBLEM = "application/problem+json"


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field("about:blank", description="always about:blank: the status says it all")
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="one line: what was wrong and what to do about it")
    instance: str = Field(description="the path asked for, without its query")


class ApiError(PasError):
    """An expected failure with its HTTP status."""

    status = 500


class NotFound(ApiError):
    """Nothing of that name."""

    status = 404


class Unauthorised(ApiError):
    """No token, or not the right one. Says no more than that."""

    status = 401

    def __init__(self) -> None:
        super().__init__("a valid token is required")


class Forbidden(ApiError):
    """The token is known but may not do this, or the address may not be served."""

    status = 403


class Conflict(ApiError):
    """What is asked for does not fit what is stored."""

    status = 409


class Unprocessable(ApiError):
    """A parameter names something that does not exist or has an impossible value."""

    status = 422


class NotReady(ApiError):
    """The answer needs something that is not there yet, or a store that is away."""

    status = 503


def problem(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return a problem answer.

    Parameters
    ----------
    request : Request
        Only its path is used: a query may hold a token.
    status : int
        HTTP status.
    detail : str
        One line; further lines are folded.
    headers : dict[str, str], optional
        Headers to add.
    """
    body = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=" ".join(detail.split()),
        instance=request.url.path,
    )
    extra = dict(headers or {})
    if status == HTTPStatus.UNAUTHORIZED:
        extra.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(body.model_dump(), status_code=status, media_type=PROBLEM, headers=extra)


def _status_of(error: PasError) -> int:
    if isinstance(error, ApiError):
        return error.status
    if isinstance(error, UnknownName):
        return 404
    # What is asked elsewhere (the store, the sandbox's clock, the broker) may be away for a while.
    if isinstance(error, WarehouseError | SettingsError | SourceError | BrokerError):
        return 503
    return 500


def install(app: FastAPI) -> None:
    """Register the handlers that turn every failure into a problem answer."""

    @app.exception_handler(PasError)
    async def _expected(request: Request, error: PasError) -> Response:
        return problem(request, _status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        # The value itself is left out: it may be a token typed into the wrong parameter.
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return problem(request, 422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
            detail = "no such address; /docs lists what there is"
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(app, request))
            detail = f"{request.method} is not possible here; {headers['Allow']} is"
        return problem(request, error.status_code, detail, headers)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Return the methods of all routes of a path: the framework names those of the first one only."""
    found: set[str] = set()
    for route in app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)
