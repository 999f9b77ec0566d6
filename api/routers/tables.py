"""``/db``: every catalogued table, page by page, as JSON or CSV."""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api import catalogue
from api.dependencies import Read
from api.errors import NotReady
from api.models import Page, TableInfo, TableList
from api.store import Provenance, Reader, Rows, Store
from api.streaming import MEDIA_TYPES, Format, table_stream
from api.values import cell

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


@router.get(
    "/db/{table}/all",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {}, "application/x-ndjson": {}}, "description": "every row"}},
)
def stream_table(
    request: Request,
    table: str,
    fields: Annotated[str | None, Query(description="columns wanted, separated by commas")] = None,
    format: Annotated[Format, Query(description="csv, or one JSON object a line")] = "csv",
) -> StreamingResponse:
    """Stream a whole table, in no particular order.

    An answer that is cut off by a failure ends without the last chunk, which HTTP clients report.
    """
    store: Store = request.app.state.store
    wanted = catalogue.find(table)

    def remember(provenance: Provenance) -> None:
        request.state.provenance = provenance

    pieces = table_stream(store, wanted, fields, format, remember)
    name = f"{wanted.name}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[format], headers=headers)


def as_csv(rows: Rows) -> str:
    """Return rows as CSV with a header (RFC 4180): numbers in full precision, times in UTC, NULL and NaN empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(rows.columns)
    writer.writerows([cell(value) for value in row] for row in rows.rows)
    return buffer.getvalue()
