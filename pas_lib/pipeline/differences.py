"""How two decisions differ, number by number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pas_lib.execution import StoredPlan
from pas_lib.pipeline.records import Decision

#: What a weight or a share may differ by, and, relative to their size, other numbers: sums in another order.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Difference:
    """One thing that was not recomputed as it was stored.

    Attributes
    ----------
    part
        ``weight`` (in the model of a portfolio), ``model return``, ``regime``, ``allocation``, ``share``, ``target``
        (a holding as a share of equity), ``history`` (the same in ``ops.weight_history``), ``cap``, ``order`` or
        ``decision``.
    name
        Which one: portfolio, session, symbol or series, as far as they apply.
    stored, recomputed
        Both values; None where there is none.
    """

    part: str
    name: str
    stored: float | str | None
    recomputed: float | str | None

    @property
    def change(self) -> float | None:
        """The second less the first; what is not there counts as 0. None when it is no number."""
        sides = (self.stored, self.recomputed)
        if any(isinstance(side, str) for side in sides):
            return None
        return float(self.recomputed or 0.0) - float(self.stored or 0.0)


Values = Mapping[str, float | str | None]


def compare(part: str, stored: Values, recomputed: Values, *, absolute: bool = False) -> Iterator[Difference]:
    """Yield what differs between two sides, by name; weights and shares absolutely, other numbers relatively."""
    for name in sorted(stored.keys() | recomputed.keys()):
        one, other = stored.get(name), recomputed.get(name)
        if not _same(one, other, absolute=absolute):
            yield Difference(part, name, one, other)


def _same(one: float | str | None, other: float | str | None, *, absolute: bool) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        if math.isnan(one) or math.isnan(other):
            return math.isnan(one) and math.isnan(other)
        scale = 1.0 if absolute else max(abs(one), abs(other), 1.0)
        return abs(one - other) <= TOLERANCE * scale
    return one == other


def head_of(one: Decision) -> dict[str, float | str | None]:
    """Return the numbers of a decision as a whole."""
    return {
        "method": one.method,
        "allocated at": one.allocated_at.isoformat(),
        "CCI": one.cci,
        "S": one.scale,
        "gross": one.gross,
        "expected volatility": one.expected_vol,
        "managed equity": one.managed_equity,
    }


def allocations_of(one: Decision) -> dict[str, float | str | None]:
    """Return each portfolio's allocation."""
    return {part.portfolio_id: part.allocation for part in one.portfolios}


def shares_of(one: Decision) -> dict[str, float | str | None]:
    """Return each portfolio's shares of equity, before and after, and whether it is due and trades."""
    out: dict[str, float | str | None] = {}
    for part in one.portfolios:
        out[part.portfolio_id] = part.share
        out[f"{part.portfolio_id} before"] = part.current
        out[f"{part.portfolio_id} due"] = str(part.is_due)
        out[f"{part.portfolio_id} trades"] = str(part.trades)
    return out


def targets_of(one: Decision) -> dict[str, float | str | None]:
    """Return what each trading portfolio shall hold, as shares of equity by symbol."""
    return {f"{part.portfolio_id} {symbol}": share for part in one.portfolios for symbol, share in part.weights.items()}


def limits_of(one: Decision) -> dict[str, float | str | None]:
    """Return what the caps cut, wanted and allowed."""
    out: dict[str, float | str | None] = {}
    for cap in one.caps:
        out[f"{cap.code} {cap.name} wanted"] = cap.before
        out[f"{cap.code} {cap.name} allowed"] = cap.after
    return out


def describe(differences: Sequence[Difference]) -> str:
    """Return differences as one line: how many, and the first."""
    first = differences[0]
    number = "1 number differs" if len(differences) == 1 else f"{len(differences)} numbers differ"
    return (
        f"{number} from what was stored, first {first.part} of {first.name}: {first.stored} stored, {first.recomputed}"
    )


def decision_differences(stored: Decision, now: Decision) -> Iterator[Difference]:
    """Yield everything in which two decisions of a session differ but their orders, in the order of the steps."""
    yield from compare("decision", head_of(stored), head_of(now))
    for part, pick in (("allocation", allocations_of), ("share", shares_of), ("target", targets_of)):
        yield from compare(part, pick(stored), pick(now), absolute=True)
    yield from compare("cap", limits_of(stored), limits_of(now))


def plan_differences(stored: StoredPlan | None, now: StoredPlan | None) -> Iterator[Difference]:
    """Yield the orders, crossings, moves of cash and refusals in which two plans differ; quantities as shares."""
    yield from compare("order", _orders(stored), _orders(now))


def _orders(plan: StoredPlan | None) -> Values:
    out: dict[str, float | str | None] = {}
    if plan is not None:
        for one in plan.intents:
            words = (one.portfolio_id, one.kind, *((one.side,) if one.side else ()), one.symbol)
            out[" ".join(words)] = float(one.qty)
        for refused in plan.refusals:
            out[f"{refused.portfolio_id} refused {refused.symbol}"] = str(refused.code)
    return out
