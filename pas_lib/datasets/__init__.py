"""The catalogue: one module per dataset, found by looking into this folder.

Adding a dataset means adding a module with a ``DATASET`` here (and a parser in :mod:`pas_lib.sources` where the site is
new). Nothing else is touched.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache
from types import MappingProxyType

from pas_lib.datasets.base import TIMESTAMP, Column, Dataset, Named, Rule, due, raw_ddl
from pas_lib.errors import UnknownName

__all__ = ["TIMESTAMP", "Column", "Dataset", "Named", "Rule", "catalogue", "dataset", "due", "leaders", "raw_ddl"]


@lru_cache(maxsize=1)
def catalogue() -> MappingProxyType[str, Dataset]:
    """Return every dataset by name, sorted by name."""
    found: dict[str, Dataset] = {}
    for module in pkgutil.iter_modules(__path__):
        entry = getattr(importlib.import_module(f"{__name__}.{module.name}"), "DATASET", None)
        if isinstance(entry, Dataset):
            found[entry.name] = entry
    return MappingProxyType(dict(sorted(found.items())))


def leaders() -> tuple[Dataset, ...]:
    """Return the datasets that are collected by a task of their own; the others come with one of these."""
    return tuple(entry for entry in catalogue().values() if entry.leader is None)


def dataset(name: str) -> Dataset:
    """Return a dataset by name.

    Raises
    ------
    UnknownName
        If there is none, with the nearest names.
    """
    try:
        return catalogue()[name]
    except KeyError:
        raise UnknownName("dataset", name, catalogue()) from None
