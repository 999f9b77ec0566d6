"""SEC EDGAR: the daily index of forms, and the complete texts of ownership filings."""

# ruff: noqa: E501 - lines of markup are kept whole

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Final
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.insiders import Filing, InsiderFilings, Line
from pas_lib.sandbox.sites.base import Context, nameless, reply
from pas_lib.sandbox.sites.company_facts import CompanyFacts
from pas_lib.sandbox.sites.sec_reports import ReportFilings

UNDECLARED: Final = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
    "<html><head><title>SEC.gov | Your Request Originates from an Undeclared Automated Tool</title></head>\n"
    "<body><h1>Your Request Originates from an Undeclared Automated Tool</h1></body></html>\n"
)
REFUSED: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{said}</Message>'
    "<RequestId>SANDBOX</RequestId><HostId>sandbox</HostId></Error>"
)
# Other forms of the day, as an index is full of them
OTHERS: Final = ("10-D/A", "424B2", "8-K", "CORRESP", "SC 13G/A")
_CONTACT = re.compile(r"@|https?://|www\.")


class Edgar:
    """``/Archives/edgar/...``, ``/api/xbrl/companyfacts/...`` and ``/files/company_tickers.json``."""

    def __init__(self, context: Context, filings: InsiderFilings, facts: CompanyFacts) -> None:
        self.context = context
        self.filings = filings
        self.facts = facts
        self.reports = ReportFilings(context, filings)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        agent = request.headers.get("user-agent", "")
        if nameless(request) or not _CONTACT.search(agent):
            return reply(UNDECLARED, 403, "text/html")
        path = request.path_params["path"]
        found = re.fullmatch(r"Archives/edgar/daily-index/(\d{4})/QTR([1-4])/form\.(\d{8})\.idx", path)
        if found:
            return self._index(int(found[1]), int(found[2]), found[3])
        asked = re.fullmatch(r"api/xbrl/companyfacts/CIK(\d{10})\.json", path)
        if asked:
            return self.facts.facts(asked[1]) or _missing("NoSuchKey", "The specified key does not exist.", 404)
        if path == "files/company_tickers.json":
            return self.facts.tickers()
        if path.startswith("submissions/"):
            found_file = self.reports.submissions(path.removeprefix("submissions/"))
            return found_file or _missing("NoSuchKey", "The specified key does not exist.", 404)
        if path.startswith("Archives/edgar/data/"):
            filing = self.filings.at(path.removeprefix("Archives/"), self.context.now)
            if filing is not None:
                return reply(_complete_text(filing), 200, "text/plain")
        return _missing("NoSuchKey", "The specified key does not exist.", 404)

    def _index(self, year: int, quarter: int, name: str) -> Response:
        try:
            day = date(int(name[:4]), int(name[4:6]), int(name[6:]))
        except ValueError:
            day = None
        right = day is not None and (day.year, (day.month + 2) // 3) == (year, quarter)
        known = self.filings.filed_on(day, self.context.now) if right and day else None
        if day is None or known is None:
            return _missing("AccessDenied", "Access Denied", 403)
        return reply(_index_text(day, known, self.reports.filed_on(day)), 200, "application/octet-stream")


def _missing(code: str, said: str, status: int) -> Response:
    return reply(REFUSED.format(code=code, said=said), status, "application/xml")


def _index_text(day: date, filings: list[Filing], reports: list[tuple[str, str, str, str]]) -> str:
    """Write an index as it is written: fixed width, names that overrun, each filing under everyone concerned."""
    lines = [(form, name, cik, day, path) for form, name, cik, path in reports]
    for number, form in enumerate(OTHERS):
        # Letters of the staff carry another date than the index.
        filed = day - timedelta(days=9) if form == "CORRESP" else day
        path = f"edgar/data/{1700000 + number}/0001700000-{day:%y}-{900000 + day.timetuple().tm_yday * 10 + number}.txt"
        lines.append((form, f"Other  Filer {number} Trust", str(1700000 + number), filed, path))
    for filing in filings:
        names = (filing.listing.name_on(day), *(owner.name for owner in filing.owners))
        for name, path in zip(names, filing.paths, strict=True):
            lines.append((filing.form, name, path.split("/")[2], day, path))
    lines.sort(key=lambda line: (line[0], line[1]))
    rows = "".join(
        f"{form:<12}{name:<62}{cik:<12}{filed:%Y%m%d}    {path:<52}\n" for form, name, cik, filed, path in lines
    )
    return (
        "Description:           Daily Index of EDGAR Dissemination Feed by Form Type\n"
        f"Last Data Received:    {day:%b} {day.day:>2}, {day.year}\n"
        "Comments:              webmaster@sec.gov\nAnonymous FTP:         ftp://ftp.sec.gov/edgar/\n \n \n \n \n"
        f"{'Form Type':<12}{'Company Name':<62}{'CIK':<12}{'Date Filed':<12}File Name\n{'-' * 141}\n{rows}"
    )


def _symbol(filing: Filing) -> str:
    """Return the symbol as filers write it: mostly right."""
    symbol = filing.listing.symbol_on(filing.filed)
    oddity = int(filing.accession[-2:])
    if "." in symbol:
        return symbol.replace(".", "-" if oddity % 2 else "/")
    return symbol.lower() if oddity == 7 else f"NYSE: {symbol}" if oddity == 13 else symbol


def _leaf(name: str, value: str | None, note: str = "") -> str:
    mark = f'<footnoteId id="{note}"/>' if note else ""
    return f"<{name}>{f'<value>{escape(value)}</value>' if value is not None else ''}{mark}</{name}>"


def _transaction(line: Line) -> str:
    note = "F1" if line.price is None else ""
    return (
        "<nonDerivativeTransaction>"
        + _leaf("securityTitle", line.title)
        + _leaf("transactionDate", line.day.isoformat())
        + f"<transactionCoding><transactionFormType>4</transactionFormType><transactionCode>{line.code}</transactionCode>"
        "<equitySwapInvolved>0</equitySwapInvolved></transactionCoding><transactionAmounts>"
        + _leaf("transactionShares", f"{line.shares:g}" if line.shares < 1e6 else f"{line.shares:.0f}")
        + _leaf("transactionPricePerShare", None if line.price is None else f"{line.price:.4f}", note)
        + _leaf("transactionAcquiredDisposedCode", line.acquired)
        + "</transactionAmounts><postTransactionAmounts>"
        + _leaf("sharesOwnedFollowingTransaction", f"{line.following:.0f}")
        + "</postTransactionAmounts><ownershipNature>"
        + _leaf("directOrIndirectOwnership", line.ownership)
        + "</ownershipNature></nonDerivativeTransaction>\n"
    )


def _complete_text(filing: Filing) -> str:
    day = filing.filed
    local = filing.accepted.astimezone(NY)
    modern = int(filing.accession[-1]) % 2 == 0
    yes, no = ("true", "false") if modern else ("1", "0")
    owners = "".join(
        f"<reportingOwner><reportingOwnerId><rptOwnerCik>{o.cik}</rptOwnerCik><rptOwnerName>{escape(o.name)}</rptOwnerName>"
        f"</reportingOwnerId><reportingOwnerRelationship><isDirector>{yes if o.director else no}</isDirector>"
        f"<isOfficer>{yes if o.officer else no}</isOfficer><isTenPercentOwner>{yes if o.tenth else no}</isTenPercentOwner>"
        + (f"<officerTitle>{escape(o.title)}</officerTitle>" if o.title else "")
        + "</reportingOwnerRelationship></reportingOwner>\n"
        for o in filing.owners
    )
    lines = "".join(_transaction(line) for line in filing.lines)
    derivative = (
        "<derivativeTable><derivativeTransaction>"
        + _leaf("securityTitle", "Stock option (right to buy)")
        + _leaf("conversionOrExercisePrice", None, "F1")
        + "</derivativeTransaction></derivativeTable>\n"
        if any(line.code == "M" for line in filing.lines)
        else ""
    )
    period = filing.lines[0].day if filing.lines else day
    return (
        f"<SEC-DOCUMENT>{filing.accession}.txt : {day:%Y%m%d}\n<SEC-HEADER>{filing.accession}.hdr.sgml : {day:%Y%m%d}\n"
        f"<ACCEPTANCE-DATETIME>{local:%Y%m%d%H%M%S}\nACCESSION NUMBER:\t\t{filing.accession}\n"
        f"CONFORMED SUBMISSION TYPE:\t{filing.form}\nPUBLIC DOCUMENT COUNT:\t\t1\nFILED AS OF DATE:\t\t{day:%Y%m%d}\n</SEC-HEADER>\n"
        f"<DOCUMENT>\n<TYPE>{filing.form}\n<SEQUENCE>1\n<FILENAME>form4.xml\n<TEXT>\n<XML>\n"
        f'<?xml version="1.0"?>\n<ownershipDocument>\n<schemaVersion>{"X0508" if modern else "X0306"}</schemaVersion>\n'
        f"<documentType>{filing.form}</documentType>\n<periodOfReport>{period}</periodOfReport>\n"
        + (f"<dateOfOriginalSubmission>{filing.corrects}</dateOfOriginalSubmission>\n" if filing.corrects else "")
        + f"<issuer><issuerCik>{filing.listing.cik}</issuerCik><issuerName>{escape(filing.listing.name_on(day))}</issuerName>"
        f"<issuerTradingSymbol>{_symbol(filing)}</issuerTradingSymbol></issuer>\n{owners}"
        + (f"<aff10b5One>{no}</aff10b5One>\n" if modern else "")
        + f"<nonDerivativeTable>\n{lines}</nonDerivativeTable>\n{derivative}"
        '<footnotes><footnote id="F1">See remarks.</footnote></footnotes>\n'
        "</ownershipDocument>\n</XML>\n</TEXT>\n</DOCUMENT>\n</SEC-DOCUMENT>\n"
    )
