"""A few rows written by hand: a history in which every signal can be worked out on paper."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from pas_lib import clock
from tests.support.raw_world import RawWorld

#: A Friday, the last session of a month; 13 weeks, a year and a quarter before it.
D = date(2025, 10, 31)
WEEKS_13 = date(2025, 8, 1)
STOCKS = "ABCDEFGHIJKL"


def cik(symbol: str) -> str:
    """Return the ten digits of a company."""
    return f"{ord(symbol[0]) * len(symbol):010d}"


def at(month: int, day: int, *, year: int = 2025, hour: int = 12) -> datetime:
    """Return a time of New York."""
    return datetime.combine(date(year, month, day), time(hour), clock.NY)


class HandWorld(RawWorld):
    """Rows of the raw tables; nothing is drawn."""

    def __init__(self) -> None:
        self.tables = {}
        self.fetched = clock.decision_time(D) - timedelta(hours=2)
        old = clock.ny_midnight(date(2020, 1, 2))
        for symbol in (*STOCKS, "IT"):
            self.stock(symbol, old)
            self.bar(symbol, D, 10.0)
        self.leveraged()
        self.contracts()
        self.lobbying()
        self.politicians()
        self.captured()
        self.ratings()
        self.insiders()
        for symbol in "PQRTUVW":
            self.stock(symbol, old)
        self.small_companies()

    def stock(self, symbol: str, known_at: datetime) -> None:
        self.security(symbol, f"cik{cik(symbol)}", "stock", known_at=known_at, cik=cik(symbol))

    def security(self, symbol: str, security_id: str, asset_class: str, *, known_at: datetime, **more: Any) -> None:
        row = {"name": symbol, "leverage": 1.0, **more}
        self.add(
            "securities",
            known_at.date(),
            known_at,
            symbol=symbol,
            security_id=security_id,
            asset_class=asset_class,
            ingested_at=known_at,
            **row,
        )

    def bar(self, symbol: str, day: date, close: float) -> None:
        self._bar(symbol, day, close)

    def leveraged(self) -> None:
        closes = {"UPRO": (100, 110), "SOXL": (100, 150), "SPXL": (100, 105), "FAS": (100, 90), "TQQQ": (100, 120)}
        for symbol, (before, now) in closes.items():
            self.security(symbol, f"etf:{symbol}", "etf", known_at=at(1, 2, year=2015), leverage=3.0)
            self.bar(symbol, WEEKS_13, float(before))
            self.bar(symbol, D, float(now))
        self.security("LABU", "etf:LABU", "etf", known_at=at(1, 2, year=2015), leverage=3.0)
        self.bar("LABU", D, 50.0)  # not there 13 weeks ago

    # -- contracts

    def contract(self, contract_id: str, symbol: str | None, known: datetime, amount: float, **more: Any) -> None:
        row = {
            "contract_id": contract_id,
            "modification": "0",
            "symbol": symbol,
            "recipient": "",
            "amount": amount,
            "amount_kind": "transaction",
            "action_date": date(2025, 9, 1),
            "ordinal": 0,
        }
        self.add("gov_contracts", date(2025, 9, 1), known, **(row | more))

    def contracts(self) -> None:
        self.contract("1", "A", at(10, 5), 30e6)
        self.contract("2", "A", at(10, 20), 25e6)
        self.contract("2", "A", at(11, 2), 99e6)  # corrected after the decision
        self.contract("3", "A", at(10, 20), -1e6)  # taken back
        self.contract("4", "B", at(10, 20), 49e6)
        self.contract("5", "C", clock.decision_time(date(2025, 9, 30)), 60e6)  # known a month ago to the second
        self.contract("6", "D", at(10, 10), 80e6)
        self.contract("6", "D", at(10, 15), 80e6, is_deleted=True)
        self.contract("7", "E", at(10, 10), 500e6, amount_kind="award_total")
        self.contract("8", "F", at(9, 15), 70e6)
        self.contract("8", "F", at(10, 10), 90e6)  # of an obligation that was known before
        self.contract("9", "G", clock.decision_time(D), 50e6)
        self.contract("10", "H", at(10, 10), 51e6, amount_kind=None)
        self.contract("11", None, at(10, 10), 900e6)
        self.contract("12", "I", at(11, 3), 900e6)  # not known yet

    # -- lobbying

    def report(self, filing_id: str, symbol: str, known: datetime, amount: float | None, **more: Any) -> None:
        row = {
            "filing_id": filing_id,
            "symbol": symbol,
            "client": symbol,
            "registrant": "FIRM",
            "amount": amount,
            "amount_kind": "income",
            "filing_type": "Q3",
            "filing_year": known.year,
            "filing_period": filing_id,
            "registrant_id": 1,
            "client_id": ord(symbol),
            "report_date": known.date(),
            "posted_at": known,
            "ordinal": 0,
        }
        self.add("lobbying", known.date(), known, **(row | more))

    def lobbying(self) -> None:
        before, now = at(10, 18, year=2024), at(10, 18)
        self.report("a1", "A", before, 40e3)
        self.report("a2", "A", before, 20e3)
        self.report("a3", "A", now, 90e3)
        # what is reported in-house includes the fees of firms: the larger of the two counts
        self.report("b1", "B", before, 100e3, amount_kind="expenses")
        self.report("b2", "B", before, 80e3)
        self.report("b3", "B", now, 150e3, amount_kind="expenses")
        self.report("b4", "B", now, 200e3)
        self.report("c1", "C", before, 10e3)
        self.report("c2", "C", now, 49_999.0)
        self.report("e1", "E", now, 500e3)  # nothing a year before
        self.report("f1", "F", before, 100e3)
        self.report("f2", "F", at(10, 10), 50e3)
        self.report("f3", "F", at(10, 20), 120e3, filing_period="f2", filing_type="3A")  # in its place
        self.report("f4", "F", at(4, 20), 70e3)
        self.report("f5", "F", at(10, 25), 700e3, filing_period="f4", filing_type="1A")  # of spring: moves nowhere
        self.report("g1", "G", before, 100e3, amount_kind=None, registrant_id=None)
        self.report("g2", "G", now, 80e3, amount_kind=None, registrant_id=None)
        self.report("h1", "H", before, 100e3)
        self.report("h2", "H", now, 999e3, filing_type="RR")  # a registration
        self.report("i1", "I", before, 50e3)
        self.report("i2", "I", clock.decision_time(D), 50e3)
        self.report("j1", "J", before, 50e3)
        self.report("j2", "J", at(11, 3), 500e3)  # not known yet

    # -- politicians

    def trade(self, who: str, symbol: str, known: datetime, low: float, **more: Any) -> None:
        person = {"pelosi": ("Nancy Pelosi", "P000197"), "meuser": ("Meuser, Daniel", "M001204")}.get(
            who, ("CAPITO, SHELLEY MOORE", None)
        )
        row = {
            "politician": person[0],
            "bioguide_id": person[1],
            "symbol": symbol,
            "asset_type": "ST",
            "transaction": "purchase",
            "amount_range": f"{low}",
            "amount_low": low,
            "amount_high": 3 * low,
            "transaction_date": date(2025, 6, 2),
            "report_date": known.date(),
            "owner": "",
            "document": "",
            "ordinal": 0,
        }
        self.add("politician_trades", date(2025, 6, 2), known, **(row | more))

    def politicians(self) -> None:
        self.trade("pelosi", "A", at(7, 1), 1000.0)  # mid-point 2000
        self.trade("pelosi", "A", at(7, 1), 1000.0, source="another")  # the same, stated twice
        self.trade("pelosi", "A", at(8, 1), 1000.0)  # filed again
        self.trade("pelosi", "A", at(7, 1), 1000.0, owner="Spouse")
        self.trade("pelosi", "A", at(7, 1), 250.0, transaction="sale_partial")
        self.trade("pelosi", "B", at(7, 1), 1000.0, transaction="sale_full")
        self.trade("pelosi", "C", clock.decision_time(D), 5000.0, amount_high=None)
        self.trade(
            "pelosi", "D", at(10, 30, year=2023), 9000.0, transaction_date=date(2023, 9, 1)
        )  # 24 months and a day
        self.trade("pelosi", "E", at(7, 1), 9000.0, asset_type="OP")
        self.trade("pelosi", "F", at(7, 1), 9000.0, transaction="exchange")
        self.trade("pelosi", "G", at(11, 3), 9000.0)
        self.trade("pelosi", "UPRO", at(7, 1), 100.0, asset_type="ETF")
        self.trade("meuser", "H", at(7, 1), 1000.0)
        self.trade("capito", "I", at(7, 1), 1000.0)

    # -- captures

    def captured(self) -> None:
        newest, before = date(2025, 10, 31), date(2025, 10, 24)
        evening = {day: clock.decision_time(day) - timedelta(hours=2) for day in (newest, before)}

        def score(symbol: str, day: date, stated: date, value: float) -> None:
            self.add("dc_insider_scores", stated, evening[day], symbol=symbol, capture_date=day, score=value)

        score("A", newest, date(2025, 10, 20), 70.0)
        score("A", newest, date(2025, 10, 30), 75.0)
        score("A", before, date(2025, 10, 20), 90.0)
        score("B", before, date(2025, 10, 20), 99.0)  # no longer shown
        score("C", newest, date(2025, 10, 30), 25.0)
        score("D", newest, date(2025, 10, 30), 0.0)

        def reading(symbol: str, day: date, rating: float | None, ratings: int | None, **more: Any) -> None:
            row = {"symbol": symbol, "app": "Go", "publisher": "", "ordinal": 0, "capture_date": day}
            known = clock.next_session_midnight(day) if day < newest else evening[newest]
            self.add("app_reviews", day, known, rating=rating, ratings=ratings, **(row | more))

        reading("A", newest, 4.0, 99)
        reading("A", before, 3.0, 99)
        reading("A", date(2025, 10, 22), 1.0, 99)  # farther from a week
        reading("A", newest, None, None, app="Pay", hype=14.0)
        reading("A", before, None, None, app="Pay", hype=10.0)
        reading("A", newest, 5.0, 5000, app="New")  # nothing to compare
        reading("B", newest, 5.0, 5000)
        reading("B", date(2025, 10, 28), 1.0, 99)  # too near
        reading("C", newest, 2.0, 999)
        reading("C", date(2025, 10, 25), 3.0, 999)
        reading("C", date(2025, 10, 22), 5.0, 999)

        def mention(symbol: str, day: date, count: int) -> None:
            row = {"forum": "all-stocks", "capture_date": day, "rank": 1}
            self.add("reddit_mentions", day, evening[day], symbol=symbol, mentions=count, **row)

        for symbol, then, now in (("K", 9, 30), ("B", 1, 9), ("E", 40, 20), ("IT", 1, 500)):
            mention(symbol, before, then)
            mention(symbol, newest, now)
        mention("C", newest, 10)

        def searched(symbol: str, day: date, value: float) -> None:
            known = clock.decision_time(day) - timedelta(hours=2)
            self.add("google_trends", day, known, symbol=symbol, capture_date=day, score=value)

        for symbol, long_ago, first, last in (
            ("A", 99.0, 10.0, 30.0),
            ("B", 99.0, 10.0, 20.0),
            ("C", 1.0, 30.0, 20.0),
            ("D", 1.0, 10.0, 50.0),
            ("E", 99.0, 10.0, 15.0),
        ):
            searched(symbol, date(2025, 9, 26), long_ago)  # more than 30 days ago
            searched(symbol, date(2025, 10, 3), first)
            searched(symbol, date(2025, 10, 30), last + 7)  # less than six days before the newest
            searched(symbol, newest, last)
        for number, (symbol, known, sentiment) in enumerate(
            (
                ("A", at(10, 10), 0.5),
                ("A", at(10, 12), 0.1),
                ("A", at(9, 12), -1.0),
                ("B", at(10, 10), 0.6),
                ("C", at(10, 10), 0.9),
                ("D", at(10, 10), -0.1),
                ("E", at(10, 10), 0.3),
            )
        ):
            row = {"url": f"https://news.example/{number}", "headline": "News", "capture_date": known.date()}
            self.add("news_headlines", known.date(), known, symbol=symbol, sentiment=sentiment, **row)

    # -- ratings

    def ratings(self) -> None:
        said = (
            ("A", "upgrade", "P"),
            ("A", "upgrade", "Q"),
            ("A", "upgrade", "R"),
            ("B", "upgrade", "P"),
            ("B", "upgrade", "Q"),
            ("B", "downgrade", "R"),
            ("B", "maintain", "S"),
            ("C", "upgrade", "P"),
            ("C", "upgrade", "Q"),
            ("E", "downgrade", "P"),
            ("E", "downgrade", "Q"),
            ("E", "reiterate", "R"),
            ("F", "upgrade", "P"),
            ("F", "upgrade", "P"),  # one firm, one day
            ("F", "upgrade", "Q"),
            ("G", "upgrade", "P"),
            ("G", "upgrade", "Q"),
            ("G", "maintain", "R"),
        )
        for number, (symbol, action, firm) in enumerate(said):
            self.rating(number, symbol, action, firm, at(10, 8, hour=6 + number % 5))
        self.rating(15, "G", "downgrade", "P", at(10, 30), rated_at=at(10, 8, hour=6))  # corrected
        for number, firm in enumerate("PQR"):
            self.rating(100 + number, "H", "initiate", firm, at(10, 8))
            self.rating(200 + number, "I", "upgrade", firm, at(10, 3))  # four weeks ago, in the morning
            self.rating(300 + number, "J", "upgrade", firm, at(11, 3))

    def rating(self, number: int, symbol: str, action: str, firm: str, known: datetime, **more: Any) -> None:
        row = {"symbol": symbol, "rating_id": str(number), "firm": firm, "action": action, "rated_at": known}
        self.add("analyst_ratings", known.date(), known, **(row | more))

    # -- statements, insiders and small companies

    def shares(self, symbol: str, count: float) -> None:
        """State a number of shares of the 15th of July with a balance sheet, filed on the 1st of August."""
        filed = date(2025, 8, 1)
        for taxonomy, concept, unit, day, value in (
            ("us-gaap", "Assets", "USD", date(2025, 6, 30), 1e6),
            ("dei", "EntityCommonStockSharesOutstanding", "shares", date(2025, 7, 15), count),
        ):
            self.add(
                "fundamentals",
                day,
                clock.next_session_midnight(filed),
                entity=f"cik{cik(symbol)}",
                symbol=symbol,
                cik=cik(symbol),
                taxonomy=taxonomy,
                concept=concept,
                unit=unit,
                frequency="instant",
                period_days=0,
                value=value,
                filed=filed,
                form="10-Q",
                accession="1",
            )

    def insider(self, symbol: str, who: str, filed: datetime, value: float | None, **more: Any) -> None:
        row = {
            "symbol": symbol,
            "insider": who,
            "insider_cik": who,
            "code": "P",
            "ownership": "D",
            "security_title": "Common",
            "value": value,
            "transaction_date": date(2025, 9, 2),
            "filed_at": filed,
            "is_amendment": False,
            "ordinal": 0,
        }
        self.add("insider_buying", date(2025, 9, 2), filed, **(row | more))

    def insiders(self) -> None:
        for symbol in "ABCEGHIJK":
            self.shares(symbol, 1e6)
        self._state("B", date(2025, 9, 15), "split", ratio=2.0)  # since the shares were counted
        self.insider("A", "one", at(10, 5), 30e3)
        self.insider("A", "two", at(10, 20), 20e3)
        self.insider("B", "one", clock.decision_time(D), 100e3)
        self.insider("C", "one", at(10, 5), 99_999.0)
        self.insider("E", "one", at(10, 5), 10e3)
        self.insider("E", "two", at(10, 5), 1e6, code="S")
        self.insider("F", "one", at(10, 5), 200e3)  # nobody knows how many shares
        self.insider("G", "one", clock.decision_time(date(2025, 9, 30)), 200e3)  # a month ago to the second
        self.insider("H", "one", at(10, 5), 60e3)
        self.insider("H", "one", at(10, 20), 150e3, is_amendment=True)
        self.insider("I", "one", at(9, 10), 500e3)
        self.insider("I", "one", at(10, 12), 500e3, is_amendment=True)  # of what was filed before
        self.insider("J", "one", at(11, 3), 300e3)
        self.insider("K", "one", at(10, 5), None)
        self.insider("K", "two", at(10, 5), 120e3)

    def filing(self, symbol: str, form: str, filed: date) -> None:
        self.add(
            "filings",
            filed,
            clock.next_session_midnight(filed),
            entity=f"cik{cik(symbol)}",
            cik=cik(symbol),
            kind="filing",
            accession=f"{form} {filed}",
            form=form,
            filed=filed,
        )

    def earnings(self, symbol: str, known: datetime, day: date, *, is_estimate: bool = False) -> None:
        self.add(
            "filings",
            day,
            known,
            entity=symbol,
            symbol=symbol,
            kind="earnings_date",
            accession="",
            expected_from=day,
            expected_to=day,
            is_estimate=is_estimate,
        )

    def small_companies(self) -> None:
        before = clock.sessions(date(2024, 6, 3), D)[-260:]
        closes = {"P": 15.0, "Q": 12.0, "R": 20.0, "T": 9.0, "U": 13.0, "V": 14.0, "W": 11.0}
        for symbol, last in closes.items():
            self.shares(symbol, 1e9 if symbol == "R" else 1e6)
            for day in before:
                self.bar(symbol, day, last if day > before[-100] else 10.0)
        for symbol in "RTUW":
            self.earnings(
                symbol, at(11, 3) if symbol == "W" else at(10, 1), date(2025, 11, 20), is_estimate=symbol == "U"
            )
        self.earnings("P", at(10, 1), date(2025, 11, 20))
        self.filing("P", "10-Q", date(2024, 11, 15))  # the first of two
        self.earnings("Q", at(10, 1), date(2025, 11, 20), is_estimate=True)
        self.filing("Q", "10-Q", date(2024, 12, 10))
        self.filing("U", "10-K", date(2025, 2, 20))  # expected after more than three months
        self.filing("U", "8-K", date(2024, 11, 20))
        self.earnings("V", at(10, 1), date(2025, 11, 10))
        self.earnings("V", at(10, 20), date(2026, 1, 31))  # put off
