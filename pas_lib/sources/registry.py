"""Finds the site modules of this folder."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from pas_lib.errors import SettingsError, UnknownName
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
    """Return the sources a dataset is collected from: all usable ones or the first, or what PAS_DATASET_SOURCES names.

    Where none of them is usable, the official ones are collected from. A source is usable when PAS_SOURCES includes it
    and the key it needs is set. A follower's are its leader's.

    Raises
    ------
    SettingsError
        If PAS_DATASET_SOURCES names a source that the dataset does not have, or that cannot be used.
    """
    chosen = settings.dataset_sources.get(dataset.name, ())
    if not chosen and dataset.leader:
        chosen = tuple(n for n in settings.dataset_sources.get(dataset.leader, ()) if n in dataset.sources)
    if chosen:
        return [_chosen(name, dataset, settings) for name in chosen]
    usable = [entry for entry in map(source, dataset.sources) if not _obstacle(entry, settings)]
    if not usable:
        return [entry for entry in map(source, dataset.official) if not _obstacle(entry, settings)]
    return usable if dataset.all_sources else usable[:1]


def read_sources(settings: Settings) -> dict[str, list[str]]:
    """Return per dataset the names of the sources whose rows count: those it is collected from.

    Rows of other sources may lie beside them in the same table; the models leave them out, so that nothing counts
    twice. A dataset without a usable source is not named: whatever is there is read.
    """
    from pas_lib.datasets import catalogue

    named = {name: [entry.name for entry in usable_sources(dataset, settings)] for name, dataset in catalogue().items()}
    return {name: sources for name, sources in named.items() if sources}


def _obstacle(entry: Source, settings: Settings) -> str:
    """Return why a source cannot be used, or nothing."""
    if settings.sources not in entry.profiles:
        return f"it is not part of PAS_SOURCES={settings.sources}"
    if settings.sources != "sandbox" and entry.key_setting is not None and not getattr(settings, entry.key_setting):
        return f"{entry.key_setting.upper()} is not set"
    return ""


def _chosen(name: str, dataset: Dataset, settings: Settings) -> Source:
    if name not in (*dataset.sources, *dataset.official):
        known = ", ".join((*dataset.sources, *dataset.official))
        raise SettingsError(f"PAS_DATASET_SOURCES: {name!r} is no source of {dataset.name}", hint=f"known: {known}")
    entry = source(name)
    obstacle = _obstacle(entry, settings)
    if obstacle:
        raise SettingsError(f"PAS_DATASET_SOURCES: {name} cannot be used for {dataset.name}: {obstacle}")
    return entry
