"""Finds the site modules of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pas_lib.errors import UnknownName
from pas_lib.sources.base import Source

if TYPE_CHECKING:
    from pas_lib.datasets.base import Dataset
    from pas_lib.settings import Settings


@lru_cache(maxsize=1)
def all_sources() -> MappingProxyType[str, Source]:
    """Return every source by name."""
    package = __name__.rpartition(".")[0]
    found: dict[str, Source] = {}
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        entry = getattr(importlib.import_module(f"{package}.{module.name}"), "SOURCE", None)
        if entry is not None:
            found[entry.name] = entry
    return MappingProxyType(dict(sorted(found.items())))


def source(name: str) -> Source:
    """Return a source by name.

    Raises
    ------
    UnknownName
        If there is none.
    """
    try:
        return all_sources()[name]
    except KeyError:
        raise UnknownName("source", name, all_sources()) from None


def usable_sources(dataset: Dataset, settings: Settings) -> list[Source]:
    """Return the sources of a dataset that the settings allow, in order: all of them, or the first.

    A source is left out when PAS_SOURCES does not include it or the key it needs is not set.
    """
    found = [source(name) for name in dataset.sources]
    usable = [
        entry
        for entry in found
        if settings.sources in entry.profiles
        and (
            settings.sources == "sandbox"
            or entry.key_setting is None
            or getattr(settings, entry.key_setting) is not None
        )
    ]
    return usable if dataset.all_sources else usable[:1]
