"""The allocation of one week: weekly matrix, mix, gross, bounds, crisis scale, caps, band, in this order.

The estimation window is the last `max_weeks` weeks. Portfolios with fewer than four weeks get 1/n each, the others
share the rest by the method. Covariance and mean are taken over the weeks that all optimised portfolios have, so
that both look at one window.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pas_lib.allocation import methods, sizing
from pas_lib.allocation.covariance import Covariance, Shrinkage, estimate
from pas_lib.allocation.errors import AllocationError, NoSolution
from pas_lib.allocation.weekly import ClippedCell, DailyReturns, clip_outliers, compound_weeks, day_text, read_returns
from pas_lib.errors import SettingsError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WEEKS_PER_YEAR = 52
MIN_WEEKS = 4
MAX_WEEKS = 36
#: A mix above this annual volatility is a data error, not a portfolio.
MAX_CREDIBLE_VOL = 0.60
_MIN_CREDIBLE_VOL = 1e-6


@dataclass(frozen=True)
class Allocation:
    """Result of one allocation.

    Attributes
    ----------
    weights : Series
        Share of managed equity by portfolio, in the order of the input columns; the rest to 1 is cash.
    diagnostics : dict
        Plain values that can be stored as JSON: what was asked, what was used, and why.
    """

    weights: pd.Series
    diagnostics: dict[str, Any]


@dataclass(frozen=True)
class _Window:
    """The estimation window: who is optimised, on what."""

    counts: tuple[int, ...]
    optimised: tuple[int, ...]
    young: tuple[int, ...]
    constant: tuple[int, ...]
    weeks: tuple[str, ...]
    cleaned: FloatArray
    clipped: tuple[ClippedCell, ...]


def allocate(
    daily_returns: pd.DataFrame,
    *,
    current: pd.Series | None = None,
    previous: pd.Series | None = None,
    method: str = "max_sharpe",
    target_vol: float = 0.11,
    risk_free: float = 0.0,
    min_weight: float = 0.0,
    max_weight: float = 1.0,
    gross_cap: float = 1.0,
    week_ends: Iterable[Any] | None = None,
    scale: float = 1.0,
    caps: Mapping[str, float] | pd.Series | None = None,
    band: float = 0.005,
    max_weeks: int = MAX_WEEKS,
    vol_clamp: tuple[float, float] = (0.10, 0.12),
    shrink: Shrinkage = "covariance",
    cov_ddof: int = 0,
) -> Allocation:
    """Size the portfolios of a book.

    Parameters
    ----------
    daily_returns : DataFrame
        Sessions x portfolios: daily model returns as fractions, up to the decision session.
    current : Series, optional
        Drifted current shares of equity by portfolio, for the no-trade band. ``None``: no band.
    previous : Series, optional
        Previous target shares *before* crisis scale, caps and band (`diagnostics["target"]` of the last
        allocation), reused when nothing can be estimated.
    method : str
        A name in :data:`pas_lib.allocation.METHODS`.
    target_vol : float
        Annual volatility target, clamped to `vol_clamp`.
    risk_free : float
        Annual rate as a fraction, as known at the decision; used by ``tangency``, ``max_sharpe_exact`` and
        ``metric_tilt``.
    min_weight, max_weight : float
        Bounds of a portfolio's share of equity before the crisis scale; 0 is always allowed.
    gross_cap : float
        Largest sum of shares.
    week_ends : iterable of dates, optional
        Last session of each week (see :func:`pas_lib.allocation.weekly.weekly_returns`).
    scale : float
        Crisis exposure scale S in [0, 1].
    caps : mapping of str to float, optional
        Largest final share by portfolio from risk rules; the excess is cash.
    band : float
        No-trade band in shares of equity.
    max_weeks : int
        Length of the window.
    vol_clamp : (float, float)
        Lowest and highest target; the highest is also the most ex-ante volatility the result may have.
    shrink : {"covariance", "correlation", "none"}
        What Ledoit-Wolf shrinks.
    cov_ddof : int
        0 (scikit-learn's Ledoit-Wolf) or 1.

    Returns
    -------
    Allocation
        Shares and diagnostics.

    Raises
    ------
    AllocationError
        The returns are malformed (infinite, below -1, duplicated labels); names portfolio and session.
    SettingsError
        Contradicting settings, e.g. n x min_weight above gross_cap.
    UnknownName
        No such method.

    Notes
    -----
    NaN policy: a session without a return makes that week missing for that portfolio and nothing else.
    Young portfolios have no covariance; for volatility they count like the optimised mix, fully correlated with it.
    A portfolio whose returns do not vary at all is left out of the optimisation with share 0 (it returns when it
    varies).
    """
    given = read_returns(daily_returns)
    # Worked out in the order of names, so that the order of columns cannot decide ties, or a tree of hrp.
    order = sorted(range(len(given.names)), key=given.names.__getitem__)
    daily = DailyReturns(tuple(given.names[i] for i in order), given.days, given.values[:, order])
    names = list(daily.names)
    n = len(names)
    chosen = methods.get_method(method)
    _check_settings(n, min_weight, max_weight, gross_cap, target_vol, risk_free, scale, band, max_weeks, vol_clamp)
    target = float(np.clip(target_vol, *vol_clamp))
    diagnostics: dict[str, Any] = {
        "method": method,
        "method_used": method,
        "reason": "",
        "n_portfolios": n,
        "target_vol": target,
        "risk_free": float(risk_free),
        "scale": float(scale),
        "gross_cap": float(gross_cap),
    }
    if n == 0:
        diagnostics.update(method_used="cash", reason="no portfolios", n_weeks=0, gross=0.0, cash=1.0)
        return Allocation(pd.Series(dtype=float), diagnostics)

    window = _window(daily, week_ends, max_weeks)
    rf_weekly = (1.0 + risk_free) ** (1.0 / WEEKS_PER_YEAR) - 1.0
    cov = _covariance(window, shrink, cov_ddof)
    moments = _moments(window, cov, rf_weekly, min_weight, max_weight)
    opt = np.array(window.optimised, dtype=int)
    young = np.array(window.young, dtype=int)

    mix, used, reasons = _mix(window, moments, chosen, method, n)
    mix_vol = _annual_vol(mix[opt], cov) / (1.0 - len(young) / n) if mix is not None and len(opt) else np.nan

    def volatility(shares: FloatArray) -> float:
        if not len(opt) or cov is None:
            return float("nan")
        known = _annual_vol(shares[opt], cov)
        return known + float(shares[young].sum()) * mix_vol if len(young) else known

    if mix is not None and len(opt) and not _MIN_CREDIBLE_VOL < mix_vol <= MAX_CREDIBLE_VOL:
        reasons.append(f"volatility of the mix {mix_vol:.4g} a year is not credible")
        mix = None
    if mix is not None:
        # Step 2: gross. With no estimate at all (everything young) there is no volatility scaling.
        gross = min(gross_cap, target / mix_vol) if len(opt) else min(gross_cap, 1.0)
        shares = sizing.apply_bounds(
            gross * mix,
            min_weight=min_weight,
            max_weight=max_weight,
            gross_cap=gross_cap,
            max_vol=vol_clamp[1],
            volatility=volatility,
        )
        shares = sizing.hold_volatility(shares, min_weight=min_weight, max_vol=vol_clamp[1], volatility=volatility)
        limit_vol: float = vol_clamp[1]
    else:
        shares, used = _previous(previous, names, gross_cap, max_weight)
        if used == "cash":
            reasons.append("no previous target")
        gross = float(shares.sum())
        # The estimate was found unusable; it may not veto the target it is replaced by.
        limit_vol = np.inf

    # Step 4: crisis scale, then caps into cash.
    target_shares = np.where(shares > sizing.SNAP, shares, 0.0)
    cap_array = _caps(caps, names)
    scaled = np.minimum(target_shares * scale, cap_array)
    scaled = sizing.hold_volatility(scaled, min_weight=0.0, max_vol=limit_vol, volatility=volatility)
    # Step 5: band.
    final, kept, note = scaled, np.zeros(n, dtype=bool), ""
    if current is not None:
        held = _labelled(current, names, "current")
        banded = sizing.band_shares(
            scaled,
            held,
            band=band,
            gross=gross * scale,
            caps=np.minimum(cap_array, max_weight),
            max_vol=limit_vol,
            volatility=volatility,
        )
        final, kept, note = banded.shares, banded.kept, banded.note
        diagnostics["turnover"] = float(np.abs(final - held).sum())
    in_order = np.empty(n)
    in_order[order] = final
    weights = pd.Series(in_order, index=_as_text(daily_returns.columns), name="weight")
    diagnostics.update(
        method_used=used,
        reason="; ".join(reasons),
        n_weeks=len(window.weeks),
        window=[window.weeks[0], window.weeks[-1]] if window.weeks else [],
        weeks_by_portfolio=dict(zip(names, window.counts, strict=True)),
        young=[names[i] for i in window.young],
        constant=[names[i] for i in window.constant],
        mean={names[i]: float(m) for i, m in zip(opt, moments.mean, strict=True)} if moments else {},
        mix={} if mix is None else {k: float(v) for k, v in zip(names, mix, strict=True)},
        mix_vol=_number(mix_vol),
        gross=float(gross),
        target={k: float(v) for k, v in zip(names, target_shares, strict=True)},
        expected_vol=_number(volatility(final)),
        shrinkage=None if cov is None else float(cov.shrinkage),
        winsorised=[dataclasses.asdict(cell) for cell in window.clipped],
        kept_by_band=[name for name, keep in zip(names, kept, strict=True) if keep],
        band_note=note,
        cash=float(1.0 - final.sum()),
        **_shape(cov),
    )
    return Allocation(weights, diagnostics)


def _check_settings(
    n: int,
    min_weight: float,
    max_weight: float,
    gross_cap: float,
    target_vol: float,
    risk_free: float,
    scale: float,
    band: float,
    max_weeks: int,
    vol_clamp: tuple[float, float],
) -> None:
    """Refuse settings that contradict each other."""
    for name, value in (
        ("target_vol", target_vol),
        ("risk_free", risk_free),
        ("gross_cap", gross_cap),
        ("scale", scale),
    ):
        if not np.isfinite(value):
            raise SettingsError(f"{name} must be a finite number, not {value}")
    if not 0.0 <= min_weight <= max_weight:
        raise SettingsError(f"MIN_ALLOCATION {min_weight:g} and MAX_ALLOCATION {max_weight:g}: need 0 <= MIN <= MAX")
    if not gross_cap > 0.0:
        raise SettingsError(f"gross cap {gross_cap:g} must be positive")
    if n * min_weight > gross_cap + 1e-12:
        raise SettingsError(
            f"{n} portfolios x MIN_ALLOCATION {min_weight:g} = {n * min_weight:g} is above the gross cap {gross_cap:g}",
            hint=f"set MIN_ALLOCATION to at most {gross_cap / n:.4g}",
        )
    if not 0.0 <= scale <= 1.0:
        raise SettingsError(f"exposure scale {scale:g} must lie between 0 and 1")
    if not risk_free > -1.0:
        raise SettingsError(f"risk_free {risk_free:g} is an annual rate as a fraction, above -1")
    if not target_vol > 0.0 or not 0.0 < vol_clamp[0] <= vol_clamp[1]:
        raise SettingsError(f"target_vol {target_vol:g} and its clamp {vol_clamp} must be positive and ordered")
    if not band >= 0.0:
        raise SettingsError(f"band {band:g} must not be negative")
    if max_weeks < MIN_WEEKS:
        raise SettingsError(f"max_weeks {max_weeks} is below the {MIN_WEEKS} weeks an estimate needs")


def _window(daily: DailyReturns, week_ends: Iterable[Any] | None, max_weeks: int) -> _Window:
    """Choose the weeks and the portfolios to optimise."""
    weekly = compound_weeks(daily, week_ends)
    ends, values = weekly.week_ends[-max_weeks:], weekly.values[-max_weeks:]
    present = ~np.isnan(values)
    counts = present.sum(axis=0)
    unvarying = _constant(values, present)
    young = [int(i) for i in np.flatnonzero(counts < MIN_WEEKS)]
    constant = [int(i) for i in np.flatnonzero((counts >= MIN_WEEKS) & unvarying)]
    matrix, clipped = clip_outliers(values)
    optimised = [int(i) for i in np.flatnonzero((counts >= MIN_WEEKS) & ~unvarying)]
    while optimised:
        complete = present[:, optimised].all(axis=1)
        if complete.sum() >= MIN_WEEKS:
            common = matrix[complete][:, optimised]
            flags = _constant(common, np.ones_like(common, dtype=bool))
            if not flags.any():
                break
            constant += [i for i, flag in zip(optimised, flags, strict=True) if flag]
            optimised = [i for i, flag in zip(optimised, flags, strict=True) if not flag]
            continue
        # Too few common weeks: the portfolio with the shortest record waits with the young ones.
        shortest = min(optimised, key=lambda i: (counts[i], -i))
        optimised.remove(shortest)
        young.append(shortest)
    rows = present[:, optimised].all(axis=1) if optimised else np.zeros(len(ends), dtype=bool)
    cells = tuple(
        ClippedCell(daily.names[column], day_text(ends[row]), before, after)
        for row, column, before, after in clipped
        if column in optimised
    )
    return _Window(
        counts=tuple(counts.tolist()),
        optimised=tuple(optimised),
        young=tuple(sorted(young)),
        constant=tuple(sorted(constant)),
        weeks=tuple(ends[rows].astype("datetime64[D]").astype(str).tolist()),
        cleaned=matrix[rows][:, optimised],
        clipped=cells,
    )


def _constant(values: FloatArray, present: BoolArray) -> BoolArray:
    """Columns whose valid values do not vary beyond rounding; true for a column without any."""
    n = np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, values, 0.0)
    centred = np.where(present, values - filled.sum(axis=0) / n, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / n)
    size = np.maximum(np.abs(filled).max(axis=0, initial=0.0), 1e-300)
    result: BoolArray = deviation <= 1e-12 * size
    return result


def _covariance(window: _Window, shrink: Shrinkage, ddof: int) -> Covariance | None:
    return estimate(window.cleaned, shrink, ddof=ddof) if window.optimised else None


def _moments(
    window: _Window, cov: Covariance | None, risk_free: float, lower: float, upper: float
) -> methods.Moments | None:
    if cov is None:
        return None
    return methods.Moments(window.cleaned, window.cleaned.mean(axis=0), cov.matrix, risk_free, lower, upper)


def _mix(
    window: _Window, moments: methods.Moments | None, chosen: methods.Method, name: str, n: int
) -> tuple[FloatArray | None, str, list[str]]:
    """Step 1: the mix over all portfolios (sum 1), the method that made it, and why others did not."""
    reasons: list[str] = []
    mix = np.zeros(n)
    mix[list(window.young)] = 1.0 / n
    if moments is None:
        if window.young:
            # Nobody can be optimised; constant portfolios leave their share to the young ones.
            return mix / mix.sum(), "equal", ["no portfolio has enough weeks"]
        return None, name, ["no portfolio's returns vary"]
    rest = 1.0 - len(window.young) / n
    chain = (
        [(name, chosen)]
        if name == "min_variance"
        else [(name, chosen), ("min_variance", methods.METHODS["min_variance"])]
    )
    for label, function in chain:
        try:
            part = function(moments)
        except (NoSolution, np.linalg.LinAlgError, RuntimeError) as error:
            reasons.append(f"{label}: {error}")
            continue
        if not np.isfinite(part).all() or part.sum() <= 0.0:
            reasons.append(f"{label}: weights are not finite")
            continue
        mix[list(window.optimised)] = rest * part
        return mix, label, reasons
    return None, name, reasons


def _annual_vol(shares: FloatArray, cov: Covariance | None) -> float:
    if cov is None:
        return float("nan")
    return float(np.sqrt(max(float(shares @ cov.matrix @ shares), 0.0) * WEEKS_PER_YEAR))


def _previous(
    previous: pd.Series | None, names: list[str], gross_cap: float, max_weight: float
) -> tuple[FloatArray, str]:
    """Previous target as it stood, within today's limits; cash when there is none."""
    if previous is None:
        return np.zeros(len(names)), "cash"
    shares = np.minimum(_labelled(previous, names, "previous"), max_weight)
    total = float(shares.sum())
    if total <= 0.0:
        return np.zeros(len(names)), "cash"
    return (shares if total <= gross_cap else shares * (gross_cap / total)), "previous"


def _labelled(shares: pd.Series | Mapping[str, float], names: list[str], what: str) -> FloatArray:
    """Shares in the order of the portfolios; a portfolio without one has 0."""
    given = {str(name): float(share) for name, share in shares.items()}
    values = np.array([given.get(name, 0.0) for name in names], dtype=np.float64)
    values[np.isnan(values)] = 0.0
    if not np.isfinite(values).all() or (values < 0.0).any():
        bad = names[int(np.argmax(~np.isfinite(values) | (values < 0.0)))]
        raise AllocationError(f"{what} share of {bad} must be a finite number of at least 0")
    return values


def _caps(caps: Mapping[str, float] | pd.Series | None, names: list[str]) -> FloatArray:
    given = {} if caps is None else {str(key): float(value) for key, value in caps.items()}
    return np.array([given.get(name, np.inf) for name in names], dtype=np.float64)


def _shape(cov: Covariance | None) -> dict[str, Any]:
    """Condition number, effective rank and largest correlation of the covariance."""
    if cov is None:
        return {"condition_number": None, "effective_rank": None, "max_correlation": None}
    eigenvalues = np.linalg.eigvalsh(cov.matrix)
    share = np.clip(eigenvalues, 1e-300, None) / max(float(eigenvalues.sum()), 1e-300)
    deviation = np.sqrt(np.diag(cov.matrix))
    correlation = cov.matrix / np.outer(deviation, deviation)
    off = correlation[~np.eye(len(deviation), dtype=bool)]
    return {
        "condition_number": _number(float(eigenvalues[-1] / eigenvalues[0])) if eigenvalues[0] > 0.0 else None,
        "effective_rank": float(np.exp(-(share * np.log(share)).sum())),
        "max_correlation": float(off.max()) if off.size else None,
    }


def _as_text(columns: pd.Index) -> pd.Index:
    """Column labels as text; labels that are text already stay the same object, which costs nothing."""
    return columns if isinstance(columns.dtype, pd.StringDtype) else columns.map(str)


def _number(value: float) -> float | None:
    """Return the value, or None where it is undefined (JSON has no NaN)."""
    return float(value) if np.isfinite(value) else None
