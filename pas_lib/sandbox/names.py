"""Invented names: companies, tickers, places, politicians. Nothing here refers to a real firm."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

SECTORS: Final[dict[str, tuple[str, tuple[str, ...], tuple[str, ...], float]]] = {
    # sector: (ETF, sub-industries, endings of company names, share of companies)
    "Communication Services": (
        "XLC",
        ("Interactive Media & Services", "Publishing", "Broadcasting"),
        ("Media", "Broadcasting", "Networks", "Studios"),
        0.06,
    ),
    "Consumer Discretionary": (
        "XLY",
        ("Apparel Retail", "Auto Parts & Equipment", "Restaurants"),
        ("Retail", "Motors", "Leisure", "Outfitters"),
        0.11,
    ),
    "Consumer Staples": (
        "XLP",
        ("Packaged Foods & Meats", "Household Products", "Food Retail"),
        ("Foods", "Provisions", "Beverages", "Home Brands"),
        0.07,
    ),
    "Energy": (
        "XLE",
        ("Oil & Gas Exploration & Production", "Oil & Gas Storage & Transportation"),
        ("Petroleum", "Drilling", "Energy Partners", "Pipelines"),
        0.06,
    ),
    "Financials": (
        "XLF",
        ("Regional Banks", "Asset Management & Custody Banks", "Property & Casualty Insurance"),
        ("Bancorp", "Financial", "Assurance", "Capital Group"),
        0.15,
    ),
    "Health Care": (
        "XLV",
        ("Biotechnology", "Health Care Equipment", "Pharmaceuticals"),
        ("Biosciences", "Therapeutics", "Medical", "Pharma"),
        0.13,
    ),
    "Industrials": (
        "XLI",
        ("Building Products", "Air Freight & Logistics", "Industrial Conglomerates"),
        ("Industries", "Logistics", "Aerospace", "Tooling"),
        0.15,
    ),
    "Information Technology": (
        "XLK",
        ("Semiconductors", "Application Software", "Technology Hardware, Storage & Peripherals"),
        ("Systems", "Semiconductor", "Software", "Devices"),
        0.14,
    ),
    "Materials": (
        "XLB",
        ("Specialty Chemicals", "Steel", "Paper & Plastic Packaging Products & Materials"),
        ("Chemicals", "Steel", "Minerals", "Packaging"),
        0.05,
    ),
    "Real Estate": ("XLRE", ("Office REITs", "Retail REITs"), ("Properties", "Realty Trust", "Estates"), 0.05),
    "Utilities": ("XLU", ("Electric Utilities", "Water Utilities"), ("Power", "Water Works", "Electric"), 0.03),
}

PLACES: Final = (
    "Hollow Creek, Ohio",
    "Port Ellery, Maine",
    "Marlow Springs, Texas",
    "Eastvale, Oregon",
    "Grand Tarn, Michigan",
    "Sable Point, Georgia",
    "Dunmore Falls, Vermont",
    "Quill City, Nevada",
)

_FIRST: Final = (
    "Al",
    "Ber",
    "Cal",
    "Dor",
    "Esk",
    "Fen",
    "Gal",
    "Hol",
    "Ing",
    "Jor",
    "Kel",
    "Lun",
    "Mar",
    "Nor",
    "Or",
    "Pel",
    "Quin",
    "Ros",
    "Sel",
    "Tar",
    "Ul",
    "Ver",
    "Wen",
    "Xan",
    "Yor",
    "Zel",
    "Bran",
    "Cro",
    "Dre",
    "Thal",
)
_SECOND: Final = (
    "dane",
    "vex",
    "mora",
    "thorn",
    "wick",
    "lumen",
    "gard",
    "crest",
    "by",
    "vane",
    "stead",
    "quist",
    "rell",
    "danta",
    "brook",
    "field",
    "mont",
    "hurst",
    "zano",
    "ford",
    "kirk",
    "lane",
    "dell",
    "nova",
)
SPECIAL_TITLES: Final = (
    # (company name, Wikipedia title): the awkward ones, spread over the index lists
    ("Brévonne Énergie", "Brévonne Énergie"),
    ("Ñuvera Foods", "Ñuvera Foods"),
    ("Harrow & Pellwick", "Harrow & Pellwick"),
    ("Nor/Vexel Networks", "Nor/Vexel Networks"),
    ("Kestorel", "Kestorel (company)"),
    ("Løkvane Maritime", "Løkvane Maritime"),
    ("Großthal Werke", "Großthal Werke"),
    ("Talbrook's", "Talbrook's"),
    ("Dremora, Inc.", "Dremora, Inc."),
    ("Who Else? Media", "Who Else? Media"),
    ("A. B. Quistell", "A. B. Quistell"),
    ("Żelmont (The) Group", "Żelmont Group (holding)"),
)

_GIVEN: Final = (
    "Ada",
    "Basil",
    "Clara",
    "Dexter",
    "Edith",
    "Felix",
    "Greta",
    "Harlan",
    "Iris",
    "Jonas",
    "Katrin",
    "Leland",
    "Mabel",
    "Nestor",
    "Opal",
    "Percy",
    "Rhoda",
    "Silas",
    "Thea",
    "Virgil",
)
_FAMILY: Final = (
    "Abernoth",
    "Blackmarsh",
    "Castellow",
    "Drummage",
    "Eastlake-Roe",
    "Fairwend",
    "Gravelle",
    "Hollinder",
    "Iverstone",
    "Jessamy",
    "Kilbrand",
    "Lockhaven",
    "Mossgrove",
    "Northam-Pyle",
    "O'Tarrell",
    "Pinkwater",
    "Quarrell",
    "Ravensby",
    "Stonebeck",
    "Tillerman",
)
_TAKEN_ELSEWHERE: Final = (
    "SPY XLB XLC XLE XLF XLI XLK XLP XLRE XLU XLV XLY UPRO SOXL SPXL FAS LABU TQQQ "  # the strategies' funds
    "USD CAD GS NULL MOG "
    "ALZN BRBR BRKR BRNS BRST BRWC CLBR CLNV CLST CNTA CRDL DRVN FNGR GLST HLTH HLVX INGN INGR LNBY LNTH "
    "MRKR PLBY PLMR RDNT TDNT TRLM TRST TRVN VRDN XNCR "
)
_KNOWN: Final = frozenset(_TAKEN_ELSEWHERE.split())


def coined_words(rng: Generator, count: int) -> list[str]:
    """`count` different coined words, capitalised."""
    words = [first + second for first in _FIRST for second in _SECOND]
    picked = rng.permutation(len(words))[:count]
    return [words[int(i)] for i in picked]


def ticker_for(word: str, taken: set[str]) -> str:
    """Return a free ticker of three to five letters made from `word`; it is added to `taken`."""
    letters = "".join(c for c in word.upper() if c.isascii() and c.isalpha()) or "Q"
    tail = [c for c in letters[1:] if c not in "AEIOU"] + [c for c in letters[1:] if c in "AEIOU"] + list("XQZJKV")
    for length in (3, 2, 4):
        for skip in range(len(tail) - length + 1):
            symbol = letters[0] + "".join(tail[skip : skip + length])
            if symbol not in taken and symbol not in _KNOWN:
                taken.add(symbol)
                return symbol
    number = 0
    while True:  # a deterministic last resort: base-26 suffixes
        symbol = letters[0] + "Z" + chr(65 + number // 26 % 26) + chr(65 + number % 26)
        if symbol not in taken:
            taken.add(symbol)
            return symbol
        number += 1


def politician_names(rng: Generator, count: int) -> list[str]:
    """`count` different invented full names."""
    pairs = [f"{given} {family}" for given in _GIVEN for family in _FAMILY]
    picked = rng.permutation(len(pairs))[:count]
    return [pairs[int(i)] for i in picked]
