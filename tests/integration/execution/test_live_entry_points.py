"""Every way to start an execution, and every way to approve one: no path trades live around the conditions."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from pas_lib.clock import session_close
from pas_lib.execution import AlpacaGateway, ExecutionReport, approve, execute, standing
from pas_lib.stack.airflow_rest import Run, Task
from pas_lib.stack.engine import AirflowEngine, DirectEngine
from pas_lib.stack.errors import StepFailed
from pas_lib.stack.progress import Progress
from tests.integration.execution.test_execution_live import D, E, Live

ADMIN = "admin-token-of-this-test-long-enough-to-be-strong"
READ = "read-token-of-this-test-long-enough-to-be-strong"


class Doors:
    """The entry points, all reading the settings of a live account whose broker is the stage's."""

    def __init__(self, stage: Any, monkeypatch: pytest.MonkeyPatch, **change: Any) -> None:
        import pas_approval
        import pas_operators

        self.stage = stage
        self.live = Live(stage, **change)
        self.settings = self.live.settings.model_copy(
            update={
                "api_token": SecretStr(ADMIN),
                "api_read_token": SecretStr(READ),
            }
        )
        here = pas_operators.Runtime(self.settings, stage.clock, stage.warehouse)
        monkeypatch.setattr(AlpacaGateway, "from_settings", classmethod(lambda *_, **__: self.live.gateway()))
        monkeypatch.setattr(pas_operators, "runtime", lambda: here)
        monkeypatch.setattr(pas_approval, "runtime", lambda: here)
        monkeypatch.setattr("pas_lib.cli.common.load_settings", lambda: self.settings)
        monkeypatch.setattr("pas_lib.cli.common.clock_for", lambda _: stage.clock)

    # -- execution
    def function(self) -> ExecutionReport:
        return execute(D, self.settings, self.stage.clock, self.stage.warehouse)

    def command_line(self) -> None:
        _succeed("execute", "--as-of", D.isoformat())

    def airflow_operator(self) -> None:
        from pas_operators import ExecuteOperator

        ExecuteOperator(task_id="execute").execute({"partition_key": D.isoformat()})  # type: ignore[arg-type]

    def direct_run(self) -> None:
        engine = DirectEngine(
            self.settings, self.stage.clock, self.stage.warehouse, Progress(), sleep=lambda _: self.while_it_waits()
        )
        done: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            # What follows the execution is no part of this test; the package names a function like its module.
            patch.setattr(importlib.import_module("pas_lib.pipeline.evaluate"), "evaluate", lambda *_, **__: None)
            engine.next_day(D, done.append)

    def while_it_waits(self) -> None:
        """What happens while a run waits for a person; by default the session goes by."""
        self.stage.clock.at = session_close(E)

    # -- approval
    def by_function(self, *, refuse: bool = False) -> None:
        approve(D, self.stage.warehouse, self.stage.clock, who="ann", plan_hash=self.plan_hash, refuse=refuse)

    def by_command_line(self, *, refuse: bool = False) -> None:
        more = ["--refuse"] if refuse else []
        _succeed("approve", "--as-of", D.isoformat(), "--plan", self.plan_hash, "--by", "ann", *more)

    def by_api(self, *, refuse: bool = False) -> None:
        from api.factory import create_app

        app = create_app(self.settings, clock=self.stage.clock, market_clock=self.stage.clock)
        body = {"session": D.isoformat(), "plan_hash": self.plan_hash, "by": "ann"}
        body["decision"] = "refused" if refuse else "approved"
        with TestClient(app, headers={"Authorization": ADMIN}) as client:
            assert client.post("/approvals", json=body).status_code == 201

    def by_airflow(self, *, refuse: bool = False) -> None:
        from airflow.sdk.exceptions import TaskAwaitingInput
        from pas_approval import ApprovePlanOperator

        kept: dict[str, Any] = {}
        ti = SimpleNamespace(
            id="00000000-0000-0000-0000-000000000000",
            xcom_push=lambda key, value: kept.update({key: value}),
            xcom_pull=lambda task_ids, key: kept.get(key),
        )
        context: Any = {"partition_key": D.isoformat(), "ti": ti, "task_instance": ti}
        shown: dict[str, Any] = {}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **told: shown.update(told)
            )
            with pytest.raises(TaskAwaitingInput) as waits:
                ApprovePlanOperator(task_id="approve").execute(context)
        assert waits.value.method_name == "execute_complete"
        assert self.plan_hash[:12] in shown["subject"]
        assert "| 1 | alpha | buy | AAA |" in shown["body"].replace("| 2 |", "| 1 |")
        assert self.rows() == self._before  # showing the plan approves nothing
        answer = {
            "chosen_options": ["Refuse" if refuse else "Approve"],
            "params_input": {"note": "looked at"},
            "responded_at": self.stage.clock.now(),
            "responded_by_user": {"id": "7", "name": "ann"},
        }
        ApprovePlanOperator(task_id="approve").execute_complete(context, answer)

    # -- what became of it
    @property
    def plan_hash(self) -> str:
        return str(self.stage.rows("select plan_hash from ops.order_plans")[0]["plan_hash"])

    def rows(self) -> int:
        return int(self.stage.rows("select count(*) as n from ops.approvals")[0]["n"])

    def decide(self) -> None:
        self.live.decide()
        self._before = self.rows()


