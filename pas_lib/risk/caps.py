"""Risk caps: a book in, a smaller book and the reasons out. What is cut becomes cash; nothing is ever raised.

Order: liquidity, name, sector, leverage-weighted, gross, value at risk. Each step only lowers shares, so what an
earlier step ensured stays true (for a long-only book). A cut is shared by the portfolios that hold the name in
proportion to their shares.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from pas_lib.errors import SettingsError
from pas_lib.risk.exposure import checked_book, holdings_returns, leverage_of, sector_of
from pas_lib.risk.measures import historical_var

_TOLERANCE = 1e-12


class Reason(StrEnum):
    """Why a share was cut."""

    ADV_CAP = "ADV_CAP"
    ADV_UNKNOWN = "ADV_UNKNOWN"
    NAME_CAP = "NAME_CAP"
    SECTOR_CAP = "SECTOR_CAP"
    LEVERAGE_CAP = "LEVERAGE_CAP"
    GROSS_CAP = "GROSS_CAP"
    VAR_CAP = "VAR_CAP"
    VAR_UNKNOWN = "VAR_UNKNOWN"


@dataclass(frozen=True)
class RiskLimits:
    """Limits as shares of equity; None is no limit.

    Attributes
    ----------
    name, sector : float, optional
        Absolute share of one symbol; of one sector (symbols without a sector form one of their own).
    leveraged, gross : float, optional
        Leverage-weighted and plain sum of absolute shares.
    adv_share : float, optional
        Largest position as a share of the symbol's average daily dollar volume.
    var_level, var : float, optional
        Historical VaR of the holdings at `var_level` may be at most `var`, a fraction of equity per day.
    var_coverage, var_sessions : float, int
        How much of the book must have a return in a session, and in how many sessions; with less VAR_UNKNOWN says so
        and nothing is cut by this limit.
    """

    name: float | None = None
    sector: float | None = None
    leveraged: float | None = None
    gross: float | None = None
    adv_share: float | None = None
    var: float | None = None
    var_level: float = 0.99
    var_coverage: float = 1.0
    var_sessions: int = 2

    def __post_init__(self) -> None:
        for label in ("name", "sector", "leveraged", "gross", "adv_share", "var"):
            value = getattr(self, label)
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                raise SettingsError(f"risk limit {label} must be a number of at least 0, not {value}")


@dataclass(frozen=True)
class Refusal:
    """One cut: reason, subject, exposure wanted and allowed (shares of equity; VAR_CAP: daily loss)."""

    reason: Reason
    subject: str
    wanted: float
    allowed: float

    def __str__(self) -> str:
        return f"{self.reason} {self.subject}: wanted {self.wanted:.4f}, allowed {self.allowed:.4f}"


@dataclass(frozen=True)
class CapResult:
    """A capped book (portfolios x symbols), what was refused, and the share of equity that became cash by it."""

    book: pd.DataFrame
    refusals: tuple[Refusal, ...]
    to_cash: float


def apply_caps(
    book: pd.DataFrame,
    limits: RiskLimits,
    *,
    sectors: Mapping[str, str] | None = None,
    leverage: Mapping[str, float] | None = None,
    adv: Mapping[str, float] | None = None,
    equity: float | None = None,
    symbol_returns: pd.DataFrame | None = None,
) -> CapResult:
    """Bring a book within its limits.

    Parameters
    ----------
    book : DataFrame
        Portfolios x symbols, shares of equity.
    limits : RiskLimits
        The limits.
    sectors, leverage : mapping, optional
        Sector and daily multiple by symbol.
    adv : mapping of str to float, optional
        Average daily dollar volume by symbol, currency; needed with ``limits.adv_share``.
    equity : float, optional
        Managed equity, currency; needed with ``limits.adv_share``.
    symbol_returns : DataFrame, optional
        Sessions x symbols; needed with ``limits.var``.

    Returns
    -------
    CapResult
        The book within limits, and one refusal for each cut.

    Raises
    ------
    SettingsError
        A limit is set but what it needs was not given.
    RiskInputError
        The book is malformed, or a held symbol has no return history under a VaR limit.

    Notes
    -----
    NaN policy: a NaN share is no holding; a symbol without a known volume may not be held under ``adv_share``
    (ADV_UNKNOWN).
    """
    values = checked_book(book)
    before = float(values.sum(axis=0).abs().sum())
    refusals: list[Refusal] = []
    symbols = values.columns
    multiple = leverage_of(symbols, leverage)
    sector = sector_of(symbols, sectors)

    def size() -> pd.Series:
        return values.sum(axis=0).abs()

    def cut(members: pd.Index, reason: Reason, subject: str, wanted: float, allowed: float) -> None:
        values.loc[:, members] *= allowed / wanted
        refusals.append(Refusal(reason, subject, wanted, allowed))

    if limits.adv_share is not None:
        if adv is None or equity is None or not equity > 0.0:
            raise SettingsError("a limit on the share of daily volume needs the volumes and a positive equity")
        for symbol, share in size().items():
            if share <= 0.0:
                continue
            volume = float(adv.get(str(symbol), math.nan))
            if not volume > 0.0:
                cut(pd.Index([symbol]), Reason.ADV_UNKNOWN, str(symbol), float(share), 0.0)
            elif share * equity > limits.adv_share * volume * (1.0 + _TOLERANCE):
                cut(pd.Index([symbol]), Reason.ADV_CAP, str(symbol), float(share), limits.adv_share * volume / equity)
    if limits.name is not None:
        for symbol, share in size().items():
            if share > limits.name + _TOLERANCE:
                cut(pd.Index([symbol]), Reason.NAME_CAP, str(symbol), float(share), limits.name)
    if limits.sector is not None:
        for label, share in size().groupby(sector).sum().items():
            if share > limits.sector + _TOLERANCE:
                cut(symbols[sector == label], Reason.SECTOR_CAP, str(label), float(share), limits.sector)
    if limits.leveraged is not None:
        wanted = float((size() * multiple).sum())
        # Leveraged funds give way first; plain names only when these alone do not suffice.
        funds = symbols[multiple > 1.0]
        plain = float(size()[multiple <= 1.0].sum())
        if wanted > limits.leveraged + _TOLERANCE:
            in_funds = wanted - float((size() * multiple)[multiple <= 1.0].sum())
            room = max(limits.leveraged - plain, 0.0)
            if len(funds) and in_funds > room + _TOLERANCE:
                cut(funds, Reason.LEVERAGE_CAP, "leveraged funds", in_funds, room)
            rest = float((size() * multiple).sum())
            if rest > limits.leveraged + _TOLERANCE:
                cut(symbols, Reason.LEVERAGE_CAP, "book", rest, limits.leveraged)
    if limits.gross is not None:
        wanted = float(size().sum())
        if wanted > limits.gross + _TOLERANCE:
            cut(symbols, Reason.GROSS_CAP, "book", wanted, limits.gross)
    if limits.var is not None:
        if symbol_returns is None:
            raise SettingsError("a limit on value at risk needs the symbols' return history")
        subject = f"book {limits.var_level:.0%}"
        past = holdings_returns(values, symbol_returns, min_coverage=limits.var_coverage).dropna()
        held = float(size().sum())
        if held and len(past) < limits.var_sessions:
            refusals.append(Refusal(Reason.VAR_UNKNOWN, subject, held, held))
        elif held and (wanted := historical_var(past, limits.var_level)) > limits.var + _TOLERANCE:
            cut(symbols, Reason.VAR_CAP, subject, wanted, limits.var)
    return CapResult(values, tuple(refusals), before - float(size().sum()))
