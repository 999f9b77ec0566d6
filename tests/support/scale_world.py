"""A made-up history of full size, drawn by DuckDB itself: prices of thousands of stocks with alternative data to match.

The rows of the last session, and some that come in late, are kept apart as one night's collection.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pas_lib.clock import previous_session
from pas_lib.datasets import catalogue
from tests.support.raw_world import LEVERAGED_ETFS, SECTOR_ETFS

if TYPE_CHECKING:
    import duckdb

    from pas_lib.warehouse import Warehouse

FLOWS = (
    "Revenues",
    "CostOfRevenue",
    "SellingGeneralAndAdministrativeExpense",
    "OperatingIncomeLoss",
    "DepreciationDepletionAndAmortization",
    "IncomeTaxExpenseBenefit",
    "IncomeLossFromContinuingOperationsBeforeIncomeTaxesExtraordinaryItemsNoncontrollingInterest",
    "NetIncomeLoss",
    "NetCashProvidedByUsedInOperatingActivities",
    "PaymentsToAcquirePropertyPlantAndEquipment",
)
STATES = (
    "Assets",
    "AssetsCurrent",
    "LiabilitiesCurrent",
    "Liabilities",
    "StockholdersEquity",
    "RetainedEarningsAccumulatedDeficit",
    "LongTermDebtNoncurrent",
    "CashAndCashEquivalentsAtCarryingValue",
    "AccountsReceivableNetCurrent",
    "PropertyPlantAndEquipmentNet",
)
ETFS = ("SPY", "UPRO", *SECTOR_ETFS, *LEVERAGED_ETFS)
SERIES = {"VIXCLS": 20, "DEXUSEU": 1, "DGS1MO": 3, "DGS5": 4, "DGS10": 4, "DGS30": 5}
MONTHLY = {"FEDFUNDS": 3, "CPIAUCSL": 250, "UNRATE": 5, "INDPRO": 100, "UMCSENT": 80, "GDPC1": 20_000}


@dataclass(frozen=True)
class ScaleWorld:
    """How much history is drawn.

    Attributes
    ----------
    stocks : int
        Number of stocks, each with a bar in every session.
    start, end : date
        First and last session; the last one is the night's.
    """

    stocks: int = 3000
    start: date = date(2006, 1, 3)
    end: date = date(2025, 12, 31)

    @property
    def before(self) -> date:
        """The session that is collected when the night comes."""
        return previous_session(self.end)

    def fill(self, con: duckdb.DuckDBPyConnection) -> dict[str, int]:
        """Draw all rows into the empty tables ``raw.*`` of a file, those of the night into ``night.*``.

        Returns
        -------
        dict
            Dataset -> rows before the night.
        """
        con.execute("set timezone = 'UTC'")
        con.execute("set preserve_insertion_order = true")
        for statement in self._helpers():
            con.execute(statement)
        for name, select in self._rows().items():
            con.execute(
                f"insert into raw.{name} by name select row_number() over () as row_id, *,"
                " 'made-up://' as source_url, 'first' as run_id, left(md5(cast(row_number() over () as text)), 16)"
                f" as content_hash, false as is_deleted from ({select})"
            )
        self._set_night_apart(con)
        con.execute("checkpoint")
        return {name: con.execute(f"select count(*) from raw.{name}").fetchall()[0][0] for name in self._rows()}

    def collect_night(self, con: duckdb.DuckDBPyConnection) -> int:
        """Append the night's rows to ``raw.*`` and return how many they are."""
        total = 0
        for name in self._rows():
            con.execute(
                f"insert into raw.{name} by name select * replace ((select max(row_id) from raw.{name})"
                f" + row_number() over () as row_id) from night.{name}"
            )
            total += int(con.execute(f"select count(*) from night.{name}").fetchall()[0][0])
        return total

    # -- the rows

    def _helpers(self) -> list[str]:
        etfs = ", ".join(f"'{name}'" for name in ETFS)
        return [
            # uniform on 0..1, and something bell-shaped of deviation 1, from whole numbers
            "create or replace temp macro u(a, b) as (hash(a, b) % 1000003) / 1000003.0",
            "create or replace temp macro z(a, b) as (u(a, b) + u(a, b + 7001) + u(a, b + 90001) - 1.5) * 2",
            f"create or replace temp table days_open as select session, decision_at, close_at,"
            f" row_number() over (order by session) as n from ops.sessions"
            f" where session between '{self.start}' and '{self.end}'",
            "create or replace temp table cal as select cast(d.day as date) as day,"
            " (s.session::timestamp at time zone 'America/New_York') as next_midnight"
            " from generate_series(timestamp '2000-06-01', timestamp '2027-01-01', interval 1 day) as d (day)"
            " asof join ops.sessions as s on cast(d.day as date) < s.session",
            f"create or replace temp table stocks as select i, 'S' || lpad(i::text, 4, '0') as symbol,"
            f" 'cik' || lpad(i::text, 10, '0') as security_id, lpad(i::text, 10, '0') as cik,"
            f" 30 * exp(z(i, 1)) as price, round(2e7 * exp(1.2 * z(i, 2))) as shares,"
            f" 1e8 * exp(z(i, 3)) as revenue from range({self.stocks}) as r (i)",
            f"create or replace temp table funds as select 1000000 + rowid as i, symbol, 'etf:' || symbol"
            f" as security_id from (select unnest([{etfs}]) as symbol, unnest(range({len(ETFS)})) as rowid)",
            "create or replace temp table fetched as select decision_at - interval '2 hours' as seen_at"
            f" from ops.sessions where session = '{self.before}'",
        ]

    def _rows(self) -> dict[str, str]:
        years = self.end.year - self.start.year + 1
        old = "timestamptz '2005-01-03 05:00:00+00'"
        at = "(select seen_at from fetched)"
        # what was known by then came with the first load, the rest on its day
        came = f"greatest(known_at, {at})"
        captures = (
            "select session, decision_at - interval '2 hours' as seen_at from days_open"
            " where n > (select max(n) - 504 from days_open)"
        )
        weekly = f"{captures} and n % 5 = 0"
        split = "hash(i, n) % 9000 = 17"
        flows = ", ".join(f"('{name}', {k})" for k, name in enumerate(FLOWS))
        states = ", ".join(f"('{name}', {k})" for k, name in enumerate(STATES))
        macro = ", ".join(f"('{name}', {level}, 1)" for name, level in SERIES.items())
        monthly = ", ".join(f"('{name}', {level}, 30)" for name, level in MONTHLY.items())
        return {
            "securities": f"""
                select 'made_up' as source, date '2005-01-03' as event_date, {old} as known_at, {old} as ingested_at,
                    security_id, symbol, 'Company ' || i as name, ['Energy', 'Financials', 'Utilities', 'Materials',
                    'Industrials', 'Health Care', 'Information Technology', 'Real Estate', 'Consumer Staples',
                    'Consumer Discretionary', 'Communication Services'][i % 11 + 1] as sector, cik,
                    case when i % 2 = 0 then 'Article_' || i end as wiki_title, 'stock' as asset_class, 1.0 as leverage
                from stocks
                union all by name
                select 'made_up' as source, date '2005-01-03' as event_date, {old} as known_at, {old} as ingested_at,
                    security_id, symbol, 'Fund ' || symbol as name, 'etf' as asset_class,
                    case when symbol in ({", ".join(f"'{n}'" for n in ("UPRO", *LEVERAGED_ETFS))}) then 3.0 else 1.0 end
                    as leverage
                from funds""",
            "universe": f"""
                select 'made_up' as source, date '2005-01-03' as event_date, {old} as known_at, {old} as ingested_at,
                    case when i < {self.stocks} / 6 then 'sp500' when i < {self.stocks} * 0.3 then 'sp400'
                    else 'russell2000' end as index_name, symbol, 'listed' as event,
                    date '2005-01-03' as effective_date, false as is_assumed
                from stocks
                union all by name
                select 'made_up' as source, date '2005-01-03' as event_date, {old} as known_at, {old} as ingested_at,
                    'etf' as index_name, symbol, 'listed' as event, date '2005-01-03' as effective_date,
                    false as is_assumed
                from funds""",
            "prices": f"""
                select 'made_up' as source, session as event_date, close_at as known_at,
                    greatest(close_at, {at}) as ingested_at, symbol, close * (1 + 0.004 * z(i, n + 500000)) as open,
                    close * 1.02 as high, close * 0.98 as low, close, round(1e6 * exp(z(i, n + 700000))) as volume,
                    'USD' as currency, 1.0 as split_factor
                from (
                    select i, n, symbol, session, close_at,
                        round(price * exp(sum(0.0002 + 0.018 * z(i, n) - case when {split} then ln(2) else 0 end)
                            over (partition by i order by n)), 4) + 0.01 as close
                    from (select i, symbol, price from stocks union all select i, symbol, 100 from funds)
                    cross join days_open
                )
                order by i, n""",
            "corporate_actions": f"""
                select 'made_up' as source, session as event_date,
                    (session::timestamp at time zone 'America/New_York') as known_at, {came} as ingested_at, symbol,
                    'split' as action, 2.0 as ratio, cast(null as double) as amount, 'USD' as currency, 0 as ordinal
                from (select * from stocks union all by name select * from funds) cross join days_open where {split}
                union all by name
                select 'made_up' as source, session as event_date,
                    (session::timestamp at time zone 'America/New_York') as known_at, {came} as ingested_at, symbol,
                    'dividend' as action, 0.2 as amount, 'USD' as currency, 0 as ordinal
                from stocks cross join days_open where i % 2 = 0 and (n + i) % 63 = 0""",
            "macro_series": f"""
                select 'made_up' as source, day as event_date, next_midnight as known_at, {came} as ingested_at,
                    series_id, level * (1 + 0.1 * z(hash(series_id) % 1000, epoch(day)::bigint // 864000)) as value,
                    cast(day + interval '1 day' as date) as realtime_start, 'alfred' as vintage
                from (values {macro}) as s (series_id, level, step) cross join cal
                where day between date '{self.start}' - 800 and '{self.end}' and isodow(day) < 6
                union all by name
                select 'made_up' as source, cal.day as event_date, later.next_midnight as known_at,
                    {came.replace("known_at", "later.next_midnight")} as ingested_at, series_id,
                    level * (1 + 0.001 * vintage_no
                        + 0.05 * z(hash(series_id) % 1000, epoch(cal.day)::bigint // 864000)) as value,
                    later.day as realtime_start, 'alfred' as vintage
                from (values {monthly}) as s (series_id, level, step) cross join cal
                cross join (values (0), (1)) as v (vintage_no)
                inner join cal as later on later.day = cal.day + 45 + 30 * vintage_no
                where cal.day between date '{self.start}' - 800 and '{self.end}' and later.day <= '{self.end}'
                    and day(cal.day) = 1 and (series_id <> 'GDPC1' or month(cal.day) % 3 = 1)""",
            "politician_trades": f"""
                select 'made_up' as source, cal.day as event_date, filed.next_midnight as known_at,
                    {came.replace("known_at", "filed.next_midnight")} as ingested_at,
                    case when k % 40 = 0 then 'Nancy Pelosi' when k % 40 = 1 then 'Daniel Meuser'
                    when k % 40 = 2 then 'Shelley Moore Capito' else 'Member ' || k end as politician,
                    case k % 40 when 0 then 'P000197' when 1 then 'M001204' when 2 then 'C001047' end as bioguide_id,
                    'House' as chamber, 'S' || lpad((hash(k, j) % {self.stocks})::text, 4, '0') as symbol,
                    'ST' as asset_type, case when u(k, j) < 0.55 then 'purchase' else 'sale' end as transaction,
                    'x' as amount_range, 1001.0 * (1 + j % 4) as amount_low, 15000.0 * (1 + j % 4) as amount_high,
                    cal.day as transaction_date, filed.day as report_date, '' as owner, '' as document, j as ordinal
                from range(120) as m (k) cross join range({60 * years}) as t (j)
                inner join cal on cal.day = date '{self.start}' + (hash(k, j, 5) % {365 * years})::integer
                inner join cal as filed on filed.day = cal.day + 1 + (hash(k, j, 6) % 44)::integer
                where filed.day < '{self.end}'""",
            "insider_buying": f"""
                select 'made_up' as source, cal.day as event_date, filed.next_midnight - interval '6 hours' as known_at,
                    {came.replace("known_at", "filed.next_midnight")} as ingested_at, symbol,
                    'Owner ' || (j % 9) as insider, 1 as owners, case when j % 4 = 0 then 'P' else 'S' end as code,
                    1000.0 * (1 + j % 7) as shares, 20.0 as price, 20000.0 * (1 + j % 7) as value, 'D' as ownership,
                    'Common Stock' as security_title, cal.day as transaction_date,
                    filed.next_midnight - interval '6 hours' as filed_at, false as is_amendment,
                    i || '-' || j as accession, 0 as ordinal
                from stocks cross join range({10 * years}) as t (j)
                inner join cal on cal.day = date '{self.start}' + (hash(i, j, 7) % {365 * years})::integer
                inner join cal as filed on filed.day = cal.day + 2
                where filed.day < '{self.end}'""",
            "lobbying": f"""
                select 'made_up' as source, cal.day as event_date, next_midnight as known_at, {came} as ingested_at,
                    i || '-' || q || '-' || k as filing_id, symbol, 'Company ' || i as client, '' as registrant,
                    10000.0 * (1 + hash(i, q, k) % 30) as amount,
                    case when k = 0 then 'expenses' else 'income' end as amount_kind, 'Q' || (q % 4 + 1) as filing_type,
                    {self.start.year} + q // 4 as filing_year, 'quarter ' || (q % 4 + 1) as filing_period,
                    k + 10 as registrant_id, i as client_id, cal.day as report_date, next_midnight as posted_at,
                    0 as ordinal
                from stocks cross join range({4 * years}) as t (q) cross join range(3) as g (k)
                inner join cal on cal.day = cast(date '{self.start}' + interval (3 * q + 3) month as date)
                    + (10 + hash(i, q, k, 1) % 12)::integer
                where i % 3 = 0 and k <= i % 4 and cal.day < '{self.end}'""",
            "gov_contracts": f"""
                select 'made_up' as source, cal.day as event_date, later.next_midnight as known_at,
                    {came.replace("known_at", "later.next_midnight")} as ingested_at,
                    'A' || i || '-' || j as contract_id, '' as modification, symbol, '' as recipient,
                    round(exp(14 + 2 * z(i, j)), 2) as amount, 'transaction' as amount_kind,
                    j % 3 = 0 as is_defence, cal.day as action_date, 0 as ordinal
                from stocks cross join range({18 * years}) as t (j)
                inner join cal on cal.day = date '{self.start}' + (hash(i, j, 8) % {365 * years})::integer
                inner join cal as later on later.day = cal.day + case when j % 3 = 0 then 90 else 5 end
                where i % 4 = 0 and later.day < '{self.end}'""",
            "wiki_views": f"""
                select 'made_up' as source, day as event_date,
                    (cast(day + 2 as timestamp) at time zone 'UTC') as known_at, {came} as ingested_at,
                    'en.wikipedia' as project, 'Article_' || i as article, 'all-access' as access, 'user' as agent,
                    (500 * exp(z(i, 4)) * exp(0.3 * z(i, epoch(day)::bigint)))::bigint as views
                from stocks cross join cal
                where i % 2 = 0 and day between greatest(date '2015-07-01', date '{self.start}')
                    and date '{self.end}' - 1
                order by i, day""",
            "reddit_mentions": f"""
                select 'made_up' as source, session as event_date, seen_at as known_at, seen_at as ingested_at,
                    'all-stocks' as forum, symbol, session as capture_date, (i + 1)::integer as rank,
                    (20 * exp(z(i, epoch(session)::bigint)))::bigint as mentions
                from ({captures}) cross join stocks where i < 600""",
            "news_headlines": f"""
                select 'made_up' as source, session as event_date, seen_at as known_at, seen_at as ingested_at,
                    'https://news/' || session || '/' || k as url,
                    'S' || lpad((hash(session, k) % {self.stocks})::text, 4, '0') as symbol, 'News' as headline,
                    seen_at - interval '3 hours' as published_at, session as capture_date,
                    u(epoch(session)::bigint, k) * 1.4 - 0.5 as sentiment
                from ({captures}) cross join range(100) as t (k)""",
            "google_trends": f"""
                select 'made_up' as source, session as event_date, seen_at as known_at, seen_at as ingested_at, symbol,
                    session as capture_date, 100 * u(i, epoch(session)::bigint) as score
                from ({weekly}) cross join stocks where i < 1000""",
            "dc_insider_scores": f"""
                select 'made_up' as source, session - 3 as event_date, seen_at as known_at, seen_at as ingested_at,
                    symbol, session as capture_date, 100 * u(i, epoch(session)::bigint + 1) as score
                from ({weekly}) cross join stocks where i < 1000""",
            "app_reviews": f"""
                select 'made_up' as source, session as event_date, seen_at as known_at, seen_at as ingested_at, symbol,
                    'Go' as app, '' as publisher, 0 as ordinal, 2 + 3 * u(i, epoch(session)::bigint + 2) as rating,
                    1000 + (hash(i, session) % 9000)::bigint as ratings, session as capture_date
                from ({weekly}) cross join stocks where i < 500""",
            "analyst_ratings": f"""
                select 'made_up' as source, session as event_date, decision_at - interval '5 hours' as known_at,
                    {came.replace("known_at", "decision_at")} as ingested_at, symbol, i || '-' || n as rating_id,
                    'Firm ' || (hash(i, n, 2) % 9) as firm,
                    ['upgrade', 'downgrade', 'maintain', 'reiterate', 'initiate'][(hash(i, n, 3) % 5 + 1)::integer]
                    as action, decision_at - interval '5 hours' as rated_at
                from stocks cross join days_open where hash(i, n, 9) % 20 = 0""",
            "filings": f"""
                select 'sec_submissions' as source, filed as event_date, next_midnight as known_at,
                    {came} as ingested_at, 'cik' || cik as entity, 'filing' as kind, i || '-' || q as accession,
                    symbol, cik,
                    case when q % 4 = 3 then '10-K' else '10-Q' end as form, filed
                from (
                    select *, cast(date '{self.start}' + interval (3 * q + 3) month as date) + 35 + i::integer % 5
                        as filed
                    from stocks cross join range({4 * years}) as t (q)
                ) inner join cal on cal.day = filed where filed < '{self.end}'
                union all by name
                select 'sec_submissions' as source, session as event_date, decision_at - interval '5 hours' as known_at,
                    {came.replace("known_at", "decision_at")} as ingested_at, 'cik' || cik as entity,
                    'filing' as kind, i || '-8K-' || n as accession, symbol, cik, '8-K' as form, session as filed
                from stocks cross join days_open where hash(i, n, 10) % 25 = 0
                union all by name
                select 'yahoo_calendar' as source, session as event_date, decision_at - interval '5 hours' as known_at,
                    decision_at - interval '2 hours' as ingested_at, symbol as entity, 'earnings_date' as kind,
                    '' as accession, symbol, i % 3 = 1 as is_estimate, session + 40 as expected_from,
                    session + 40 as expected_to
                from stocks cross join days_open where i % 3 > 0 and (n + i) % 63 = 0""",
            "fundamentals": f"""
                with quarters as (
                    select *, cast(date '2009-01-01' + interval (3 * q) month as date) as first_day,
                        cast(date '2009-01-01' + interval (3 * q + 3) month as date) - 1 as end_day
                    from stocks cross join range({4 * (self.end.year - 2009 + 1)}) as t (q)
                ), filed as (
                    select quarters.*, end_day + 38 as filed, next_midnight,
                        revenue * exp(0.01 * q + 0.05 * z(i, q)) as sales
                    from quarters inner join cal on cal.day = end_day + 38 where end_day + 38 < '{self.end}'
                ), facts as (
                    select i, q, symbol, cik, filed, next_midnight, concept, 'us-gaap' as taxonomy, 'USD' as unit,
                        end_day as event_date, first_day as period_start, (end_day - first_day)::integer as period_days,
                        'quarter' as frequency, sales * (0.05 + 0.1 * k * u(i, k) + 0.02 * u(i, q + 50)) as value
                    from filed cross join (values {flows}) as f (concept, k) where q % 4 < 3
                    union all by name
                    select i, q, symbol, cik, filed, next_midnight, concept, 'us-gaap' as taxonomy, 'USD' as unit,
                        end_day as event_date, make_date(year(end_day), 1, 1) as period_start,
                        (end_day - make_date(year(end_day), 1, 1))::integer as period_days,
                        ['half', 'nine_months', 'year'][q % 4] as frequency,
                        (q % 4 + 1) * sales * (0.05 + 0.1 * k * u(i, k) + 0.02 * u(i, q + 50)) as value
                    from filed cross join (values {flows}) as f (concept, k) where q % 4 > 0
                    union all by name
                    select i, q, symbol, cik, filed, next_midnight, concept, 'us-gaap' as taxonomy, 'USD' as unit,
                        end_day as event_date, 0 as period_days, 'instant' as frequency,
                        sales * (10.0 / (1 + k)) * (1 + 0.1 * u(i, q + k)) as value
                    from filed cross join (values {states}) as f (concept, k)
                    union all by name
                    select i, q, symbol, cik, filed, next_midnight, 'EntityCommonStockSharesOutstanding' as concept,
                        'dei' as taxonomy, 'shares' as unit, filed - 6 as event_date, 0 as period_days,
                        'instant' as frequency, shares as value
                    from filed
                )
                select 'sec_facts' as source, event_date, next_midnight as known_at,
                    {came.replace("known_at", "next_midnight")} as ingested_at, 'cik' || cik as entity, symbol, cik,
                    taxonomy, concept, unit, frequency, period_start, period_days, value, filed,
                    case when q % 4 = 3 then '10-K' else '10-Q' end as form, i || '-' || q as accession
                from facts
                union all by name
                select 'yahoo_summary' as source, session as event_date, decision_at - interval '2 hours' as known_at,
                    decision_at - interval '2 hours' as ingested_at, symbol as entity, symbol, 'yahoo' as taxonomy,
                    concept, 'pure' as unit, 'snapshot' as frequency, 0 as period_days,
                    case when concept = 'shortRatio' then 0.5 + 8 * u(i, n) else shares end as value, '' as accession
                from stocks cross join days_open
                cross join (values ('shortRatio'), ('sharesOutstanding')) as c (concept)
                where n > (select max(n) - 504 from days_open) and n % 5 = 0""",
        }

    def _set_night_apart(self, con: duckdb.DuckDBPyConnection) -> None:
        """The last session's rows, and of days before: disclosures, contracts, a rate, a bar and a dividend."""
        con.execute("create schema night")
        decided = f"(select decision_at from ops.sessions where session = '{self.before}')"
        late = {
            "politician_trades": f"known_at > {decided} - interval '15 days' and row_id % 7 = 0",
            "gov_contracts": f"known_at > {decided} - interval '9 days' and row_id % 9 = 0",
            "insider_buying": f"known_at > {decided} - interval '6 days' and row_id % 50 = 0",
            "macro_series": f"series_id = 'DGS10' and known_at > {decided} - interval '5 days'",
            "prices": f"symbol = 'S0007' and event_date = date '{previous_session(previous_session(self.before))}'",
            "corporate_actions": f"known_at > {decided} - interval '6 days' and symbol < 'S0100'",
        }
        for name in self._rows():
            where = f"known_at > {decided} or ({late.get(name, 'false')})"
            con.execute(f"create table night.{name} as select * from raw.{name} where {where}")
            con.execute(f"delete from raw.{name} where {where}")
            con.execute(
                f"update night.{name} set ingested_at ="
                f" greatest(known_at, {decided} + interval '1 day' - interval '3 hours'), run_id = 'night'"
            )


def copy_to_postgres(path: Path, warehouse: Warehouse, schema: str = "raw") -> int:
    """Copy the rows of a file's schema into the raw tables of PostgreSQL, table after table, and return how many."""
    import duckdb
    import pyarrow as pa

    from pas_lib.warehouse import copy_arrow

    total = 0
    with duckdb.connect(str(path), read_only=True) as con, warehouse.connect() as target:
        con.execute("set timezone = 'UTC'")
        found = con.execute(f"select table_name from duckdb_tables() where schema_name = '{schema}'").fetchall()
        names = [row[0] for row in found]
        for name in sorted(set(names) & set(catalogue())):
            reader = con.sql(f"select * exclude (row_id) from {schema}.{name} order by row_id").to_arrow_reader(500_000)
            for batch in reader:
                total += copy_arrow(target, pa.Table.from_batches([batch]), f"raw.{name}")
    return total