def _succeed(*words: str) -> None:
    from pas_lib.cli.app import run

    if run(words) != 0:
        raise RuntimeError(f"pas {words[0]} failed")


DOORS: tuple[Callable[[Doors], None], ...] = (
    Doors.function,
    Doors.command_line,
    Doors.airflow_operator,
    Doors.direct_run,
)
PENS: tuple[Callable[..., None], ...] = (Doors.by_function, Doors.by_command_line, Doors.by_api, Doors.by_airflow)


@pytest.mark.parametrize("door", DOORS, ids=lambda f: f.__name__)
def test_no_entry_point_trades_without_the_row(stage: Any, monkeypatch: pytest.MonkeyPatch, door: Any) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    stage.at_open()
    with pytest.raises(Exception, match="is not approved|failed"):
        door(doors)
    stage.at_open()
    doors.by_function(refuse=True)
    if door is Doors.direct_run:
        with pytest.raises(StepFailed, match="^execute failed: plan .* was refused by ann: nothing is sent$"):
            door(doors)
    else:
        door(doors)  # no failure: what follows is evaluated
    assert stage.broker_orders() == []
    assert stage.rows("select count(*) as n from ops.orders where sent_at is not null") == [{"n": 0}]


@pytest.mark.parametrize("pen", PENS, ids=lambda f: f.__name__)
def test_every_pen_writes_the_same_row_and_the_last_word_counts(
    stage: Any, monkeypatch: pytest.MonkeyPatch, pen: Any
) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    pen(doors)
    (row,) = stage.rows("select plan_hash, decision, decided_by, expires_at from ops.approvals")
    assert (row["plan_hash"], row["decision"]) == (doors.plan_hash, "approved")
    assert row["decided_by"].removesuffix(" (Airflow)") == "ann"
    assert stage.broker_orders() == []  # writing sends nothing
    stage.at_open()
    doors.function()
    assert len(stage.broker_orders()) == 1


@pytest.mark.parametrize("pen", PENS, ids=lambda f: f.__name__)
def test_every_pen_can_refuse(stage: Any, monkeypatch: pytest.MonkeyPatch, pen: Any) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    pen(doors, refuse=True)
    stage.at_open()
    report = doors.function()
    assert report.sent == 0
    assert [told for told in report.problems if "was refused by ann" in told]
    assert stage.broker_orders() == []
    assert stage.rows("select count(*) as n from ops.orders where sent_at is not null") == [{"n": 0}]


@pytest.mark.parametrize("door", DOORS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    "change", [{"allow_live": False}, {"live_account": "another"}, {"live_account": None}, {"broker": "paper"}]
)
def test_an_approval_alone_opens_nothing(
    stage: Any, monkeypatch: pytest.MonkeyPatch, door: Any, change: dict[str, Any]
) -> None:
    right = Doors(stage, monkeypatch)
    right.decide()
    right.by_function()
    stage.at_open()
    with pytest.raises(Exception, match="PAS_ALLOW_LIVE|PAS_LIVE_ACCOUNT|PAS_BROKER|failed"):
        door(Doors(stage, monkeypatch, **change))
    assert stage.broker_orders() == []


@pytest.mark.parametrize("door", DOORS, ids=lambda f: f.__name__)
def test_an_approved_plan_goes_out_once_through_any_of_them(
    stage: Any, monkeypatch: pytest.MonkeyPatch, door: Any
) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    doors.by_function()
    stage.at_open()
    door(doors)
    door(doors)
    assert len(stage.broker_orders()) == 1


