"""The one road by which a row enters: fetch, land, validate, quarantine, load."""

from pas_lib.ingest.parse import parse_file
from pas_lib.ingest.quarantine import QuarantineResult, replay_quarantined
from pas_lib.ingest.replay import ReplayResult, replay
from pas_lib.ingest.road import IngestResult, ingest, load_landed, load_refused

__all__ = [
    "IngestResult",
    "QuarantineResult",
    "ReplayResult",
    "ingest",
    "load_landed",
    "load_refused",
    "parse_file",
    "replay",
    "replay_quarantined",
]
