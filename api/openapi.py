"""The description of the interface (OpenAPI): who may ask, what failures look like, and an example of everything.

What FastAPI derives from the code is completed here in one place, so that no route can forget it.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.catalogue import tables
from api.errors import PROBLEM, Problem
from api.examples import VALUES
from api.models import Selected
from pas_lib.datasets import catalogue as datasets

#: Addresses that answer without a token.
OPEN = frozenset({"/health", "/readyz"})

_TAGS = {
    "system": "Whether the service lives, what it can read, its logs, and events as they happen.",
    "tables": "Every catalogued table: pages as JSON or CSV, whole tables as CSV or NDJSON.",
    "collection": "Refused records, and how old each dataset is.",
    "book": "What is held, decided, ordered and traded.",
    "research": "How it did, and what the models say.",
    "portfolios": "What a person does to portfolios. Needs the admin token.",
    "control": "Approvals and alerts (scope trade), trading state and risk rules (scope admin).",
    "jobs": "Airflow's jobs: list, start (scope trade) and follow them.",
    "tokens": "Named tokens: made, listed and revoked. Needs the admin token.",
}
_SCHEMES: dict[str, Any] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer <token>`, or the token alone. API_TOKEN may do everything,"
        " API_READ_TOKEN may read; named tokens may what their scope says.",
    },
    "query": {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "a token that may only read, on GET only",
    },
}
_REASONS = {
    400: "the address or the body cannot be read",
    401: "no token, or not the right one",
    403: "the token may not do this",
    404: "nothing of that name",
    409: "does not fit what is stored",
    413: "the body is too large",
    422: "a parameter or the body is not valid; the detail names it",
    429: "too many requests in a minute; see `Retry-After`",
    503: "a table is not there yet, or a store is away; the detail says what to run",
}


def description(app: FastAPI) -> dict[str, Any]:
    """Return the whole description; made once and kept."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=app.routes,
            tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
        )
        _complete(found)
        app.openapi_schema = found
    return app.openapi_schema


def _complete(found: dict[str, Any]) -> None:
    schemas: dict[str, Any] = found["components"]["schemas"]
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = Problem.model_json_schema()
    schemas["Selected"] = Selected.model_json_schema()
    found["components"]["securitySchemes"] = _SCHEMES
    for name, schema in schemas.items():
        schema.setdefault("title", name)
        if schema.get("properties"):
            schema["examples"] = [example({"$ref": f"#/components/schemas/{name}"}, schemas)]
    known = {"table": sorted(tables()), "dataset": sorted(datasets())}
    for path, method, operation in operations(found):
        is_write = method != "get"
        if path not in OPEN:
            operation["security"] = [{"token": []}] if is_write else [{"token": []}, {"query": []}]
        columns = _selectable(path, operation, schemas)
        for parameter in operation.get("parameters", []):
            value = columns.get(parameter["name"], VALUES.get(parameter["name"]))
            if value is not None:
                parameter["example"] = value
            if parameter["in"] == "path" and parameter["name"] in known:
                parameter["schema"]["enum"] = known[parameter["name"]]
        answers: dict[str, Any] = operation["responses"]
        answers.pop("422", None)
        answers |= {str(n): _problem(n, path) for n in _failures(path, operation, is_write=is_write)}
        answers["default"] = _problem(500, path) | {"description": "what went wrong, in one line"}
        _show(operation.get("requestBody", {}).get("content", {}), schemas)
        for status, answer in answers.items():
            if status.startswith("2"):
                _show(answer.get("content", {}), schemas)


def _selectable(path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, str]:
    """Complete a list of which columns can be picked; return the examples of the parameters that name some."""
    if path.startswith("/db") or "fields" not in {one["name"] for one in operation.get("parameters", [])}:
        return {}
    media = operation["responses"]["200"]["content"]["application/json"]
    whole = media["schema"]
    model = schemas[whole["$ref"].rpartition("/")[2]]
    item = schemas[model["properties"]["records"]["items"]["$ref"].rpartition("/")[2]]
    names = list(item["properties"])
    media["schema"] = {"anyOf": [whole, {"$ref": "#/components/schemas/Selected"}]}
    return {"fields": ",".join(names[:2]), "sort_by": names[0]}


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and description of every operation."""
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _failures(path: str, operation: dict[str, Any], *, is_write: bool) -> list[int]:
    if path in OPEN:
        return [429]
    found = [400, 401, 429, 503]
    if is_write:
        found += [403, 409, 413]
    if "{" in path:
        found.append(404)
    if operation.get("parameters") or operation.get("requestBody"):
        found.append(422)
    return sorted(found)


def _problem(status: int, path: str) -> dict[str, Any]:
    phrase = HTTPStatus(status).phrase
    shown = {"type": "about:blank", "title": phrase, "status": status, "detail": _REASONS.get(status, "")}
    if not shown["detail"]:
        shown["detail"] = "a defect of the program (ValueError); the server's log has the details"
    return {
        "description": _REASONS.get(status, phrase),
        "content": {
            PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": {**shown, "instance": path}}
        },
    }


def _show(content: dict[str, Any], schemas: dict[str, Any]) -> None:
    for kind, media in content.items():
        if kind == "application/json" and media.get("schema"):
            media["example"] = example(media["schema"], schemas)


def example(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """Return a value of a schema, made of the example values of its properties' names.

    Parameters
    ----------
    schema : dict
        Part of the description.
    schemas : dict
        Name -> schema of every component.
    name : str
        The property it describes.
    """
    if "$ref" in schema:
        return example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "properties" in schema:
        title = schema.get("title", "")
        return {
            key: VALUES[own] if (own := f"{title}.{key}") in VALUES else example(part, schemas, key)
            for key, part in schema["properties"].items()
        }
    if "const" in schema or schema.get("enum"):
        known = schema.get("enum") or [schema["const"]]
        return VALUES[name] if VALUES.get(name) in known else known[0]
    parts = [part for part in schema.get("anyOf", []) if part.get("type") != "null"]
    if parts and ("$ref" in parts[0] or parts[0].get("type") == "array"):
        return example(parts[0], schemas, name)
    if schema.get("type") == "array" and ("$ref" in schema["items"] or name not in VALUES):
        return [example(schema["items"], schemas, name)]
    return VALUES.get(name)