@pytest.mark.parametrize("pen", PENS, ids=lambda f: f.__name__)
def test_a_run_waits_for_a_person_and_goes_on_whichever_pen_was_used(
    stage: Any, monkeypatch: pytest.MonkeyPatch, pen: Any
) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    stage.at_open()
    looks: list[int] = []

    def later() -> None:
        looks.append(len(stage.broker_orders()))
        if len(looks) == 3:
            pen(doors)

    monkeypatch.setattr(doors, "while_it_waits", later)
    doors.direct_run()
    assert looks == [0, 0, 0]
    assert len(stage.broker_orders()) == 1


@pytest.mark.parametrize("pen", [Doors.by_api, Doors.by_airflow], ids=lambda f: f.__name__)
def test_a_refusal_ends_a_waiting_run_with_one_line_and_no_order(
    stage: Any, monkeypatch: pytest.MonkeyPatch, pen: Any
) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    stage.at_open()
    monkeypatch.setattr(doors, "while_it_waits", lambda: pen(doors, refuse=True))
    with pytest.raises(StepFailed) as end:
        doors.direct_run()
    told = str(end.value)
    assert told.startswith(f"execute failed: plan {doors.plan_hash[:12]} of session {D} was refused by ann")
    assert "\n" not in told
    assert stage.broker_orders() == []


