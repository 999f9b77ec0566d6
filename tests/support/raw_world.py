"""A small made-up history, written straight into the raw tables: for tests of what comes after collection.

Awkward cases are placed on purpose; each is named in :class:`RawWorld`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from pas_lib import clock
from pas_lib.datasets import TIMESTAMP, catalogue
from pas_lib.warehouse import Warehouse, copy_arrow

SECTOR_ETFS = ("XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY")
LEVERAGED_ETFS = ("SOXL", "SPXL", "FAS", "LABU", "TQQQ")
POLITICIANS = (("Nancy Pelosi", "P000197"), ("Daniel Meuser", "M001204"), ("Capito, Shelley Moore", None))
SERIES = {"VIXCLS": 1, "DGS10": 1, "FEDFUNDS": 31, "CPIAUCSL": 31, "GDPC1": 92}


@dataclass
class RawWorld:
    """The rows of the world, per dataset, ready to be copied.

    Attributes
    ----------
    start, end : date
        First and last session with prices.
    stocks : int
        Number of stocks; half of them have an article.
    seed : int
        Of everything that is drawn.
    """

    start: date = date(2024, 7, 1)
    end: date = date(2025, 12, 31)
    stocks: int = 26
    seed: int = 3
    trades: int = 400
    wiki_start: date = date(2025, 3, 1)
    macro_start: date = date(2024, 1, 1)
    #: first capture of the sites that show no past
    captures_start: date = date(2025, 6, 2)
    tables: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    #: split 2:1 and a dividend on the same stock, some days apart
    split_symbol = "S001"
    #: traded as S002 until the rename, then as NEW2; its bars come under both symbols
    renamed = ("S002", "NEW2")
    #: stops trading; its symbol is given to another company later
    reused = "S003"
    #: misses three sessions in a row, one of them an ex-date
    halted = "S004"
    #: one close was corrected a week later, another bar was withdrawn and came back
    corrected = "S005"
    #: two share classes with one article
    classes = ("S006.A", "S006.B")
    #: identical prices all the time: no volatility
    constant = "S007"
    #: listed half-way
    young = "S008"
    #: files no statements
    silent = "S010"
    #: restates a year's profit in an amendment
    restated = "S011"
    #: files each report three months late
    late = "S012"

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.sessions = clock.sessions(self.start, self.end)
        self.fetched = clock.decision_time(self.end) - timedelta(hours=2)
        self._companies()
        self._prices()
        self._trades()
        self._wiki()
        self._macro()
        self._alternative()
        self._statements()
        self._insiders()
        self._bustle()

    # -- rows

    def add(self, dataset: str, event_date: date, known_at: datetime, **values: Any) -> None:
        """Append a row; ``ingested_at``, ``is_deleted`` and ``source`` may be given."""
        rows = self.tables.setdefault(dataset, {"event_date": [], "known_at": [], "values": []})
        rows["event_date"].append(event_date)
        rows["known_at"].append(known_at)
        rows["values"].append(values)

    def arrow(self, dataset: str) -> pa.Table:
        """Return the rows of a dataset with all columns of its raw table."""
        rows = self.tables[dataset]
        values = rows["values"]
        known = rows["known_at"]
        ingested = [v.get("ingested_at", max(k, self.fetched)) for v, k in zip(values, known, strict=True)]
        columns: dict[str, pa.Array] = {
            "source": pa.array([v.get("source", "made_up") for v in values]),
            "event_date": pa.array(rows["event_date"], pa.date32()),
            "known_at": pa.array(known, TIMESTAMP),
            "ingested_at": pa.array(ingested, TIMESTAMP),
            "source_url": pa.repeat(pa.scalar("made-up://"), len(known)),
            "run_id": pa.repeat(pa.scalar("test"), len(known)),
            "content_hash": pa.array([f"{dataset}-{i}" for i in range(len(known))]),
            "is_deleted": pa.array([v.get("is_deleted", False) for v in values]),
        }
        for column in catalogue()[dataset].columns:
            columns[column.name] = pa.array([v.get(column.name) for v in values], column.arrow)
        return pa.table(columns)

    def load(
        self, warehouse: Warehouse, *, known_until: datetime | None = None, known_after: datetime | None = None
    ) -> None:
        """Copy everything into the raw tables; with ``known_until`` and ``known_after`` only what became known then."""
        import pyarrow.compute as pc

        with warehouse.connect() as conn:
            for dataset in self.tables:
                table = self.arrow(dataset)
                if known_until is not None:
                    table = table.filter(pc.less_equal(table.column("known_at"), pa.scalar(known_until, TIMESTAMP)))
                if known_after is not None:
                    table = table.filter(pc.greater(table.column("known_at"), pa.scalar(known_after, TIMESTAMP)))
                copy_arrow(conn, table, f"raw.{dataset}")

    def append(self, warehouse: Warehouse, dataset: str, event_date: date, known_at: datetime, **values: Any) -> None:
        """Insert one more row, as a later collection would."""
        one = RawWorld.__new__(RawWorld)
        one.tables, one.fetched = {}, known_at
        one.add(dataset, event_date, known_at, **values)
        with warehouse.connect() as conn:
            copy_arrow(conn, one.arrow(dataset), f"raw.{dataset}")

    # -- the world

    def _companies(self) -> None:
        old = clock.ny_midnight(date(2020, 1, 2))
        self.stock_symbols: dict[str, str] = {}
        for i in range(self.stocks):
            symbol = f"S{i:03d}"
            if i == 6:
                for letter in "AB":
                    self.stock_symbols[f"{symbol}.{letter}"] = f"cik{i:010d}.{letter}"
            else:
                self.stock_symbols[symbol] = f"cik{i:010d}"
        for i, (symbol, security_id) in enumerate(self.stock_symbols.items()):
            known = clock.ny_midnight(self.sessions[len(self.sessions) // 2]) if symbol == self.young else old
            article = f"Article_{security_id[:13]}" if i % 2 == 0 or symbol in self.classes else None
            row = {
                "security_id": security_id,
                "name": f"Company {i}",
                "sector": ("Energy", "Financials", "Utilities")[i % 3],
                "cik": security_id[3:13],
                "wiki_title": article,
                "asset_class": "stock",
                "leverage": 1.0,
            }
            self.add("securities", known.date(), known, symbol=symbol, ingested_at=known, **row)
            index = ("sp500", "sp400")[i % 2]
            self.add(
                "universe",
                known.date(),
                known,
                index_name=index,
                symbol=symbol,
                event="listed",
                effective_date=known.date(),
                is_assumed=False,
                ingested_at=known,
            )
            if symbol == self.renamed[0]:
                self.rename_day = self.sessions[len(self.sessions) * 2 // 3]
                at = clock.ny_midnight(self.rename_day)
                self.add("securities", self.rename_day, at, symbol=self.renamed[1], ingested_at=at, **row)
        for symbol in ("SPY", "UPRO", *SECTOR_ETFS, *LEVERAGED_ETFS):
            self.add(
                "securities",
                date(2010, 1, 4),
                clock.ny_midnight(date(2010, 1, 4)),
                security_id=f"etf:{symbol}",
                symbol=symbol,
                name=f"Fund {symbol}",
                asset_class="etf",
                leverage=3.0 if symbol in ("UPRO", *LEVERAGED_ETFS) else 1.0,
                ingested_at=old,
            )
            self.add(
                "universe",
                date(2010, 1, 4),
                clock.ny_midnight(date(2010, 1, 4)),
                index_name="etf",
                symbol=symbol,
                event="listed",
                effective_date=date(2010, 1, 4),
                is_assumed=False,
                ingested_at=old,
            )
        # one leaves the index, one comes back after a removal
        third = self.sessions[len(self.sessions) // 3]
        self.add(
            "universe",
            third,
            clock.ny_midnight(third),
            index_name="sp500",
            symbol="S009",
            event="removed",
            effective_date=third,
            is_assumed=False,
        )
        back = self.sessions[len(self.sessions) * 3 // 4]
        self.add(
            "universe",
            back,
            clock.ny_midnight(back),
            index_name="sp500",
            symbol="S009",
            event="added",
            effective_date=back,
            is_assumed=False,
        )
        # the reused symbol
        self.reuse_day = self.sessions[len(self.sessions) * 3 // 5]
        self.delisted = self.sessions[len(self.sessions) // 4]
        at = clock.ny_midnight(self.reuse_day)
        self.add(
            "securities",
            self.reuse_day,
            at,
            security_id="cik0000009999",
            symbol=self.reused,
            name="Second holder",
            sector="Energy",
            asset_class="stock",
            leverage=1.0,
            ingested_at=at,
        )

    def _bar(self, symbol: str, day: date, close: float, **more: Any) -> None:
        known = more.pop("known_at", clock.session_close(day))
        self.add(
            "prices",
            day,
            known,
            symbol=symbol,
            open=close * 0.995,
            high=close * 1.01,
            low=close * 0.98,
            close=close,
            volume=more.pop("volume", 1_000_000.0),
            currency="USD",
            split_factor=1.0,
            **more,
        )

    def _prices(self) -> None:
        n = len(self.sessions)
        market = self.rng.normal(0.0004, 0.009, n)
        symbols = [*self.stock_symbols, "SPY", "UPRO", *SECTOR_ETFS]
        for i, symbol in enumerate(symbols):
            own = self.rng.normal(0.0, 0.004 if symbol == "SPY" else 0.012, n)
            beta = 3.0 if symbol == "UPRO" else 0.6 + 0.05 * (i % 12)
            path = np.round((20.0 + 3 * (i % 40)) * np.exp(np.cumsum(beta * market + own)), 4)
            if symbol == self.constant:
                path[:] = 55.0
            self._history(symbol, path)
        index = np.round(4000 * np.exp(np.cumsum(market)), 2)
        for day, close in zip(self.sessions, index, strict=True):
            self.add(
                "sp500_index",
                day,
                clock.session_close(day),
                symbol="^GSPC",
                open=float(close),
                high=float(close),
                low=float(close),
                close=float(close),
                volume=1e9,
                currency="USD",
                split_factor=1.0,
            )

    def _history(self, symbol: str, path: np.ndarray) -> None:
        n = len(self.sessions)
        split_at = n // 2 if symbol == self.split_symbol else None
        skipped = range(n // 2, n // 2 + 3) if symbol == self.halted else range(0)
        for j, (day, close) in enumerate(zip(self.sessions, path.tolist(), strict=True)):
            if j in skipped or (symbol == self.young and day < self.sessions[n // 2]):
                continue
            value = close / 2 if split_at is not None and j >= split_at else close
            if symbol == self.reused:
                if day >= self.reuse_day:
                    self._bar(symbol, day, value)  # fetched at the end: the second holder's
                elif day < self.delisted:
                    self._bar(symbol, day, value, ingested_at=clock.decision_time(day))
                continue
            if symbol == self.renamed[0]:
                if day < self.rename_day:
                    self._bar(symbol, day, value, ingested_at=clock.decision_time(day))
                self._bar(self.renamed[1], day, value)
                continue
            if symbol == self.corrected and j == n // 3:
                self._bar(symbol, day, value * 1.02)
                self._bar(symbol, day, value, known_at=clock.decision_time(self.sessions[j + 5]) - timedelta(hours=2))
                continue
            if symbol == self.corrected and j == n // 3 + 20:
                self._bar(symbol, day, value)
                self._bar(symbol, day, value, is_deleted=True, known_at=clock.session_close(day) + timedelta(minutes=5))
                self._bar(symbol, day, value, known_at=clock.session_close(self.sessions[j + 2]))
                continue
            self._bar(symbol, day, value)
        if symbol == self.constant:
            return
        offset = sum(map(ord, symbol)) % 50
        for j in range(20 + offset, n, 63):
            if symbol == self.young and j <= n // 2:
                continue
            self._action(symbol, self.sessions[j], "dividend", amount=round(float(path[j]) * 0.004, 4))
        if split_at is not None:
            self._action(symbol, self.sessions[split_at], "split", ratio=2.0)
        if symbol == self.halted:
            self._action(symbol, self.sessions[n // 2 + 1], "dividend", amount=1.0)

    def _action(self, symbol: str, day: date, action: str, **values: Any) -> None:
        held = symbol
        if symbol == self.renamed[0]:
            # collected under the old symbol at the time, and again with the history of the new one
            held = self.renamed[1]
            if day < self.rename_day:
                at = clock.decision_time(day)
                self._state(symbol, day, action, **values, ingested_at=at)
        if symbol == self.reused and day < self.reuse_day:
            values["ingested_at"] = clock.decision_time(day)
        self._state(held, day, action, **values)

    def _state(self, symbol: str, day: date, action: str, **values: Any) -> None:
        self.add(
            "corporate_actions",
            day,
            clock.ny_midnight(day),
            symbol=symbol,
            action=action,
            currency="USD",
            ordinal=0,
            **values,
        )

    def _trades(self) -> None:
        symbols = [*self.stock_symbols, "SPY", "XLK"]
        ranges = ((1001.0, 15000.0), (15001.0, 50000.0), (50001.0, 100000.0), (1000001.0, None))
        first = (self.start - timedelta(days=20)).toordinal()
        for i in range(self.trades):
            day = date.fromordinal(int(self.rng.integers(first, self.end.toordinal() - 2)))
            report = min(day + timedelta(days=int(self.rng.integers(1, 45))), self.end)
            low, high = ranges[int(self.rng.choice(4, p=[0.6, 0.25, 0.13, 0.02]))]
            symbol = symbols[int(self.rng.integers(len(symbols)))]
            if symbol == self.renamed[0] and day >= self.rename_day:
                symbol = self.renamed[1]
            row: dict[str, Any] = {
                "politician": f"Member {i % 17}",
                "chamber": "House",
                "party": "DR"[i % 2],
                "symbol": symbol,
                "asset_type": "OP" if i % 23 == 0 else "ST",
                "transaction": ("purchase", "purchase", "sale", "sale_partial", "exchange")[int(self.rng.integers(5))],
                "amount_range": f"{low}-{high}",
                "amount_low": low,
                "amount_high": high,
                "transaction_date": day,
                "report_date": report,
                "owner": "",
                "document": "",
                "ordinal": i,
            }
            known = clock.next_session_midnight(report)
            self.add("politician_trades", day, known, **row)
            if i % 40 == 7:  # the amount was corrected three weeks later
                self.add("politician_trades", day, known + timedelta(days=21), **{**row, "amount_low": low * 2})
            if i % 40 == 11:  # withdrawn after a week
                self.add("politician_trades", day, known + timedelta(days=7), **row, is_deleted=True)

    def _wiki(self) -> None:
        articles = sorted({v["wiki_title"] for v in self.tables["securities"]["values"] if v.get("wiki_title")})
        days = (self.end - self.wiki_start).days
        for article in articles:
            level = float(self.rng.uniform(50, 5000))
            views = np.round(level * np.exp(self.rng.normal(0, 0.25, days))).astype(int)
            for j in range(days):
                if self.rng.random() < 0.01:
                    continue
                day = self.wiki_start + timedelta(days=j)
                known = datetime.combine(day + timedelta(days=2), time(0), UTC)
                key = {"project": "en.wikipedia", "article": article, "access": "all-access", "agent": "user"}
                self.add("wiki_views", day, known, views=int(views[j]), **key)
                if j % 97 == 50:
                    self.add("wiki_views", day, known + timedelta(days=3), views=int(views[j]) + 10, **key)

    def _macro(self) -> None:
        for series, step in SERIES.items():
            day, level = self.macro_start, 20.0
            while day <= self.end:
                level = round(max(1.0, level + float(self.rng.normal(0, 0.4))), 2)
                lag = 1 if step == 1 else 15
                start = day + timedelta(days=(step if step > 1 else 0) + lag)
                self.add(
                    "macro_series",
                    day,
                    clock.next_session_midnight(start),
                    series_id=series,
                    value=level,
                    realtime_start=start,
                    vintage="alfred",
                )
                if step > 1:  # revised a month later
                    revised = start + timedelta(days=30)
                    self.add(
                        "macro_series",
                        day,
                        clock.next_session_midnight(revised),
                        series_id=series,
                        value=level + 0.1,
                        realtime_start=revised,
                        vintage="alfred",
                    )
                day += timedelta(days=step)

    # -- the datasets that strategies of their own look at

    def _alternative(self) -> None:
        self.rng = np.random.default_rng(self.seed + 1)
        for symbol in LEVERAGED_ETFS:
            self._history(symbol, np.round(40 * np.exp(np.cumsum(self.rng.normal(0.001, 0.03, len(self.sessions)))), 4))
        self._politicians()
        self._contracts()
        self._lobbying()
        self._ratings()
        self._filings()
        captured = [day for day in self.sessions if day >= self.captures_start]
        self._mentions(captured)
        self._headlines(captured)
        self._weekly(captured[::5])

    def _symbol_on(self, symbol: str, day: date) -> str:
        return self.renamed[1] if symbol == self.renamed[0] and day >= self.rename_day else symbol

    def _politicians(self) -> None:
        for name, bioguide_id in POLITICIANS:
            for i in range(36):
                day = self.start + timedelta(days=int(self.rng.integers(0, max(1, (self.end - self.start).days - 60))))
                report = day + timedelta(days=int(self.rng.integers(2, 45)))
                low = float(self.rng.choice([1001.0, 15001.0, 50001.0]))
                row = {
                    "politician": name,
                    "bioguide_id": bioguide_id,
                    "chamber": "House",
                    "symbol": self._symbol_on(
                        list(self.stock_symbols)[int(self.rng.integers(min(12, len(self.stock_symbols))))], day
                    ),
                    "asset_type": "ST",
                    "transaction": "sale_full" if i % 5 == 0 else "purchase",
                    "amount_range": f"{low}",
                    "amount_low": low,
                    "amount_high": 3 * low,
                    "transaction_date": day,
                    "report_date": report,
                    "owner": "Spouse",
                    "document": "",
                    "ordinal": 0,
                }
                known = clock.next_session_midnight(report)
                self.add("politician_trades", day, known, **row)
                if i % 12 == 5:  # filed again
                    self.add(
                        "politician_trades",
                        day,
                        clock.next_session_midnight(report + timedelta(days=9)),
                        **{**row, "report_date": report + timedelta(days=9)},
                    )

    def _contracts(self) -> None:
        symbols = list(self.stock_symbols)
        for i in range(420):
            day = self.start + timedelta(days=int(self.rng.integers(0, (self.end - self.start).days - 1)))
            late = i % 3 == 0
            row = {
                "contract_id": f"A{i % 380}",
                "modification": str(i),
                "symbol": self._symbol_on(symbols[int(self.rng.integers(len(symbols)))], day),
                "recipient": "",
                "amount": round(float(np.exp(self.rng.normal(17.0, 1.2))), 2) * (-0.2 if i % 17 == 0 else 1.0),
                "amount_kind": ("transaction", None, "award_total")[0 if i % 10 else 2 if i % 20 else 1],
                "is_defence": late,
                "action_date": day,
                "ordinal": 0,
            }
            known = clock.next_session_midnight(day + timedelta(days=90 if late else 5))
            self.add("gov_contracts", day, known, **row)
            if i % 30 == 4:
                self.add("gov_contracts", day, known + timedelta(days=20), **{**row, "amount": row["amount"] * 3})
            if i % 30 == 8:
                self.add("gov_contracts", day, known + timedelta(days=12), **row, is_deleted=True)

    def _lobbying(self) -> None:
        number = 0
        for i, symbol in enumerate(list(self.stock_symbols)[:20]):
            for registrant in range(1 + i % 3):
                for quarter in range(8):
                    year, period = 2024 + quarter // 4, quarter % 4 + 1
                    closes = date(year + period // 4, period * 3 % 12 + 1, 1)
                    posted = clock.next_session_midnight(closes + timedelta(days=int(self.rng.integers(8, 24))))
                    if posted.date() >= self.end:
                        continue
                    number += 1
                    kind = "expenses" if registrant == 0 and i % 2 else "income" if i % 5 else None
                    row = {
                        "symbol": self._symbol_on(symbol, posted.date()),
                        "client": f"Company {i}",
                        "registrant": "",
                        "amount": float(self.rng.integers(1, 30)) * 10_000,
                        "amount_kind": kind,
                        "filing_type": f"Q{period}",
                        "filing_year": year,
                        "filing_period": f"quarter {period}",
                        "registrant_id": registrant + 10 if i % 7 else None,
                        "client_id": i,
                        "report_date": posted.date(),
                        "posted_at": posted,
                        "ordinal": 0,
                    }
                    self.add("lobbying", posted.date(), posted, **row, filing_id=f"F{number}")
                    if number % 9 == 0:  # amended weeks later
                        later = posted + timedelta(days=40)
                        changed = {
                            **row,
                            "amount": row["amount"] * 1.5,
                            "filing_type": f"{period}A",
                            "posted_at": later,
                        }
                        self.add("lobbying", later.date(), later, **changed, filing_id=f"F{number}A")

    def _ratings(self) -> None:
        symbols = list(self.stock_symbols)
        actions = ("upgrade", "upgrade", "downgrade", "maintain", "reiterate", "initiate")
        number = 0
        for day in self.sessions[100:]:
            for _ in range(3):
                number += 1
                symbol = symbols[int(self.rng.integers(len(symbols)))]
                at = clock.decision_time(day) - timedelta(hours=int(self.rng.integers(1, 14)))
                row = {
                    "symbol": self._symbol_on(symbol, day),
                    "rating_id": f"r{number}",
                    "firm": f"Firm {int(self.rng.integers(6))}",
                    "action": actions[int(self.rng.integers(len(actions)))],
                    "rated_at": at,
                }
                self.add("analyst_ratings", day, at, **row)
                if number % 25 == 3:
                    self.add("analyst_ratings", day, at + timedelta(days=3), **{**row, "action": "downgrade"})

    def _filings(self) -> None:
        """Reports 38 days after each quarter, and the dates of earnings a week before them, announced at its end."""
        for i, (symbol, security_id) in enumerate(self.stock_symbols.items()):
            for number in range(16):
                year, quarter = 2022 + number // 4, number % 4 + 1
                end = date(year + quarter // 4, quarter * 3 % 12 + 1, 1) - timedelta(days=1)
                filed = end + timedelta(days=38 + i % 5)
                if filed <= self.end:
                    row = {"cik": security_id[3:13], "form": "10-K" if quarter == 4 else "10-Q", "filed": filed}
                    row |= {"entity": f"cik{row['cik']}", "kind": "filing", "accession": f"{symbol}-{year}-{quarter}"}
                    self.add("filings", filed, clock.next_session_midnight(filed), source="sec_submissions", **row)
                if number < 10 or i % 3 == 0:
                    continue
                day = filed - timedelta(days=8)
                held = self._symbol_on(symbol, end)
                row = {
                    "entity": held,
                    "symbol": held,
                    "kind": "earnings_date",
                    "accession": "",
                    "is_estimate": i % 3 == 1,
                }
                known = clock.next_session_midnight(end)
                if known <= self.fetched:
                    row |= {"expected_from": day, "expected_to": day, "ingested_at": known}
                    self.add("filings", day, known, source="yahoo_calendar", **row)

    def _bustle(self) -> None:
        """What comes every week and decides nothing: it shows that filings and figures are collected."""
        symbol, security_id = next(iter(self.stock_symbols.items()))
        for number, day in enumerate(self.sessions[:-1:5]):
            row = {"entity": security_id, "cik": security_id[3:13], "kind": "filing", "form": "8-K", "filed": day}
            known = clock.next_session_midnight(day)
            self.add("filings", day, known, source="sec_submissions", accession=f"{symbol}-8K-{number}", **row)
            self._snapshot(symbol, day, "beta", 1.0, "pure")

    def _mentions(self, captured: list[date]) -> None:
        level = dict(
            zip([*self.stock_symbols, "IT"], self.rng.normal(2.8, 0.8, len(self.stock_symbols) + 1), strict=True)
        )
        for day in captured:
            at = clock.decision_time(day) - timedelta(hours=2)
            for i, symbol in enumerate(level):
                if symbol == self.young and day.month < 9:
                    continue
                count = int(self.rng.poisson(np.exp(level[symbol] + self.rng.normal(0, 0.5))))
                name = self._symbol_on(symbol, day)
                row = {"forum": "all-stocks", "symbol": name, "capture_date": day, "rank": i + 1}
                self.add("reddit_mentions", day, at, mentions=count, **row)

    def _headlines(self, captured: list[date]) -> None:
        symbols = list(self.stock_symbols)
        for number, day in enumerate(captured):
            at = clock.decision_time(day) - timedelta(hours=2)
            for i in range(4):
                row = {
                    "url": f"https://news.example/{number}/{i}",
                    "symbol": self._symbol_on(symbols[int(self.rng.integers(len(symbols)))], day) if i else "",
                    "headline": f"News {i}",
                    "published_at": at - timedelta(hours=3),
                    "capture_date": day,
                    "sentiment": round(float(self.rng.uniform(-0.5, 0.9)), 4),
                }
                self.add("news_headlines", day, at, **row)
                if number % 13 == 5 and i == 1:  # edited
                    edited = {**row, "headline": "News", "sentiment": -0.9}
                    self.add("news_headlines", day, at + timedelta(days=1), **edited)

    def _weekly(self, captured: list[date]) -> None:
        symbols = list(self.stock_symbols)
        for day in captured:
            at = clock.decision_time(day) - timedelta(hours=3)
            for i, symbol in enumerate(symbols):
                name = self._symbol_on(symbol, day)
                score = round(float(self.rng.uniform(1, 100)), 1)
                if i % 9:
                    self.add("google_trends", day, at, symbol=name, capture_date=day, score=score)
                if i % 7:
                    stated = day - timedelta(days=3)
                    self.add("dc_insider_scores", stated, at, symbol=name, capture_date=day, score=100 - score)
                if i % 2:
                    count = int(self.rng.integers(100, 20_000))
                    row = {"symbol": name, "app": "Go", "publisher": "", "ordinal": 0, "capture_date": day}
                    rating = round(float(self.rng.uniform(2, 5)), 1)
                    self.add("app_reviews", day, at, rating=rating, ratings=count, **row)
                    if i % 6 == 1:
                        self.add("app_reviews", day, at + timedelta(days=2), rating=1.0, ratings=count, **row)

    # -- statements

    def _statements(self) -> None:
        """Quarterly and annual reports since 2022 as filings state them, and snapshots of short interest."""
        rng = np.random.default_rng([self.seed, 21])
        for i, (symbol, security_id) in enumerate(self.stock_symbols.items()):
            sector = ("Energy", "Financials", "Utilities")[i % 3]
            growth, margin = 1 + float(rng.normal(0.01, 0.02)), float(rng.uniform(0.05, 0.3))
            revenue, equity, assets = float(rng.uniform(1e8, 1e9)), float(rng.uniform(5e8, 5e9)), 0.0
            shares = float(np.round(rng.uniform(1e7, 1e8)))
            if symbol != self.silent and symbol != self.classes[1]:
                so_far: dict[str, float] = {}
                for number in range(15):
                    year, quarter = 2022 + number // 4, number % 4 + 1
                    end = date(year + quarter // 4, quarter * 3 % 12 + 1, 1) - timedelta(days=1)
                    filed = end + timedelta(days=130 if symbol == self.late else 38)
                    if filed > self.end:
                        break
                    sales = round(revenue * growth**number * (1 + float(rng.normal(0, 0.05))))
                    profit = round(sales * (margin + float(rng.normal(0, 0.02))))
                    equity += 0.6 * profit
                    assets = round(1.9 * equity)
                    flows = {
                        "Revenues": sales,
                        "CostOfRevenue": round(0.6 * sales),
                        "SellingGeneralAndAdministrativeExpense": round(0.1 * sales * (1 + float(rng.normal(0, 0.05)))),
                        "OperatingIncomeLoss": round(1.3 * profit),
                        "DepreciationDepletionAndAmortization": round(0.04 * sales),
                        "IncomeTaxExpenseBenefit": round(0.25 * profit),
                        "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest": (
                            round(1.25 * profit)
                        ),
                        "NetIncomeLoss": profit,
                        "NetCashProvidedByUsedInOperatingActivities": round(profit * float(rng.uniform(0.8, 1.5))),
                        "PaymentsToAcquirePropertyPlantAndEquipment": round(0.05 * sales),
                    }
                    states = {
                        "Assets": assets,
                        "AssetsCurrent": round(0.4 * assets * (1 + float(rng.normal(0, 0.03)))),
                        "LiabilitiesCurrent": round(0.2 * assets * (1 + float(rng.normal(0, 0.03)))),
                        "Liabilities": assets - round(equity),
                        "StockholdersEquity": round(equity),
                        "RetainedEarningsAccumulatedDeficit": round(0.5 * equity),
                        "LongTermDebtNoncurrent": round(0.15 * assets * (1 + float(rng.normal(0, 0.05)))),
                        "CashAndCashEquivalentsAtCarryingValue": round(0.1 * assets),
                        "AccountsReceivableNetCurrent": round(0.3 * sales * (1 + float(rng.normal(0, 0.05)))),
                        "PropertyPlantAndEquipmentNet": round(0.3 * assets),
                    }
                    if sector == "Financials":
                        for name in ("CostOfRevenue", "OperatingIncomeLoss"):
                            del flows[name]
                        for name in ("AssetsCurrent", "LiabilitiesCurrent"):
                            del states[name]
                    first = date(year, 1, 1)
                    so_far = {k: v + (so_far.get(k, 0.0) if quarter > 1 else 0.0) for k, v in flows.items()}
                    about = {
                        "symbol": symbol,
                        "cik": security_id[3:13],
                        "filed": filed,
                        "form": "10-K" if quarter == 4 else "10-Q",
                    }
                    about["accession"] = f"{about['cik']}-{year}-{quarter}"
                    for name, value in flows.items():
                        if quarter < 4:
                            self._fact(name, date(year, quarter * 3 - 2, 1), end, value, **about)
                        if quarter > 1:
                            self._fact(name, first, end, so_far[name], **about)
                        if quarter == 4 and symbol == self.restated and year == 2023 and name == "NetIncomeLoss":
                            later = {**about, "filed": filed + timedelta(days=200), "accession": "amended"}
                            self._fact(name, first, end, so_far[name] * 0.5, **later)
                    for name, value in states.items():
                        self._fact(name, None, end, value, **about)
                    if security_id[-2:] != ".A":
                        counted = filed - timedelta(days=6)
                        half = self.sessions[len(self.sessions) // 2]
                        factor = 2 if symbol == self.split_symbol and counted >= half else 1
                        self._fact(
                            "EntityCommonStockSharesOutstanding", None, counted, shares * factor, unit="shares", **about
                        )
                    else:
                        self._fact(
                            "WeightedAverageNumberOfDilutedSharesOutstanding",
                            first,
                            end,
                            shares,
                            unit="shares",
                            **about,
                        )
            for session in self.sessions[::40]:
                if i % 7 != 5:
                    self._snapshot(symbol, session, "shortRatio", round(float(rng.uniform(0.5, 9)), 2), "pure")
                self._snapshot(symbol, session, "sharesOutstanding", shares, "shares")

    def _fact(self, concept: str, start: date | None, end: date, value: float, unit: str = "USD", **about: Any) -> None:
        days = 0 if start is None else (end - start).days
        names = {0: "instant", 1: "quarter", 2: "half", 3: "nine_months", 4: "year"}
        self.add(
            "fundamentals",
            end,
            clock.next_session_midnight(about["filed"]),
            source="sec_facts",
            entity=f"cik{about['cik']}",
            taxonomy="dei" if concept.startswith("Entity") else "us-gaap",
            concept=concept,
            unit=unit,
            frequency=names[round(days / 91)],
            period_start=start,
            period_days=days,
            value=float(value),
            **about,
        )

    def _snapshot(self, symbol: str, session: date, concept: str, value: float, unit: str) -> None:
        seen = clock.decision_time(session) - timedelta(hours=2)
        self.add(
            "fundamentals",
            session,
            seen,
            source="yahoo_summary",
            entity=symbol,
            symbol=symbol,
            taxonomy="yahoo",
            concept=concept,
            unit=unit,
            frequency="snapshot",
            period_days=0,
            value=value,
            accession="",
            ingested_at=seen,
        )

    def _insiders(self) -> None:
        rng = np.random.default_rng([self.seed, 22])
        symbols = list(self.stock_symbols)
        for i in range(150):
            at = int(rng.integers(0, len(self.sessions) - 3))
            day, filed = self.sessions[at], clock.decision_time(self.sessions[at + 2]) - timedelta(hours=4)
            held, price = float(rng.integers(100, 9000)), round(float(rng.uniform(10, 90)), 2)
            self.add(
                "insider_buying",
                day,
                filed,
                symbol=symbols[int(rng.integers(len(symbols)))],
                insider=f"Owner {i % 31}",
                code="PPS"[i % 3],
                shares=held,
                price=price,
                value=held * price,
                ownership="D",
                security_title="Common Stock",
                transaction_date=day,
                filed_at=filed,
                is_amendment=False,
                accession=f"a-{i}",
                ordinal=0,
            )
