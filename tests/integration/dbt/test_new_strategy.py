"""A strategy is one model and one class: what is found without being named anywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from pas_lib.dbt import PROJECT_DIR, Dbt, DbtError, signal_models
from pas_lib.pipeline.model import run_model
from pas_lib.strategies import all_strategies, strategy, strategy_ids
from pas_lib.warehouse import Warehouse
from tests.support.marts import END, Built

MODEL = """
{{ signal_config('int_signal_first_letters', ['prices', 'corporate_actions', 'securities']) }}
-- The alphabet, from its end.
with candidates as (
    select
        bars.session,
        bars.security_id,
        bars.symbol,
        cast(ascii(bars.symbol) * 1000 + bars.close as double precision) as score
    from {{ ref('daily_returns') }} as bars
    inner join {{ ref('int_sessions') }} as sessions on bars.session = sessions.session
    where sessions.is_week_end
)

{{ ranked_signal('first_letters') }}
"""

CLASS = '''
"""Names from the end of the alphabet."""

from dataclasses import dataclass
from typing import ClassVar

from pas_lib.strategies.base import Cadence, EqualWeight


@dataclass(frozen=True)
class FirstLetters(EqualWeight):
    """The four last names of the alphabet, equal weight."""

    id: ClassVar[str] = "first_letters"
    name: ClassVar[str] = "First letters"
    rule: ClassVar[str] = "the four last names of the alphabet"
    cadence: ClassVar[Cadence] = Cadence.WEEKLY
    datasets: ClassVar[tuple[str, ...]] = ("prices",)
    tolerance: ClassVar[dict[str, float]] = {"prices": 3.0}
    lookback_days: ClassVar[int] = 7

    take: int = 4
'''


@pytest.fixture
def with_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project with a model and a class that no other file names; returns the dbt project."""
    import pas_lib.strategies as package

    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "models/intermediate/signals/int_signal_first_letters.sql").write_text(MODEL, encoding="utf-8")
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "zz_first_letters.py").write_text(CLASS, encoding="utf-8")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    all_strategies.cache_clear()
    yield project
    monkeypatch.undo()
    all_strategies.cache_clear()


def test_a_model_and_a_class_are_a_strategy_that_trades(
    with_one_more: Path, copy_of: Callable[[str], Warehouse], built: Built, tmp_path: Path
) -> None:
    warehouse = copy_of("dbt_built")
    dbt = Dbt(warehouse.url, tmp_path / "work", threads=2, project_dir=with_one_more)
    done = dbt.build(END, select=["int_signal_first_letters", "signals"])
    assert set(done.statuses.values()) <= {"success", "pass"}
    before = built.warehouse.rows("select strategy, count(*) as n from marts.signals group by strategy")
    after = warehouse.rows("select strategy, count(*) as n from marts.signals group by strategy")
    assert {row["strategy"] for row in after} - {row["strategy"] for row in before} == {"first_letters"}
    assert {r["strategy"]: r["n"] for r in after if r["strategy"] != "first_letters"} == {
        r["strategy"]: r["n"] for r in before
    }

    assert "first_letters" in strategy_ids()
    model = run_model(warehouse, END, cost_bps=10.0, recompute=True)
    friday = date(2025, 12, 26)
    held = next(item for item in model.weights["first_letters"] if item.session == friday)
    # the funds XLY, XLV, XLU, XLRE ... begin with the last letter; among them the dearest closes
    closes = warehouse.rows(
        "select symbol from marts.daily_returns where session = %s and symbol like 'X%%' order by close desc limit 4",
        (friday,),
    )
    assert dict(held.by_symbol()) == {row["symbol"]: 0.25 for row in closes}
    assert model.returns["first_letters"].dropna().abs().max() > 0


def test_dbt_says_what_to_do_when_it_is_not_told_the_models(built: Built, tmp_path: Path) -> None:
    class Bare(Dbt):
        def environment(self, as_of: date, part: str) -> dict[str, str]:
            return super().environment(as_of, part) | {"PAS_SIGNAL_MODELS": ""}

    with pytest.raises(DbtError, match="PAS_SIGNAL_MODELS is empty: run `pas build`"):
        Bare(built.dbt.url, tmp_path / "work", threads=1).build(END, select=["signals"])


def test_a_model_that_comes_later_is_read_without_parsing_the_project_anew(
    with_one_more: Path, built: Built, tmp_path: Path
) -> None:
    model = with_one_more / "models/intermediate/signals/int_signal_first_letters.sql"
    text = model.read_text(encoding="utf-8")
    model.unlink()
    assert "int_signal_first_letters" not in signal_models(with_one_more)
    dbt = Dbt(built.dbt.url, tmp_path / "work", project_dir=with_one_more)
    dbt.parse(END)
    model.write_text(text, encoding="utf-8")
    found = dbt.parse(END)
    manifest = (found.target_path / "manifest.json").read_text(encoding="utf-8")
    assert '"model.portfolio_allocation.int_signal_first_letters"' in manifest
    log = (found.target_path / "dbt.log").read_text(encoding="utf-8")
    assert log.count("Unable to do partial parsing") == 1  # the first one only
    needs = json.loads(manifest)["nodes"]["model.portfolio_allocation.signals"]["depends_on"]["nodes"]
    assert "model.portfolio_allocation.int_signal_first_letters" in needs


def test_every_signal_belongs_to_a_strategy_and_falls_on_its_rebalance_sessions(built: Built) -> None:
    rows = built.warehouse.rows("select distinct strategy, session from marts.signals")
    assert {row["strategy"] for row in rows} <= set(strategy_ids())
    wrong = [row for row in rows if not strategy(row["strategy"]).cadence.is_due(row["session"])]
    assert wrong == []
    assert len(rows) > 100