def test_a_plan_that_nobody_approves_expires_with_one_line_and_no_order(
    stage: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = Doors(stage, monkeypatch)
    doors.decide()
    stage.at_open()
    with pytest.raises(StepFailed, match=f"approved by nobody until the close of {E}: nothing is sent"):
        doors.direct_run()
    assert stage.broker_orders() == []


def test_an_answer_given_elsewhere_settles_the_question_in_airflow(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers in Airflow until the time is over: a success when it was approved elsewhere, else one line."""
    from airflow.sdk.exceptions import AirflowFailException
    from pas_approval import ApprovePlanOperator

    doors = Doors(stage, monkeypatch)
    doors.decide()
    context: Any = {"partition_key": D.isoformat(), "ti": None}
    late = {"error": "timeout", "error_type": "timeout"}
    with pytest.raises(AirflowFailException, match=f"nobody has approved the plan of {D} in time: nothing is sent"):
        ApprovePlanOperator(task_id="approve").execute_complete(context, late)
    doors.by_command_line()
    done = ApprovePlanOperator(task_id="approve").execute_complete(context, late)
    assert done == {"plan_hash": doors.plan_hash, "decision": "approved"}
    assert doors.rows() == 1


class Airflow:
    """Answers what Airflow would: ``decide`` waits for its approval until somebody answers there."""

    def __init__(self, doors: Doors, *, answered_after: int | None = None, word: str = "success") -> None:
        self.doors, self.answered_after, self.word = doors, answered_after, word
        self.looks = 0

    def runs_of(self, step: str, session: Any) -> list[Run]:
        return [Run(step, f"{step}-{session}", "running")] if step != "collect" and self.looks else []

    def dags(self) -> dict[str, bool]:
        return {}

    def trigger(self, step: str, session: Any) -> Run:
        self.looks += 1
        return Run(step, f"{step}-{session}", "running")

    def run(self, dag_id: str, run_id: str) -> Run:
        if dag_id != "decide":
            return Run(dag_id, run_id, "success")
        self.looks += 1
        self.doors.while_it_waits()
        is_over = self.answered_after is not None and self.looks > self.answered_after
        return Run(dag_id, run_id, self.word if is_over else "running")

    def tasks(self, run: Run) -> list[Task]:
        if run.dag_id != "decide":
            return [Task(run.dag_id, "success", 1)]
        is_over = self.answered_after is not None and self.looks > self.answered_after
        return [Task("decide", "success", 1), Task("approve", self.word if is_over else "awaiting_input", 1)]


def airflow_engine(doors: Doors, tmp_path: Any, airflow: Airflow) -> AirflowEngine:
    return AirflowEngine(
        airflow, tmp_path, Progress(), lambda: None,  # type: ignore[arg-type]
        lambda day: standing(day, doors.settings, doors.stage.warehouse, doors.stage.clock),
    )  # fmt: skip


def airflow_evening(doors: Doors, tmp_path: Any, airflow: Airflow) -> list[str]:
    done: list[str] = []
    airflow_engine(doors, tmp_path, airflow).evening(D, done.append)
    return done


@pytest.mark.parametrize("pen", [Doors.by_command_line, Doors.by_api], ids=lambda f: f.__name__)
def test_a_run_over_airflow_goes_on_when_the_plan_is_approved_elsewhere(
    stage: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, pen: Any
) -> None:
    monkeypatch.setattr("pas_lib.stack.engine._POLL", 0.0)
    doors = Doors(stage, monkeypatch)
    doors.decide()
    airflow = Airflow(doors)
    monkeypatch.setattr(doors, "while_it_waits", lambda: pen(doors) if airflow.looks == 4 else None)
    assert airflow_evening(doors, tmp_path, airflow) == ["collect", "transform", "decide"]
    assert airflow.looks == 4
    assert stage.broker_orders() == []


def test_a_run_over_airflow_ends_with_a_refusal_given_there_after_its_evaluation(
    stage: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("pas_lib.stack.engine._POLL", 0.0)
    doors = Doors(stage, monkeypatch)
    doors.decide()
    airflow = Airflow(doors, answered_after=3)
    monkeypatch.setattr(doors, "while_it_waits", lambda: doors.by_airflow(refuse=True) if airflow.looks == 3 else None)
    assert airflow_evening(doors, tmp_path, airflow) == ["collect", "transform", "decide"]
    done: list[str] = []
    with pytest.raises(StepFailed, match=r"^execute failed: plan \w+ of session \S+ was refused by ann \(Airflow\)"):
        airflow_engine(doors, tmp_path, Airflow(doors)).next_day(D, done.append)
    assert done == ["execute", "evaluate"]
    assert stage.broker_orders() == []


def test_a_run_over_airflow_ends_when_nobody_answers_in_time_after_its_evaluation(
    stage: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("pas_lib.stack.engine._POLL", 0.0)
    doors = Doors(stage, monkeypatch)
    doors.decide()
    assert airflow_evening(doors, tmp_path, Airflow(doors)) == ["collect", "transform", "decide"]
    done: list[str] = []
    with pytest.raises(StepFailed, match=f"^execute failed: plan .* approved by nobody until the close of {E}"):
        airflow_engine(doors, tmp_path, Airflow(doors)).next_day(D, done.append)
    assert done == ["execute", "evaluate"]
    assert stage.broker_orders() == []


def test_the_address_must_be_the_live_one_whatever_else_agrees(stage: Any) -> None:
    live = Live(stage)
    live.decide()
    approve(D, stage.warehouse, stage.clock, who="ann")
    stage.at_open()
    settings = live.settings.model_copy(
        update={
            "alpaca_api_key": SecretStr("AKTEST"),
            "alpaca_api_secret": SecretStr("secret"),
            "alpaca_base_url": f"{stage.url}/alpaca",
        }
    )
    with pytest.raises(Exception, match="ALPACA_BASE_URL|address|https"):
        execute(D, settings, stage.clock, stage.warehouse)
    assert stage.broker_orders() == []


def test_only_live_asks_a_person(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import pas_approval
    from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
    from pas_approval import ApprovePlanOperator, person

    context: Any = {"partition_key": D.isoformat(), "ti": None, "task_instance": None}
    here = SimpleNamespace(settings=stage.settings, clock=stage.clock, warehouse=stage.warehouse)
    monkeypatch.setattr(pas_approval, "runtime", lambda: here)
    with pytest.raises(AirflowSkipException, match="no approval is needed"):
        ApprovePlanOperator(task_id="approve").execute(context)
    doors = Doors(stage, monkeypatch)
    with pytest.raises(AirflowSkipException, match="there is no plan"):
        ApprovePlanOperator(task_id="approve").execute(context)
    doors.decide()
    doors.by_function()
    with pytest.raises(AirflowSkipException, match="approved already"):
        ApprovePlanOperator(task_id="approve").execute(context)
    stage.warehouse.execute("delete from ops.approvals")
    stage.at_evening(D.replace(month=2, day=2))
    with pytest.raises(AirflowFailException, match="expired at the close"):
        ApprovePlanOperator(task_id="approve").execute(context)
    with pytest.raises(AirflowFailException, match="nobody"):
        person(None)
