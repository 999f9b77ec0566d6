"""SEC EDGAR submissions: every filing of a company, with the time of acceptance.

One answer per company holds at least its last year; what is older comes in files the answer names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from pas_lib.sources import edgar
from pas_lib.sources.base import (
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
)
from pas_lib.sources.filings import ACCESSION, PERIODIC, read_accepted, read_day
from pas_lib.sources.insiders import read_symbol

_NEEDED = ("accessionNumber", "filingDate", "acceptanceDateTime", "form")
_CIK = re.compile(r"CIK(\d{10})")


class SecSubmissions(Source):
    """``/submissions/CIK##########.json`` and the older files it names."""

    name = "sec_submissions"
    site = "sec"
    host = "https://data.sec.gov"
    accepts = frozenset({403, 404})

    def prepare(self, ask: Ask, fetch: Callable[[Request], Payload]) -> Ask:
        """Look up the CIKs of the symbols whose company is not known by one."""
        return edgar.with_ciks(self, ask, fetch)

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield one request per company: share classes have their filings in common."""
        base = base_url(self, ask.settings)
        for symbol, cik in edgar.companies(ask):
            yield Request(
                self.name,
                ask.dataset,
                f"CIK{cik}",
                f"{base}/submissions/CIK{cik}.json",
                context={
                    "cik": cik,
                    "symbol": symbol,
                    "forms": "periodic",
                    "since": ask.start_of(symbol).isoformat(),
                },
            )

    def expand(self, request: Request, payload: Payload) -> Iterable[Request]:
        """Yield one request per older file that reaches into the time asked for."""
        if "since" not in request.context or payload.status != 200:
            return
        since = request.context["since"]
        context = {name: value for name, value in request.context.items() if name != "since"}
        folder = request.url.rpartition("/")[0]
        for file in _document(payload)["filings"].get("files") or []:
            if str(file["filingTo"]) >= since:
                label = str(file["name"]).removesuffix(".json")
                yield Request(self.name, request.dataset, label, f"{folder}/{file['name']}", context=context)

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is a company's list of filings or one of its older files."""
        head = body[:4000].lstrip()
        return head.startswith(b"{") and (b'"accessionNumber"' in head or (b'"cik"' in head and b'"filings"' in body))

    def check(self, payload: Payload) -> None:
        """Refuse what cannot be read.

        Raises
        ------
        SourceError
            If EDGAR refuses the caller: asking again at once would only prolong that.
        """
        edgar.stop_if_refused(payload)
        if edgar.are_tickers(payload):
            edgar.read_tickers(payload)
        else:
            self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one row per filing; of a collection, the periodic and current reports only."""
        if edgar.absent(payload):
            if payload.context.get("cik") is None:
                raise payload.error("there is none (NoSuchKey)")
            return [Batch("filings", missing=True, note=f"{payload.label} has no filings")]
        document = _document(payload)
        recent = document.get("filings", {}).get("recent") if "filings" in document else document
        if recent is None:
            return [Batch("filings", note=f"names {len(document['filings'].get('files') or [])} older files")]
        cik = _whose(payload, document)
        symbols = [found for ticker in document.get("tickers") or [] if (found := read_symbol(ticker))]
        about = {
            "cik": cik,
            "symbol": payload.context.get("symbol") or (symbols[0] if symbols else None),
            "company": document.get("name"),
        }
        return [_rows(payload, recent, about, whole="filings" in document)]


def _document(payload: Payload) -> dict[str, Any]:
    document = edgar.json_object(payload)
    if "accessionNumber" not in document and "filings" not in document:
        raise payload.error(f"not found among {', '.join(list(document)[:5])}", field_name="filings")
    if "filings" in document and not isinstance(document["filings"], dict):
        raise payload.error("not an object", field_name="filings")
    return document


def _whose(payload: Payload, document: dict[str, Any]) -> str:
    """Return the CIK a payload is about; an older file does not say, its name does."""
    named = _CIK.search(payload.label) or _CIK.search(payload.url)
    stated = document.get("cik")
    cik = str(stated).zfill(10) if stated is not None else named[1] if named else ""
    if not re.fullmatch(r"\d{10}", cik) or int(cik) == 0:
        raise payload.error("missing, and the name does not tell it", field_name="cik")
    wanted = payload.context.get("cik")
    if wanted is not None and wanted != cik:
        raise payload.error(f"these are the filings of {cik}, not of {wanted}", field_name="cik")
    return cik


def _columns(payload: Payload, columns: Any) -> dict[str, list[Any]]:
    if not isinstance(columns, dict):
        raise payload.error("not an object", field_name="filings.recent")
    missing = next((name for name in _NEEDED if not isinstance(columns.get(name), list)), None)
    if missing:
        raise payload.error(f"column {missing!r} not found among {', '.join(columns)}", field_name="filings.recent")
    count = len(columns[_NEEDED[0]])
    for name, values in columns.items():
        if isinstance(values, list) and len(values) != count:
            raise payload.error(f"{len(values)} of {name} beside {count} filings", field_name="filings.recent")
    return {name: values for name, values in columns.items() if isinstance(values, list)}


def _rows(payload: Payload, found: Any, about: dict[str, Any], *, whole: bool) -> Batch:
    columns = _columns(payload, found)
    count = len(columns["form"])
    if not count and whole and payload.context:
        raise payload.error("the company has filed nothing", field_name="filings.recent")
    forms = columns["form"]
    picked: Iterable[int] = range(count)
    if payload.context.get("forms") == "periodic":
        picked = [i for i in picked if forms[i] in PERIODIC]
    empty = [""] * count
    reports, items = columns.get("reportDate", empty), columns.get("items", empty)
    kept: list[int] = []
    filed: list[date] = []
    ends: list[date | None] = []
    rejects: list[Reject] = []
    mentioned: list[dict[str, Any]] = []
    for i in picked:
        try:
            if not ACCESSION.fullmatch(columns["accessionNumber"][i]):
                raise ValueError(f"{columns['accessionNumber'][i]!r} is not the number of a filing")
            day = read_day(columns["filingDate"][i])
            end = read_day(reports[i]) if reports[i] else None
            if not forms[i]:
                raise ValueError("no form is stated")
            if not columns["acceptanceDateTime"][i]:
                raise ValueError("no time of acceptance is stated")
        except (ValueError, TypeError) as error:
            rejects.append(Reject({name: values[i] for name, values in columns.items()}, str(error)))
            number = str(columns["accessionNumber"][i])
            if ACCESSION.fullmatch(number):
                # Nothing is concluded about the filing that is known.
                mentioned.append({"entity": f"cik{about['cik']}", "kind": "filing", "accession": number})
            continue
        kept.append(i)
        filed.append(day)
        ends.append(end)

    def of(name: str) -> list[Any]:
        values = columns.get(name, empty)
        return [values[i] for i in kept]

    try:
        accepted = read_accepted(of("acceptanceDateTime"), filed, of("form"))
    except (ValueError, AttributeError):
        raise payload.error("a value is no time", field_name="acceptanceDateTime") from None
    days = pa.array(filed, pa.date32())
    table = pa.table(
        {
            "event_date": days,
            "entity": pa.repeat(f"cik{about['cik']}", len(kept)),
            "kind": pa.repeat("filing", len(kept)),
            "accession": pa.array(of("accessionNumber"), pa.string()),
            **{name: pa.array([about[name]] * len(kept), pa.string()) for name in ("symbol", "cik", "company")},
            "form": pa.array(of("form"), pa.string()),
            "items": pa.array([items[i] or None for i in kept], pa.string()),
            "report_date": pa.array(ends, pa.date32()),
            "filed": days,
            "accepted_at": pa.array(accepted.astype("datetime64[us]")).cast(pa.timestamp("us", tz="UTC")),
            "document": pa.array([value or None for value in of("primaryDocument")], pa.string()),
        }
    )
    scopes = []
    if whole and count and payload.context:
        # Complete from the day after its oldest on: of that day, an older file may hold the rest.
        oldest = read_day(min(columns["filingDate"]))
        scopes = [{"entity": f"cik{about['cik']}", "kind": "filing", "scope_start": oldest + timedelta(days=1)}]
    return Batch("filings", table=table, scopes=scopes, mentioned=mentioned, rejects=rejects)


SOURCE = SecSubmissions()
