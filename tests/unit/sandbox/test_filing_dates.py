"""Dates of reports in the sandbox: one function of company and period."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from pas_lib import clock
from pas_lib.clock import NY
from pas_lib.sandbox.filing_dates import filing_date, fiscal_quarter_ends, report, reports, reports_of
from pas_lib.sandbox.testing import world_for_tests

FIRST, LAST = date(2020, 1, 1), date(2026, 6, 30)


def _companies() -> list[str]:
    return sorted({item.cik for item in world_for_tests().roster.listings if item.cik})


def test_the_filing_date_turns_at_half_past_five_and_over_weekends() -> None:
    friday = datetime(2026, 1, 30, 17, 30, tzinfo=NY).astimezone(UTC)
    assert filing_date(friday) == date(2026, 1, 30)
    assert filing_date(friday + timedelta(seconds=1)) == date(2026, 2, 2)
    assert filing_date(datetime(2026, 1, 31, 12, tzinfo=NY)) == date(2026, 2, 2)


def test_quarters_follow_each_other_and_every_fourth_report_is_annual() -> None:
    for cik in _companies():
        found = reports(cik, FIRST, LAST)
        assert 25 <= len(found) <= 27, cik
        for one, other in pairwise(found):
            assert other.start == one.end + timedelta(days=1), cik
            assert other.accepted > one.accepted, cik
        assert {r.form for r in found if r.fiscal_period == "FY"} == {"10-K"}
        assert all(
            r.end == fiscal_quarter_ends(cik, r.fiscal_year)[["Q1", "Q2", "Q3", "FY"].index(r.fiscal_period)]
            for r in found
        )


def test_a_report_follows_its_announcement_within_the_legal_time_and_on_sessions() -> None:
    evenings = amended = late = weeks = 0
    for cik in _companies():
        for r in reports(cik, FIRST, LAST):
            assert r.end < r.announced.date() <= r.accepted.date(), r
            assert r.announced < r.accepted, r
            assert clock.is_session(r.filed), r
            assert clock.is_session(r.announcement_filed), r
            lag = (r.filed - r.end).days
            assert 20 <= lag <= (80 if r.form == "10-K" else 60), r
            evenings += r.filed > r.accepted.astimezone(NY).date()
            amended += r.amended is not None
            late += lag > (61 if r.form == "10-K" else 43)
            weeks += r.end.day < 28 and r.end.weekday() == 5
            if r.amended is not None:
                assert r.amended > r.accepted + timedelta(days=29), r
    counts = {"evenings": evenings > 50, "amended": amended > 20, "late": late > 5, "weeks": weeks > 20}
    assert all(counts.values()), counts


def test_this_year_reports_come_near_last_years_date() -> None:
    gaps = []
    for cik in _companies():
        for q in (1, 2, 3, 4):
            one, other = report(cik, 2024, q), report(cik, 2025, q)
            gaps.append(abs((other.filed - one.filed).days - 365))
    assert sum(gap <= 10 for gap in gaps) > 0.9 * len(gaps)


def test_numbers_of_filings_are_unique() -> None:
    numbers = [
        n
        for cik in _companies()
        for r in reports(cik, FIRST, LAST)
        for n in (r.accession, r.announcement_accession, r.amendment_accession)
        if n
    ]
    assert len(numbers) == len(set(numbers)) > 2000


def test_a_company_reports_while_it_is_listed_and_a_fund_never() -> None:
    roster = world_for_tests().roster
    fund = next(x for x in roster.listings if x.tier == "F")
    assert reports_of(fund, FIRST, LAST) == ()
    late = next(x for x in roster.listings if x.listed and x.cik)
    assert reports_of(late, FIRST, LAST)[0].end >= (late.listed or FIRST)
    gone = next(x for x in roster.listings if x.delisted and x.delisted > date(2026, 1, 1))
    assert reports_of(gone, FIRST, LAST)[-1].filed < (gone.delisted or LAST)
