"""``/db``: every catalogued table, page by page, as JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api import catalogue
from api.dependencies import Read
from api.errors import NotReady
from api.models import Page, TableInfo, TableList
from api.store import Reader, Rows

router = APIRouter(tags=["tables"])

MAX_LIMIT = 10_000
MAX_PAGE = 1_000_000
#: Above this many rows the total is not counted.
COUNT_LIMIT = 1_000_000


@router.get("/db")
def list_tables(read: Read) -> TableList:
    """List the tables that can be read, with their columns and which of them are there yet."""

    def answer(reader: Reader) -> TableList:
        found = reader.fetch(
            "select table_schema, table_name, column_name from information_schema.columns"
            " where table_schema in ('raw', 'marts', 'ops') order by table_schema, table_name, ordinal_position"
        )
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, name, column in found.rows:
            columns.setdefault((schema, name), []).append(column)
        distinct = {(t.schema, t.name): t for t in catalogue.tables().values()}
        return TableList(
            records=[
                TableInfo(
                    table=table.name,
                    schema_name=table.schema,
                    description=table.description,
                    key=list(table.key),
                    columns=columns.get(place, []),
                    is_there=place in columns,
                )
                for place, table in sorted(distinct.items())
            ]
        )

    return read(answer)


@router.get(
    "/db/{table}",
    response_model=Page,
    responses={200: {"content": {"text/csv": {}}, "description": "one page of the table"}},
)
def read_table(
    read: Read,
    table: str,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="rows on a page")] = 100,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="which page, from 1")] = 1,
    sort_by: Annotated[str | None, Query(description="column to order by; the table's key by default")] = None,
    order: Annotated[Literal["asc", "desc"], Query(description="direction; empty values come last in both")] = "asc",
    fields: Annotated[str | None, Query(description="columns wanted, separated by commas")] = None,
    format: Annotated[Literal["json", "csv"], Query(description="json or csv")] = "json",
) -> Any:
    """Return one page of a table.

    Pages are stable: equal rows of ``sort_by`` come in the order of the table's key.
    """
    wanted = catalogue.find(table)

    def answer(reader: Reader) -> tuple[Rows, int | None]:
        columns = catalogue.columns_of(reader, wanted)
        if not columns:
            raise NotReady(
                f"{wanted.schema}.{wanted.name} is not there yet", hint="`make run` or `pas build` creates it"
            )
        names = list(columns) if fields is None else list(dict.fromkeys(f.strip() for f in fields.split(",")))
        selected = ", ".join(f'{catalogue.checked(name, columns, wanted)} as "{name}"' for name in names)
        ordering = [f"{catalogue.checked(sort_by, columns, wanted)} {order} nulls last"] if sort_by else []
        key = [name for name in wanted.key if name in columns and name != sort_by] or list(columns)
        ordering += [f"{wanted.value(name)} {order} nulls last" for name in key]
        rows = reader.fetch(
            f"select {selected} from {wanted.qualified} order by {', '.join(ordering)}"  # noqa: S608 - checked above
            " limit %(limit)s offset %(offset)s",
            {"limit": limit, "offset": (page - 1) * limit},
        )
        counted = reader.scalar(
            f"select count(*) from (select 1 from {wanted.qualified} limit {COUNT_LIMIT + 1}) as counted"  # noqa: S608
        )
        return catalogue.decoded(rows), counted if counted <= COUNT_LIMIT else None

    rows, total = read(answer)
    pages = None if total is None else max(1, -(-total // limit))
    is_last = len(rows.rows) < limit or (pages is not None and page >= pages)
    following = None if is_last else page + 1
    if format == "csv":
        return Response(
            as_csv(rows),
            media_type="text/csv; charset=utf-8; header=present",
            headers={
                "Content-Disposition": f'attachment; filename="{wanted.name}.csv"',
                "X-PAS-Page": str(page),
                "X-PAS-Total": "" if total is None else str(total),
                "X-PAS-Next-Page": "" if following is None else str(following),
            },
        )
    return Page(
        table=wanted.name,
        schema_name=wanted.schema,
        page=page,
        limit=limit,
        total=total,
        pages=pages,
        next_page=following,
        columns=list(rows.columns),
        records=rows.records(),
    )


def as_csv(rows: Rows) -> str:
    """Return rows as CSV with a header (RFC 4180): numbers in full precision, times in UTC, NULL and NaN empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(rows.columns)
    writer.writerows([_cell(value) for value in row] for row in rows.rows)
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float | Decimal) and value != value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    return str(value)
