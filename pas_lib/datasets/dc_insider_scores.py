"""How much Washington's insiders favour a company."""

from __future__ import annotations

from datetime import timedelta

from pas_lib.datasets.base import Column, Dataset, fetch_time

DATASET = Dataset(
    name="dc_insider_scores",
    doc="DC insider score per symbol, as QuiverQuant shows it; one capture per session.",
    columns=(
        Column("symbol", "text", "Canonical symbol."),
        Column("capture_date", "date", "Session of the capture."),
        Column("score", "double precision", "Score as shown; higher is more favoured.", required=True),
    ),
    # Where the page dates its scores, that is the event date, and a symbol may stand there with several dates.
    key=("symbol", "event_date", "capture_date"),
    known_at=fetch_time,
    known_at_doc="the fetch time: a date on the page does not say when it was put there",
    cadence="weekly",
    history="none",
    tolerance=timedelta(days=15),
    quiet=timedelta(days=15),
    moves_by="content",
    min_count_share=0.5,
    sources=("quiver_scores",),
)
