"""How a list is asked for: which columns, in which order, which page. One mechanism for every list of the API.

Long lists are ordered and cut by the store (:meth:`Window.page_of`), those that are computed by :meth:`Window.cut`;
:meth:`Window.pick` leaves out the columns that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import orjson
from fastapi import Depends, Query, Response
from pydantic import BaseModel

from api.errors import Unprocessable
from api.models import Listed, Listing
from api.store import Reader
from pas_lib.errors import UnknownName

Item = TypeVar("Item", bound=BaseModel)
A = TypeVar("A", bound=Listed)

MOST = 10_000
LAST_PAGE = 1_000_000

PageNumber = Annotated[int, Query(ge=1, le=LAST_PAGE, description="which page, from 1")]
Order = Annotated[Literal["asc", "desc"], Query(description="direction; empty values come last in both")]
SortBy = Annotated[str | None, Query(max_length=80, description="column to order by; the list's own order by default")]
Fields = Annotated[
    str | None, Query(max_length=2000, description="columns of the records wanted, separated by commas; all by default")
]


def item_of(answer: type[BaseModel]) -> type[BaseModel]:
    """Return the model of the records of a list."""
    (found,) = get_args(answer.model_fields["records"].annotation)
    return cast(type[BaseModel], found)


@cache
def sortable(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the columns of a record that have an order: those that hold one value."""
    return tuple(name for name, field in model.model_fields.items() if not _is_nested(field.annotation))


def _is_nested(annotation: Any) -> bool:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation in (list, dict) or issubclass(annotation, BaseModel)
    return get_origin(annotation) in (list, dict) or any(_is_nested(one) for one in get_args(annotation))


@dataclass(frozen=True)
class Window:
    """Which part of a list is wanted.

    Attributes
    ----------
    fields : str, optional
        Columns, separated by commas; all by default.
    sort_by : str, optional
        A column of the records; the list's own order by default, which also tells equal records apart.
    order : {"asc", "desc"}
        Records without a value come last in both.
    page : int
        From 1.
    limit : int, optional
        Most records on a page; None for all of them.
    """

    fields: str | None = None
    sort_by: str | None = None
    order: Literal["asc", "desc"] = "desc"
    page: int = 1
    limit: int | None = 100

    def _sorted_by(self, model: type[BaseModel]) -> str | None:
        """Return the column to order by, which the records have."""
        if self.sort_by is not None and self.sort_by not in sortable(model):
            raise Unprocessable(str(UnknownName("column to sort by", self.sort_by[:80], sortable(model))))
        return self.sort_by

    def names(self, model: type[BaseModel]) -> tuple[str, ...] | None:
        """Return the columns wanted, each once; None for all.

        Raises
        ------
        Unprocessable
            If the records have no such column.
        """
        if self.fields is None:
            return None
        wanted = tuple(dict.fromkeys(name.strip() for name in self.fields.split(",")))
        for name in wanted:
            if name not in model.model_fields:
                raise Unprocessable(str(UnknownName("column", name[:80], model.model_fields)))
        return wanted

    def page_of(
        self, reader: Reader, model: type[Item], statement: str, parameters: Mapping[str, Any], *, own: str
    ) -> Listing[Item]:
        """Return one page of a query.

        Parameters
        ----------
        statement : str
            Without order; its columns are the model's.
        own : str
            The list's own order, which is total.

        Raises
        ------
        Unprocessable
            If the records have no column that is named.
        """
        self.names(model)
        by = self._sorted_by(model)
        # The name is a field of the model, never a text of the request's making.
        ordering = f"{by} {self.order} nulls last, {own}" if by else own
        limit = self.limit or MOST
        found = reader.records(
            f"{statement} order by {ordering} limit %(limit)s offset %(offset)s",
            {**parameters, "limit": limit + 1, "offset": (self.page - 1) * limit},
        )
        listing: type[Listing[Item]] = Listing[model]  # type: ignore[valid-type]
        return listing(
            records=[model.model_validate(record) for record in found[:limit]],
            page=self.page,
            limit=limit,
            next_page=self.page + 1 if len(found) > limit else None,
        )

    def cut(self, answer: A) -> A:
        """Return, finished, a computed list in the order wanted, the page of it, and of that the columns.

        Raises
        ------
        Unprocessable
            If the records have no column that is named.
        """
        model = item_of(type(answer))
        by = self._sorted_by(model)
        own: Sequence[Any] = vars(answer)["records"]
        records = own
        if by is not None:
            known = [one for one in records if getattr(one, by) is not None]
            known.sort(key=lambda one: getattr(one, by), reverse=self.order == "desc")
            records = known + [one for one in records if getattr(one, by) is None]
        begin = (self.page - 1) * (self.limit or 0) if self.limit else (0 if self.page == 1 else len(records))
        end = len(records) if self.limit is None else begin + self.limit
        following = self.page + 1 if end < len(records) else None
        if records is not own or end - begin < len(records):
            answer = answer.model_copy(update={"records": list(records[begin:end]), "next_page": following})
        return self.pick(answer)

    def pick(self, answer: A) -> A:
        """Return, finished, a list with the columns wanted.

        The framework would check each answer once more against the model it was made from, and could not do so where
        columns are left out; what it gets is bytes.
        """
        names = self.names(item_of(type(answer)))
        if names is None:
            body = answer.model_dump_json(by_alias=True).encode()
        else:
            whole = answer.model_dump(mode="json", by_alias=True)
            whole["records"] = [{name: record[name] for name in names} for record in whole["records"]]
            body = orjson.dumps(whole)
        return cast(A, Response(body, media_type="application/json"))


async def _whole(
    fields: Fields = None,
    sort_by: SortBy = None,
    order: Order = "desc",
    page: PageNumber = 1,
    limit: Annotated[int | None, Query(ge=1, le=MOST, description="records on a page; all by default")] = None,
) -> Window:
    return Window(fields, sort_by, order, page, limit)


async def _paged(
    fields: Fields = None,
    sort_by: SortBy = None,
    order: Order = "desc",
    page: PageNumber = 1,
    limit: Annotated[int, Query(ge=1, le=MOST, description="records on a page")] = 100,
) -> Window:
    return Window(fields, sort_by, order, page, limit)


#: Of a list that is answered whole unless a part is asked for.
Whole = Annotated[Window, Depends(_whole)]
#: Of a list that is answered page by page.
Paged = Annotated[Window, Depends(_paged)]
