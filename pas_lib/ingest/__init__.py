"""The one road by which a row enters: fetch, land, validate, quarantine, load."""

from pas_lib.ingest.parse import parse_file
from pas_lib.ingest.road import IngestResult, ingest, load_landed

__all__ = ["IngestResult", "ingest", "load_landed", "parse_file"]
