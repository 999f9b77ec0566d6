"""The exchange-traded funds the strategies use, from a table that comes with the code.

It goes through the same road as everything else: landed, validated, loaded.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import date
from importlib import resources

from pas_lib.sources import members
from pas_lib.sources.base import Ask, Batch, Payload, Request, Source

_URL = "package:pas_lib.datasets/etfs.csv"
_HEAD = ["symbol", "name", "sector", "leverage", "inception"]


class Package(Source):
    """``pas_lib/datasets/etfs.csv``."""

    name = "package"
    site = "package"
    host = ""

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the one file."""
        yield Request(self.name, ask.dataset, "etf", _URL, context={"index_name": "etf"})

    def read(self, request: Request, ask: Ask) -> Payload:
        """Return the packaged file as a payload."""
        body = resources.files("pas_lib.datasets").joinpath("etfs.csv").read_bytes()
        return Payload(
            self.name, request.dataset, request.label, _URL, 200, "text/csv", ask.now, dict(request.context), body
        )

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is this table."""
        return body.startswith(b"symbol,name,sector,leverage,inception")

    def check(self, payload: Payload) -> None:
        """Refuse a table with other columns."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return membership rows and securities of the funds."""
        lines = csv.DictReader(io.StringIO(payload.body.decode("utf-8")))
        if lines.fieldnames != _HEAD:
            raise payload.error(f"columns are {lines.fieldnames}", field_name="header")
        found = [
            members.Member(
                symbol=members.canonical(row["symbol"]),
                name=row["name"],
                sector=row["sector"],
                exchange="NYSE Arca",
                listed=date.fromisoformat(row["inception"]),
                asset_class="etf",
                leverage=float(row["leverage"]),
            )
            for row in lines
        ]
        return members.batches("etf", found, [], payload.fetched_at, [])


SOURCE = Package()
