"""Search interest per symbol."""

from __future__ import annotations

from datetime import timedelta

from pas_lib.datasets.base import Column, Dataset, fetch_time

DATASET = Dataset(
    name="google_trends",
    doc="Trend score of Google searches per symbol, as QuiverQuant shows it; one capture per session.",
    columns=(
        Column("symbol", "text", "Canonical symbol."),
        Column("capture_date", "date", "Session of the capture."),
        Column("score", "double precision", "Trend score as shown; higher is more searched.", required=True),
    ),
    key=("symbol", "capture_date"),
    event_date="capture_date",
    known_at=fetch_time,
    known_at_doc="the fetch time: the page states none",
    cadence="weekly",
    history="none",
    tolerance=timedelta(days=15),
    quiet=timedelta(days=15),
    moves_by="content",
    min_count_share=0.5,
    sources=("quiver_scores",),
)
