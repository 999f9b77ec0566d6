"""Which columns of a dataset explain a weight."""

from __future__ import annotations

from dataclasses import replace

import pytest

import pas_lib.datasets
from pas_lib.datasets import dataset
from pas_lib.errors import PasError
from pas_lib.pipeline.explain import lookup
from pas_lib.strategies import all_strategies


def test_every_dataset_a_strategy_reads_is_found() -> None:
    for one in all_strategies():
        for name in one.datasets:
            column, _, shown = lookup(name)
            columns = {each.name for each in dataset(name).columns}
            assert {column, *shown} <= columns | {"entity"}, name


def test_a_new_one_is_found_by_its_symbol(monkeypatch: pytest.MonkeyPatch) -> None:
    mentions = dataset("reddit_mentions")
    nameless = replace(mentions, columns=tuple(one for one in mentions.columns if one.name != "symbol"))
    news = {"toys": replace(mentions, name="toys"), "nameless": replace(nameless, name="nameless")}
    monkeypatch.setattr(pas_lib.datasets, "dataset", news.__getitem__)
    assert lookup("toys") == ("symbol", "event_date", ("forum", "symbol", "capture_date", "rank", "mentions"))
    with pytest.raises(PasError, match=r"which column of raw\.nameless names the company"):
        lookup("nameless")
