"""The reference page of the REST API, made of its description: ``python -m api.reference docs/reference``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from api.factory import create_app
from api.openapi import operations
from pas_lib.reference import HEAD, cell, write
from pas_lib.settings import Settings


def description() -> dict[str, Any]:
    """Return the description of the interface, which depends on no setting."""
    tokens = {"api_token": SecretStr("a" * 40), "api_read_token": SecretStr("r" * 40)}
    found: dict[str, Any] = create_app(Settings().model_copy(update=tokens)).openapi()
    return found


def page() -> str:
    """Return the page: groups, and in each its addresses with parameters, body and an example answer."""
    found = description()
    groups = []
    for tag in found["tags"]:
        mine = [entry for entry in operations(found) if tag["name"] in entry[2].get("tags", [])]
        if mine:
            text = "\n".join(_operation(path, method, one) for path, method, one in mine)
            groups.append(f"## {tag['name'].capitalize()}\n\n{tag['description']}\n\n{text}")
    introduction = str(found["info"]["description"]).strip()
    return (
        f"{HEAD}\n# REST API\n\n{introduction}\n\nSend a token in `Authorization`, bare or as `Bearer`; the read token"
        " also as `?token=` of a GET. `/health` and `/readyz` are open. The whole description (OpenAPI 3.1) is"
        " `/openapi.json`.\n\n" + "\n".join(groups)
    )


def _operation(path: str, method: str, one: dict[str, Any]) -> str:
    text = f"### {method.upper()} {path}\n\n{one['description']}\n"
    rows = [
        f"| `{each['name']}` | {each['in']} | {_kind(each['schema'])} | {cell(each.get('description', ''))} |"
        for each in one.get("parameters", [])
    ]
    if rows:
        text += "\n| parameter | in | | |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    for title, content in (
        ("Body", one.get("requestBody", {}).get("content", {})),
        ("Answer", next(v for k, v in one["responses"].items() if k.startswith("2")).get("content", {})),
    ):
        example = content.get("application/json", {}).get("example")
        if example is not None:
            text += f"\n{title}:\n\n```json\n{json.dumps(example, indent=1, ensure_ascii=False)}\n```\n"
    return text


def _kind(schema: dict[str, Any]) -> str:
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    kind = str(parts[0].get("format") or parts[0].get("type") or "")
    if parts[0].get("enum") and len(parts[0]["enum"]) <= 6:
        kind = ", ".join(f"`{value}`" for value in parts[0]["enum"])
    default = schema.get("default")
    return kind + (f", default `{default}`" if default is not None else "")


if __name__ == "__main__":
    for changed in write(Path(sys.argv[1]), {"api.md": page()}):
        print(changed)
