"""What every strategy shares: metadata, selection by rank, staleness, and the shape of its answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.errors import PayloadError

SIGNAL_COLUMNS = ("security_id", "symbol", "score", "rank")


class Cadence(StrEnum):
    """How often a strategy decides; it does so at the last session of the period."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"

    def is_due(self, session: date) -> bool:
        """Tell whether `session` is the last one of its period."""
        match self:
            case Cadence.DAILY:
                return True
            case Cadence.WEEKLY:
                return clock.is_week_end(session)
            case Cadence.MONTHLY:
                return clock.is_month_end(session)
            case Cadence.QUARTERLY:
                return clock.is_quarter_end(session)


@dataclass(frozen=True, slots=True)
class StrategyWeights:
    """Target weights of one strategy at one session.

    Attributes
    ----------
    strategy, session
        Whose weights, decided at which session.
    weights
        Shares of the portfolio, indexed by security_id; each in (0, 1], their sum at most 1. What is missing
        to 1 is cash.
    symbols
        security_id -> symbol as traded at that session.
    note
        One line that says why the weights are not the plain rule (too few names, old data); else empty.
    is_stale
        True when the data was older than tolerated and these are the previous weights.
    until
        security_id -> last day of the reason to hold it, where the rule has one.
    """

    strategy: str
    session: date
    weights: pd.Series
    symbols: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    is_stale: bool = False
    until: Mapping[str, date | None] = field(default_factory=dict)

    @property
    def cash(self) -> float:
        """Share of the portfolio that is not invested."""
        return 1.0 - float(self.weights.sum())

    def by_symbol(self) -> pd.Series:
        """Return the weights indexed by symbol, largest first, ties by symbol."""
        out = pd.Series(
            {self.symbols.get(str(key), str(key)): float(value) for key, value in self.weights.items()},
            dtype=float,
        )
        return out.sort_index().sort_values(ascending=False, kind="stable")


class MarketView(Protocol):
    """What a strategy may look at beside its signal; nothing later than the session's decision time."""

    @property
    def session(self) -> date:
        """The session that is decided."""
        ...

    def returns(self, security_ids: Sequence[str], sessions: int) -> pd.DataFrame:
        """Daily total returns, the last `sessions` sessions up to `session`; NaN where there was no bar."""
        ...

    def age_days(self, dataset: str) -> float | None:
        """Days from the newest row known to the decision time; None when nothing is known at all."""
        ...

    def previous(self, strategy_id: str) -> StrategyWeights | None:
        """Return the strategy's own stored weights of the rebalance session before, if any."""
        ...

    def history(self, strategy_id: str) -> Sequence[StrategyWeights]:
        """Return all of the strategy's own stored weights before this session, oldest first."""
        ...


class Strategy(ABC):
    """One strategy: metadata as class variables, `target_weights` as its only decision."""

    id: ClassVar[str]
    name: ClassVar[str]
    rule: ClassVar[str]
    cadence: ClassVar[Cadence]
    datasets: ClassVar[tuple[str, ...]]
    #: dataset -> days that its newest known row may be old before the weights are left as they are
    tolerance: ClassVar[Mapping[str, float]]
    #: how far back its signal looks, in days: the rows of that time explain a weight
    lookback_days: ClassVar[int]
    #: True when a score of zero or less is no reason to hold a name
    positive_only: ClassVar[bool] = False
    #: True when `review` is asked in the sessions between those at which it decides
    is_reviewed: ClassVar[bool] = False
    #: dataset -> SQL condition on its raw rows: those that its signal counts, where it does not count all
    counts: ClassVar[Mapping[str, str]] = {}

    #: how many names the rule takes; each has the same claim to the portfolio before weighing
    take: int

    @property
    def signal_model(self) -> str:
        """Name of the dbt model that makes the signal."""
        return f"int_signal_{self.id}"

    def target_weights(self, signals: pd.DataFrame, market: MarketView) -> StrategyWeights:
        """Turn the signal of one session into target weights.

        Parameters
        ----------
        signals
            Rows of ``marts.signals`` of this strategy and session: columns `security_id`, `symbol`, `score`,
            `rank` (1 is best).
        market
            The view of the market at that session.

        Returns
        -------
        StrategyWeights
            With fewer names than `take`, each keeps its full-basket share and the rest stays cash, with a
            note. With data older than `tolerance`, the previous weights stay, flagged (cash if there are
            none).

        Raises
        ------
        PayloadError
            When a column is missing, or a security occurs twice, or a score is not a number.
        """
        _check(signals, self.id, market.session)
        stale = self.stale_datasets(market)
        if stale:
            return self._keep_previous(market, stale)
        chosen = self.select(signals)
        weights = self.weigh(chosen, market)
        weights = labelled(*_positive(weights))
        symbols = self.names(chosen, market)
        return StrategyWeights(
            self.id,
            market.session,
            weights,
            {str(key): symbols[str(key)] for key in weights.index},
            self.remark(weights),
        )

    def review(self, market: MarketView) -> StrategyWeights | None:  # noqa: ARG002
        """Return new weights in a session at which the strategy does not decide; None where nothing changes."""
        return None

    def select(self, signals: pd.DataFrame) -> pd.DataFrame:
        """Return the best `take` rows by rank, ties by symbol."""
        return best(signals, self.take, floor=0.0 if self.positive_only else None)

    @abstractmethod
    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:
        """Return the weights of the chosen names, indexed by security_id, adding to at most 1."""

    def names(self, chosen: pd.DataFrame, market: MarketView) -> dict[str, str]:  # noqa: ARG002
        """Return security_id -> symbol of everything that may get a weight."""
        return dict(zip(map(str, chosen["security_id"]), map(str, chosen["symbol"]), strict=True))

    def remark(self, weights: pd.Series) -> str:
        """Return the note of weights that are not the plain rule: too few names; else nothing."""
        if len(weights) >= self.take:
            return ""
        return f"{len(weights)} of {self.take} names; {1.0 - float(weights.sum()):.1%} held in cash"

    def window_start(self, session: date) -> datetime:
        """Return the time from which on (itself excluded) a session's signal looks at rows, in UTC."""
        return clock.decision_time(session) - timedelta(days=self.lookback_days)

    def windows(self, session: date) -> tuple[tuple[datetime, datetime], ...]:
        """Return the stretches of time (first excluded, last included) of the rows a session's signal looks at."""
        return ((self.window_start(session), clock.decision_time(session)),)

    def stale_datasets(self, market: MarketView) -> dict[str, float | None]:
        """Return the datasets older than tolerated, with their age in days (None: nothing known)."""
        out: dict[str, float | None] = {}
        for dataset in self.datasets:
            age = market.age_days(dataset)
            if age is None or age > self.tolerance[dataset]:
                out[dataset] = age
        return out

    def _keep_previous(self, market: MarketView, stale: Mapping[str, float | None]) -> StrategyWeights:
        why = ", ".join(
            f"{name} is {age:.1f} days old (tolerance {self.tolerance[name]:g})"
            if age is not None
            else f"{name} has no rows"
            for name, age in sorted(stale.items())
        )
        before = market.previous(self.id)
        if before is None:
            return StrategyWeights(self.id, market.session, labelled([], []), {}, f"stale: {why}; cash", True)
        return StrategyWeights(
            self.id,
            market.session,
            before.weights,
            before.symbols,
            f"stale: {why}; previous weights stay",
            True,
            before.until,
        )


