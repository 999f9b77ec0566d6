"""The catalogue of strategies: every concrete class found in the modules of this package."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

from pas_lib.errors import PasError, UnknownName
from pas_lib.strategies.base import Strategy


@cache
def all_strategies() -> tuple[Strategy, ...]:
    """Return one instance of every strategy, ordered by id.

    Raises
    ------
    PasError
        When two classes carry the same id.
    """
    import pas_lib.strategies as package

    found: dict[str, Strategy] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ != module.__name__ or not issubclass(cls, Strategy) or inspect.isabstract(cls):
                continue
            if "id" not in cls.__dict__:
                continue
            if cls.id in found:
                other = type(found[cls.id]).__name__
                raise PasError(f"two strategies are called {cls.id!r}: {other} and {cls.__name__}")
            found[cls.id] = cls()
    return tuple(found[key] for key in sorted(found))


def strategy_ids() -> tuple[str, ...]:
    """Return the ids of all strategies, sorted."""
    return tuple(one.id for one in all_strategies())


def strategy(strategy_id: str) -> Strategy:
    """Return the strategy of that id.

    Raises
    ------
    UnknownName
        When there is none; the message suggests the nearest.
    """
    for one in all_strategies():
        if one.id == strategy_id:
            return one
    raise UnknownName("strategy", strategy_id, strategy_ids())
