"""One module per site: what to ask, how to page, how to parse."""

from pas_lib.sources.base import Ask, Batch, Payload, Reject, Request, Source
from pas_lib.sources.registry import all_sources, source, usable_sources

__all__ = ["Ask", "Batch", "Payload", "Reject", "Request", "Source", "all_sources", "source", "usable_sources"]