def best(signals: pd.DataFrame, number: int | None = None, *, floor: float | None = None) -> pd.DataFrame:
    """Return the first rows by rank, ties by symbol; of those with a score above the floor, where there is one."""
    rows = np.arange(len(signals)) if floor is None else np.flatnonzero(signals["score"].to_numpy(dtype=float) > floor)
    ranks, symbols = signals["rank"].to_numpy()[rows].tolist(), signals["symbol"].to_numpy()[rows].tolist()
    order = sorted(range(len(rows)), key=lambda i: (ranks[i], symbols[i]))
    return signals.iloc[rows[order[:number]]].reset_index(drop=True)


def labelled(security_ids: Sequence[str], weights: Sequence[float]) -> pd.Series:
    """Return weights indexed by security_id (plain Python texts: pandas' own text type is slow in small pieces)."""
    return pd.Series(list(weights), index=pd.Index(list(security_ids), dtype=object, name="security_id"), dtype=float)


def _positive(weights: pd.Series) -> tuple[list[str], list[float]]:
    pairs = [(str(key), float(value)) for key, value in weights.items() if value > 0.0]
    return [key for key, _ in pairs], [value for _, value in pairs]


class EqualWeight(Strategy):
    """A strategy whose names each get 1/take of the portfolio."""

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:  # noqa: ARG002
        """Give every chosen name 1/take."""
        return labelled([str(key) for key in chosen["security_id"]], [1.0 / self.take] * len(chosen))


class Proportional(Strategy):
    """A strategy whose names share the portfolio in proportion to their scores."""

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:  # noqa: ARG002
        """Give each name its part of the claim of all chosen ones, which is 1/take for each."""
        scores = chosen["score"].to_numpy(dtype=float)
        claim = len(scores) / self.take / float(scores.sum()) if len(scores) else 0.0
        return labelled([str(key) for key in chosen["security_id"]], (scores * claim).tolist())


def months_before(session: date, months: int) -> datetime:
    """Return the decision time of the same day some months before, of the month's last day where it is shorter."""
    number = session.year * 12 + session.month - 1 - months
    year, month = divmod(number, 12)
    day = date(year, month + 1, min(session.day, monthrange(year, month + 1)[1]))
    return datetime.combine(day, clock.DECISION_TIME, clock.NY).astimezone(UTC)


def due_sessions(cadence: Cadence, sessions: Iterable[date]) -> list[date]:
    """Return those of `sessions` at which a strategy of that cadence decides."""
    return [session for session in sessions if cadence.is_due(session)]


def _check(signals: pd.DataFrame, strategy_id: str, session: date) -> None:
    missing = [column for column in SIGNAL_COLUMNS if column not in signals.columns]
    if missing:
        raise PayloadError(f"signals of {strategy_id} at {session}: column '{missing[0]}' is missing")
    keys = signals["security_id"].tolist()
    if len(set(keys)) < len(keys):
        twice = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise PayloadError(f"signals of {strategy_id} at {session}: security '{twice}' occurs twice")
    if not np.isfinite(signals["score"].to_numpy(dtype=float)).all():
        raise PayloadError(f"signals of {strategy_id} at {session}: a score is not a finite number")
