"""What a holding is worth once its bars have ended.

The rule: a name without bars is worth its last close until the portfolio trades next, and is sold then at that price:
the cash of a take-over is about what was traded last. Where something else is to be assumed (nothing is left: -1; the
usual -30 % of delistings for performance), the last close is cut by that return from the fifth session without a bar
on. That uses nothing that was not known by then; a name that trades again is worth its price again.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

#: Sessions without a bar after which a name counts as gone.
GONE_AFTER = 5


def write_off(close: pd.DataFrame, delisting_return: float, after: int = GONE_AFTER) -> pd.DataFrame:
    """Return closes in which names without bars are worth their last one, cut by a return.

    Parameters
    ----------
    close : DataFrame
        Sessions x symbols; NaN where there was no bar.
    delisting_return : float
        From -1 (nothing is left) to 0 (the last close is paid).
    after : int
        In which session without a bar the cut is taken.

    Returns
    -------
    DataFrame
        `close`, with values where a gap is at least `after` sessions long; shorter gaps, and what comes before a first
        bar, stay NaN.
    """
    values = close.to_numpy(dtype=np.float64)
    known = ~np.isnan(values)
    rows = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    gone = (rows - last >= after) & (last >= 0)
    carried = values[np.maximum(last, 0), np.arange(values.shape[1])]
    return pd.DataFrame(
        np.where(gone, carried * (1.0 + delisting_return), values), index=close.index, columns=close.columns
    )
