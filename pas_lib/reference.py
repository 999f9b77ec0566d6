"""Reference pages that are made of the code: datasets, settings, commands.

``make docs`` writes them into docs/reference (that of the REST API is made by :mod:`api.reference`); a test holds the
committed pages against what it would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pas_lib.datasets import Dataset, catalogue
from pas_lib.errors import PasError
from pas_lib.settings import PROJECT_ROOT, Settings, setting_names

HEAD = "<!-- Made by `make docs` of the code: change that. -->\n"


def pages() -> dict[str, str]:
    """Return file name -> text of every page made here."""
    return {"datasets.md": dataset_page(), "settings.md": settings_page(), "commands.md": command_page()}


def write(folder: Path, made: dict[str, str]) -> list[Path]:
    """Write the pages that differ and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    touched = []
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            touched.append(path)
    return touched


def cell(value: Any) -> str:
    """Return a text as a cell of a Markdown table."""
    return " ".join(str(value).split()).replace("|", "\\|")


# ------------------------------------------------------------------------------------------------------- datasets


def dataset_page() -> str:
    """Return the page of all datasets."""
    entries = catalogue()
    rows = "\n".join(
        f"| [{one.name}](#{one.name}) | {cell(one.doc)} | {one.cadence} | {_days(one)} | {', '.join(one.sources)} |"
        for one in entries.values()
    )
    return (
        f"{HEAD}\n# Datasets\n\nEvery table of schema `raw`. Beside its own columns each row carries `source`,"
        " `event_date`, `known_at`, `ingested_at`, `source_url` (without credentials), `run_id`, `content_hash`,"
        " `is_deleted` and `row_id`; rows are only ever appended.\n\n"
        f"| table | a row | collected | stale after | sources, first choice first |\n|---|---|---|---|---|\n{rows}\n\n"
        + "\n".join(_dataset(one) for one in entries.values())
    )


def _days(one: Dataset) -> str:
    return f"{one.tolerance.total_seconds() / 86_400:g} days"


def _dataset(one: Dataset) -> str:
    histories = {"full": "the site gives the past", "none": "begins with the first capture"}
    facts = [
        ("key", ", ".join(f"`{name}`" for name in one.key)),
        ("known at", one.known_at_doc),
        ("history", histories[one.history]),
    ]
    if one.ends_doc:
        facts.insert(2, ("a row ends", one.ends_doc))
    if one.leader:
        facts.append(("travels with", f"`{one.leader}`"))
    if one.critical:
        facts.append(("critical", "without it nothing is decided"))
    head = "\n".join(f"| {name} | {cell(text)} |" for name, text in facts)
    columns = "\n".join(
        f"| `{column.name}` | {column.type} | {'required' if column.required else ''} | {cell(column.doc)} |"
        for column in one.columns
    )
    return (
        f"## {one.name}\n\n{one.doc}\n\n| | |\n|---|---|\n{head}\n\n"
        f"| column | type | | meaning |\n|---|---|---|---|\n{columns}\n"
    )


# ------------------------------------------------------------------------------------------------------- settings


@dataclass(frozen=True)
class Setting:
    """A setting as .env.example tells of it."""

    name: str
    section: str
    note: str


def settings_in(text: str) -> Iterator[Setting]:
    """Yield the settings of a commented .env file; a comment holds for the lines below it, up to the next one."""
    section = ""
    note: list[str] = []
    is_open = False
    for line in text.splitlines():
        if line.startswith("# -- "):
            section, note, is_open = line.removeprefix("# -- "), [], False
        elif line.startswith("#"):
            note = [*(note if is_open else []), line.removeprefix("#").strip()]
            is_open = True
        elif "=" in line:
            is_open = False
            yield Setting(line.partition("=")[0], re.split(r"[:;(]", section)[0].strip(), " ".join(note))
        else:
            note, is_open = [], False


def settings_page() -> str:
    """Return the page of all settings.

    Raises
    ------
    PasError
        If .env.example leaves a setting out.
    """
    found = {one.name: one for one in settings_in((PROJECT_ROOT / ".env.example").read_text(encoding="utf-8"))}
    fields = setting_names()
    if left_out := sorted(set(fields) - set(found)):
        raise PasError(f".env.example does not name {left_out[0]}", hint="add it with a line that says what it is")
    parts = []
    for section in dict.fromkeys(one.section for one in found.values()):
        rows = "\n".join(
            f"| `{one.name}` | {_default(fields[one.name])} | {cell(one.note)} |"
            for one in found.values()
            if one.section == section and one.name in fields
        )
        parts.append(f"## {section[:1].upper()}{section[1:]}\n\n| name | default | |\n|---|---|---|\n{rows}\n")
    return (
        f"{HEAD}\n# Settings\n\nThe environment wins over `.env`, `.env` over `config.yaml`, that over the defaults. An"
        " invalid or unknown name is an error of one line at the start.\n\n" + "\n".join(parts)
    )


def _default(field: str) -> str:
    value = Settings.model_fields[field].default
    if isinstance(value, Path):
        value = str(value.relative_to(PROJECT_ROOT)) if value.is_relative_to(PROJECT_ROOT) else ""
    return "" if value is None or str(value) in ("", ".", "PydanticUndefined") else f"`{cell(value)}`"


# ------------------------------------------------------------------------------------------------------- commands


def command_page() -> str:
    """Return the page of all commands."""
    return (
        f"{HEAD}\n# Commands\n\n`pas COMMAND --help` tells the same. With `--json` the answer is one JSON document on"
        " standard output (one record a line where it says so), and nothing else is.\n\n"
        "| status | means |\n|---|---|\n| 0 | done |\n| 1 | an expected failure, told in one line on standard error |\n"
        "| 2 | wrong usage |\n| 70 | a defect of the program |\n| 130 | interrupted |\n\n"
        '`eval "$(pas --show-completion bash)"` completes commands and options in this shell, `pas'
        " --install-completion` in every new one (bash, zsh, fish, PowerShell).\n\n"
        + "\n".join(_command(name, one) for name, one in commands())
    )


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command with its whole name, those of groups too, by name."""
    import typer

    from pas_lib.cli.app import app

    def walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, one in sorted(group.commands.items()):
            if getattr(one, "commands", None):
                yield from walk(f"{prefix}{name} ", one)
            else:
                yield f"{prefix}{name}", one

    yield from walk("", typer.main.get_command(app))


def _command(name: str, one: Any) -> str:
    arguments = [parameter for parameter in one.params if parameter.param_type_name == "argument"]
    usage = " ".join(["pas", name, *(_argument(each) for each in arguments)])
    text = " ".join((one.help or "").split("\n\n")[0].split())
    more = "\n\n".join(" ".join(part.split()) for part in (one.help or "").split("\n\n")[1:])
    rows = "\n".join(
        f"| `{'`, `'.join(each.opts)}` | {cell(getattr(each, 'help', '') or '')} |"
        for each in one.params
        if each.name != "help"
    )
    return (
        f"## {name}\n\n`{usage}`\n\n{text}\n{f'{chr(10)}{more}{chr(10)}' if more else ''}\n| | |\n|---|---|\n{rows}\n"
    )


def _argument(parameter: Any) -> str:
    shown = str(parameter.metavar or parameter.name).upper()
    shown += "..." if parameter.nargs == -1 else ""
    return shown if parameter.required else f"[{shown}]"


if __name__ == "__main__":
    for changed in write(Path(sys.argv[1]), pages()):
        print(changed)
