"""From names to symbols: properties, the recorded names, and what must stay unmatched."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from datetime import date
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_lib.datasets import names as module
from pas_lib.datasets.names import THRESHOLD, Listed, Match, NameMap, company_of, normalise, packaged_aliases
from tests.support.paths import REAL, WIRE, needs

TODAY = date(2026, 1, 30)
REGISTER = [
    Listed("Lockheed Martin", "LMT", "cik0000936468", date(1984, 1, 3)),
    Listed("Hanesbrands Inc.", "HBI", "cik0001359841", date(2015, 3, 20)),
    Listed("Ameresco, Inc.", "AMRC", "cik0001488139"),
    Listed("Alphabet Inc. (Class A)", "GOOGL", "cik0001652044", date(2014, 4, 3)),
    Listed("Alphabet Inc. (Class C)", "GOOG", "cik0001652044", date(2006, 4, 3)),
    Listed("First Meridian Bancorp", "FMB", "cik0000000001"),
    Listed("First Meridiam Bancorp", "FMX", "cik0000000002"),
    Listed("Twin Rivers Water", "TWR", "name:twin-rivers-water"),
    Listed("Twin Rivers Water", "TRW", "cik0000000003"),
    Listed("Fenquist Studios Inc.", "FNQ", "cik0000000004", date(2019, 1, 2)),
    Listed("Fenquist Studios Inc.", "FQS", "cik0000000004", date(2025, 6, 2)),
    Listed("Quarry Holdings 1", "QRA", "cik0000000005"),
]


@pytest.fixture(scope="module")
def names() -> NameMap:
    return NameMap(REGISTER)


@pytest.fixture(scope="module")
def bare() -> NameMap:
    """Without the listed aliases."""
    return NameMap(REGISTER, aliases=())


@pytest.mark.parametrize(
    ("stated", "plain"),
    [
        ("LOCKHEED MARTIN CORPORATION", "LOCKHEED MARTIN"),
        ("Lockheed Martin Corp", "LOCKHEED MARTIN"),
        ("HANESBRANDS, INC.", "HANESBRANDS"),
        ("The Boeing Company", "BOEING"),
        ("AT&amp;T Services, Inc.", "AT AND T SERVICES"),
        ("Quill & Harrow LLP on behalf of Société Générale S.A.", "SOCIETE GENERALE"),
        ("Dunmore Strategies (ON BEHALF OF Alby Studios Inc.)", "ALBY STUDIOS"),
        ("Alphabet Inc. (Class A)", "ALPHABET"),
        ("RTX Corporation, formerly known as Raytheon Technologies", "RTX"),
        ("U.S. Steel Corp.", "US STEEL"),
        ("The Company", "COMPANY"),
        ("Inc.", "INC"),
        ("...", ""),
        ("Fenquist-dba-Alby Studios", "FENQUIST"),
    ],
)
def test_normalise(stated, plain):
    assert normalise(stated) == plain


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.upper().strip()


@given(st.sampled_from([entry.name for entry in REGISTER[:5]]), st.sampled_from(["", " INC", ", Inc.", " Corporation"]))
def test_case_and_legal_form_do_not_matter(name, form):
    names = NameMap(REGISTER, aliases=())
    plain = names.match(name, TODAY)
    assert plain is not None
    assert names.match(name.upper().split(" INC")[0] + form, TODAY).symbol == plain.symbol


@given(st.text(max_size=40))
def test_a_match_is_exact_or_similar_enough_and_never_anything_else(text):
    found = NameMap(REGISTER, aliases=()).match(text, TODAY)
    if found is None:
        return
    assert found.symbol in {entry.symbol for entry in REGISTER}
    if found.basis == "name":
        assert found.score == 100.0
        assert normalise(text) in {normalise(entry.name) for entry in REGISTER}
    else:
        assert found.score >= THRESHOLD


def test_the_three_steps_in_their_order(names, bare):
    assert names.match("LOCKHEED MARTIN CORPORATION", TODAY) == Match("LMT", "alias")
    assert bare.match("LOCKHEED MARTIN CORPORATION", TODAY) == Match("LMT", "name")
    slip = bare.match("LOCKHEED MARTTIN CORP", TODAY)
    assert (slip.symbol, slip.basis) == ("LMT", "fuzzy")
    assert THRESHOLD <= slip.score < 100
    assert bare.match("MARTIN LOCKHEED", TODAY).basis == "fuzzy"


@pytest.mark.parametrize(
    "stated",
    [
        "LOCKHEED MARTIN AERONAUTIC SECTOR",  # a part of the company: only by a listed alias
        "APPLEBEE'S",
        "CITY OF SOMERTON (AZ)",
        "FIRST MERIDIAX BANCORP",  # two companies are about as similar
        "TWIN RIVERS WATER",  # two companies of that name
        "QUARRY HOLDINGS 2",  # another number is another company
        "AMRESCO",  # too short to be told from Ameresco
        "",
    ],
)
def test_what_is_not_certain_stays_unmatched(bare, stated):
    assert bare.match(stated, TODAY) is None


def test_names_map_as_of_the_day(names, bare):
    assert [names.match("RAYTHEON COMPANY", day).symbol for day in (date(2020, 4, 2), date(2020, 4, 3))] == [
        "RTN",
        "RTX",
    ]
    assert names.match("SIKORSKY AIRCRAFT CORPORATION", date(2015, 11, 5)).symbol == "UTX"
    assert names.match("SIKORSKY AIRCRAFT CORPORATION", date(2015, 11, 6)).symbol == "LMT"
    assert names.match("ORBITAL SCIENCES LLC", date(2016, 1, 4)) is None  # then a part of another listed company
    assert bare.match("Fenquist Studios", date(2025, 6, 1)).symbol == "FNQ"
    assert bare.match("Fenquist Studios", date(2025, 6, 2)).symbol == "FQS"
    assert bare.match("Fenquist Studios", date(2010, 1, 4)).symbol == "FNQ"
    assert bare.match("ALPHABET INC", date(2010, 1, 4)).symbol == "GOOG"
    assert bare.match("ALPHABET INC", TODAY).symbol == "GOOGL"


def test_a_listed_name_without_symbol_is_never_matched_by_likeness():
    names = NameMap([Listed("United Launch Service", "ULS", "cik9")])
    assert names.match("UNITED LAUNCH SERVICES, LLC", TODAY) is None


def test_aliases_are_in_order():
    entries = packaged_aliases()
    assert len(entries) > 80
    by_name: dict[str, list[Listed]] = {}
    for entry in entries:
        assert entry.symbol == entry.symbol.upper()
        assert entry.start is None or entry.end is None or entry.start < entry.end
        by_name.setdefault(normalise(entry.name), []).append(entry)
    for name, spells in by_name.items():
        assert name
        days = sorted({day for spell in spells for day in (spell.start, spell.end) if day} | {TODAY, date(1990, 1, 2)})
        for day in days:
            assert len({spell.symbol for spell in spells if spell.covers(day)}) <= 1, (name, day)
    rows = list(csv.DictReader(files("pas_lib.datasets").joinpath("aliases.csv").read_text().splitlines()))
    assert all(row["symbol"] or row["note"] for row in rows)
    # What every line was checked against; what could not be is not among them.
    assert len(rows) == len(entries)
    assert not any("not verified" in row["checked"] or not row["checked"] for row in rows)


def test_a_line_that_nobody_checked_is_not_used(monkeypatch):
    text = "name,symbol,valid_from,valid_to,note,checked\n"
    text += (
        "Seen Works,SEE,,,,SEC list 2024-05\nBlind Works,BLI,,,,\nHalf Works,HAL,,,,own name; first day not verified\n"
    )
    monkeypatch.setattr(module, "files", lambda _: PackagedText(text))
    packaged_aliases.cache_clear()
    try:
        assert [entry.symbol for entry in packaged_aliases()] == ["SEE"]
        found = NameMap(())
        assert found.match("SEEN WORKS INC", TODAY) == Match("SEE", "alias")
        assert found.match("BLIND WORKS INC", TODAY) is found.match("HALF WORKS INC", TODAY) is None
    finally:
        packaged_aliases.cache_clear()


@dataclass(frozen=True)
class PackagedText:
    """A package with one file."""

    text: str

    def joinpath(self, _name):
        return self

    def read_text(self, encoding):
        return self.text


def test_days_that_are_known_by_month_or_year_are_on_the_safe_side(names):
    days = (date(2023, 6, 30), date(2023, 7, 15), date(2023, 8, 1))
    found = [names.match("AEROJET ROCKETDYNE, INC.", day) for day in days]
    assert [match.symbol if match else None for match in found] == ["AJRD", None, "LHX"]
    assert names.match("GULFSTREAM AEROSPACE CORPORATION", date(1999, 12, 31)) is None
    assert names.match("MANTECH INTERNATIONAL CORPORATION", date(2020, 1, 2)) is None


def test_companies_by_security_id():
    assert company_of("cik0001652044.A") == company_of("cik0001652044.C") == "cik0001652044"
    assert company_of("sym:AAA:alpha-works") == company_of("sym:AAB:alpha-works") == "name:alpha-works"


def recorded() -> list[tuple[str, str | None, str | None, str]]:
    """Return name, symbol, basis and day of every name in the recorded payloads."""
    return [
        ("LOCKHEED MARTIN CORPORATION", "LMT", "alias", "2026-04-02"),
        ("LOCKHEED MARTIN CORP", "LMT", "alias", "2006-08-31"),
        ("LOCKHEED MARTIN AERONAUTIC SECTOR", "LMT", "alias", "2026-04-02"),
        ("BOEING COMPANY", "BA", "alias", "2026-04-20"),
        ("THE BOEING COMPANY", "BA", "alias", "1993-11-15"),
        ("CITY OF SOMERTON (AZ)", None, None, "2026-01-01"),
        ("NORTHROP GRUMMAN SYSTEMS CORPORATION", "NOC", "alias", "2003-10-01"),
        ("CALIFORNIA INSTITUTE OF TECHNOLOGY", None, None, "2018-10-01"),
        ("THE UNIVERSITY OF IOWA", None, None, "2018-03-05"),
        ("ORBITAL SCIENCES LLC", "ORB", "alias", "2008-12-23"),
        ("UNITED LAUNCH SERVICES, LLC", None, None, "2010-09-23"),
        ("LEIDOS, INC.", "SAI", "alias", "2012-06-20"),
        ("LEIDOS, INC.", "LDOS", "alias", "2019-08-26"),
        ("LEIDOS GOVERNMENT SERVICES, INC.", None, None, "2008-12-16"),
        ("HANESBRANDS INC", "HBI", "alias", "2023-01-23"),
        ("HANESBRANDS, INC.", "HBI", "alias", "2023-01-13"),
        ("GOOGLE CLIENT SERVICES", "GOOGL", "alias", "2025-10-21"),
    ]


@pytest.mark.parametrize(("name", "symbol", "basis", "day"), recorded())
def test_recorded_names(names, name, symbol, basis, day):
    found = names.match(name, date.fromisoformat(day))
    assert (found.symbol if found else None, found.basis if found else None) == (symbol, basis)


@pytest.mark.needs_material
def test_every_recorded_name_is_in_the_golden_list():
    golden = {name for name, _, _, _ in recorded()}
    seen = set()
    for path in sorted(needs(WIRE / "senate_lda/payloads").glob("filings_*.json")):
        seen |= {row["client"]["name"] for row in json.loads(path.read_text())["results"]}
    for folder in ("spending_by_award", "spending_by_transaction"):
        for path in sorted(needs(WIRE / "usaspending/payloads" / folder).glob("*.json")):
            seen |= {row["Recipient Name"] for row in json.loads(path.read_text()).get("results", [])}
    assert seen <= golden


#: Spellings as contracts and lobbying reports have them, none of them an alias, and whose they are; None: nobody's.
SPELLINGS = [
    ("CATERPILLAR INC.", "CAT"),
    ("THE COCA-COLA COMPANY", "KO"),
    ("Procter & Gamble Co.", "PG"),
    ("PROCTER AND GAMBLE COMPANY, THE", None),
    ("JOHNSON & JOHNSON", "JNJ"),
    ("CISCO SYSTEMS, INC.", "CSCO"),
    ("ORACLE CORPORATION", "ORCL"),
    ("NVIDIA CORPORATION", "NVDA"),
    ("TESLA, INC.", "TSLA"),
    ("MODERNA INC", "MRNA"),
    ("GILEAD SCIENCES, INC.", "GILD"),
    ("SCIENCE APPLICATIONS INTERNATIONAL CORPORATION", "SAIC"),
    ("PARSONS CORPORATION", "PSN"),
    ("KRATOS DEFENSE & SECURITY SOLUTIONS, INC.", "KTOS"),
    ("MERCURY SYSTEMS INC", "MRCY"),
    ("VECTRUS SYSTEMS CORPORATION", None),
    ("HALLIBURTON COMPANY", "HAL"),
    ("OWENS & MINOR, INC.", "OMI"),
    ("CENTENE CORPORATION", "CNC"),
    ("CROWDSTRIKE HOLDINGS, INC.", "CRWD"),
    ("GILEAD SCIENCS, INC.", "GILD"),
    ("KRATOS DEFENCE & SECURITY SOLUTIONS", "KTOS"),
    ("APPLEBEE'S", None),
    ("APPLE FEDERAL CREDIT UNION", None),
    ("TARGET LOGISTICS MANAGEMENT LLC", None),
    ("FORD FOUNDATION", None),
    ("UNITED STATES TELECOM ASSOCIATION", None),
    ("AMERICAN HOSPITAL ASSOCIATION", None),
    ("NATIONAL ASSOCIATION OF REALTORS", None),
    ("UNIVERSITY OF CALIFORNIA", None),
    ("SIERRA NEVADA CORPORATION", None),
    ("GENERAL ATOMICS AERONAUTICAL SYSTEMS, INC.", None),
    ("BECHTEL NATIONAL, INC.", None),
    ("STATE OF TEXAS", None),
    ("CITY OF PHOENIX", None),
    ("MISSION ESSENTIAL PERSONNEL LLC", None),
    ("ABBOTT POINT OF CARE INC.", None),
    ("WASHINGTON RIVER PROTECTION SOLUTIONS LLC", None),
    ("FIRST CHOICE HEALTH NETWORK", None),
    ("DELTA DENTAL OF CALIFORNIA", None),
]


@pytest.mark.needs_material
def test_precision_against_all_names_the_sec_lists():
    """No symbol is wrong; of the names that have one, at most one in ten is missed."""
    listed = json.loads(gzip.decompress(needs(REAL / "sec" / "company_tickers_full.json.gz").read_bytes()))
    # A company's first ticker is its common share; the others are its classes, warrants and preferred shares.
    first: dict[int, Listed] = {}
    for row in listed.values():
        company = f"cik{row['cik_str']:010d}"
        first.setdefault(row["cik_str"], Listed(row["title"], row["ticker"].replace("-", "."), company))
    assert len(first) > 7000
    every = NameMap(first.values())
    golden = [(name, symbol, date.fromisoformat(day)) for name, symbol, _, day in recorded()]
    golden += [(name, symbol, TODAY) for name, symbol in SPELLINGS]
    answers = [(symbol, every.match(name, day)) for name, symbol, day in golden]
    matched = [(symbol, found.symbol) for symbol, found in answers if found is not None]
    wrong = [pair for pair in matched if pair[0] != pair[1]]
    wanted = [found for symbol, found in answers if symbol is not None]
    precision = 1 - len(wrong) / len(matched)
    recall = sum(found is not None for found in wanted) / len(wanted)
    assert wrong == []
    assert (precision, len(matched)) == (1.0, sum(found is not None for found in wanted))
    assert recall >= 0.9
    assert {found.basis for _, found in answers if found is not None} == {"alias", "name", "fuzzy"}


def test_a_company_that_was_listed_later_or_left_is_told_by_the_day(names):
    assert names.match("SPACE EXPLORATION TECHNOLOGIES CORP.", date(2026, 6, 11)) is None
    assert names.match("SPACE EXPLORATION TECHNOLOGIES CORP.", date(2026, 6, 12)).symbol == "SPCX"
    days = (date(2019, 12, 9), date(2024, 9, 27), date(2024, 9, 30))
    assert [names.match("JACOBS TECHNOLOGY INC.", day).symbol for day in days] == ["JEC", "J", "AMTM"]
    # Parted in two of other names: whose a contract is would be a guess.
    assert names.match("HONEYWELL INTERNATIONAL INC.", date(2026, 6, 29)) is None
