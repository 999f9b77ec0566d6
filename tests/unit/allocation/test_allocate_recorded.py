"""Recorded results: whatever is made faster, the shares stay what they were, to 1e-12.

The record was written by the earlier form over frames (`python -m tests.unit.allocation.test_allocate_recorded` writes
it anew from the code as it is: only for a change of results that is meant).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pas_lib.allocation import METHODS, Allocation, allocate

RECORD = Path(__file__).parent / "data" / "recorded_allocations.json"
CASES = 40


def case(number: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Returns with holes, outliers, young and unvarying portfolios, and options, all from one number."""
    rng = np.random.default_rng(number)

    def noise(*shape: int) -> np.ndarray:
        # Sums of uniform numbers: their stream is older and steadier than that of normal ones.
        return rng.random((12, *shape)).sum(axis=0) - 6.0

    n, days = 1 + number % 18, 40 + 9 * (number % 20)
    vol = (0.001, 0.01, 0.02, 0.06)[number % 4]
    values = np.clip(0.0004 + vol * (noise(days, n) + 0.6 * noise(days, 1)), -0.9, None)
    if number % 3 == 0:
        values[:, 0] = 0.0005
    if number % 4 == 1:
        values[: days - 12, -1] = np.nan
    if number % 5 == 2:
        values[rng.random((days, n)) < 0.01] = np.nan
    if number % 2:
        values[days // 2, n // 2] = 0.8
    frame = pd.DataFrame(values, pd.bdate_range("2025-01-06", periods=days), [f"p{i:02d}" for i in range(n)])
    options: dict[str, Any] = {
        "method": sorted(METHODS)[number % len(METHODS)],
        "min_weight": 0.3 / n if number % 3 else 0.0,
        "max_weight": 1.0 if number % 4 == 3 else 0.4,
        "scale": (1.0, 0.7)[number % 7 == 0],
        "shrink": ("covariance", "correlation", "none")[number % 3],
        "risk_free": 0.03 * (number % 2),
    }
    if number % 3:
        options["current"] = pd.Series(rng.random(n) / n, frame.columns)
    if number % 5:
        options["previous"] = pd.Series(rng.random(n) / n, frame.columns)
    if number % 6 == 4:
        options["caps"] = {"p00": 0.05}
    if number % 2:
        options["week_ends"] = [f"{day:%Y-%m-%d}" for day in pd.date_range("2025-01-10", periods=60, freq="W-FRI")]
    return frame, options


def said(result: Allocation) -> dict[str, Any]:
    """What of a result is recorded."""
    keys = ("method_used", "reason", "n_weeks", "window", "young", "constant", "target", "mix_vol", "expected_vol")
    more = ("winsorised", "kept_by_band", "shrinkage", "condition_number", "max_correlation")
    return {"weights": result.weights.to_dict(), **{key: result.diagnostics[key] for key in keys + more}}


def close(one: Any, other: Any) -> bool:
    """Equality, of floating point numbers to 1e-12."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-12, abs=1e-12)
    return bool(one == other)


def test_results_are_the_recorded_ones() -> None:
    record = json.loads(RECORD.read_text())
    assert len(record) == CASES
    used = set()
    for number, want in enumerate(record):
        frame, options = case(number)
        have = json.loads(json.dumps(said(allocate(frame, **options))))
        for key in want:
            # The condition number is a quotient with a small divisor; the rest is compared as it is.
            if key == "condition_number" and want[key] is not None:
                assert have[key] == pytest.approx(want[key], rel=1e-9), (number, key)
            else:
                assert close(have[key], want[key]), (number, key, have[key], want[key])
        used.add(have["method_used"])
    assert used == {*METHODS, "previous", "cash"}


if __name__ == "__main__":
    results = [said(allocate(frame, **options)) for frame, options in map(case, range(CASES))]
    RECORD.write_text("[\n" + ",\n".join(json.dumps(result) for result in results) + "\n]\n")
