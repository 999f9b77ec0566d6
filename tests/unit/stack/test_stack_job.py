"""Which session is next, and which of its steps are run, wherever an earlier job was cut off."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime
from importlib import import_module
from pathlib import Path

import pytest
from rich.console import Console

from pas_lib import clock as calendar
from pas_lib.clock import NY, FixedClock
from pas_lib.errors import GuardError
from pas_lib.settings import load_settings
from pas_lib.stack.airflow_rest import Run, Task
from pas_lib.stack.engine import AirflowEngine, DirectEngine
from pas_lib.stack.errors import StepFailed
from pas_lib.stack.job import run_session
from pas_lib.stack.progress import Progress
from pas_lib.stack.state import STEPS, SessionState
from pas_lib.stack.world import RealWorld, SandboxWorld, last_evening
from pas_lib.warehouse import Warehouse

FRIDAY, MONDAY, TUESDAY = date(2026, 1, 30), date(2026, 2, 2), date(2026, 2, 3)


class Sandbox:
    """A sandbox clock with the rules of the real one."""

    def __init__(self, now: datetime) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def advance(self, to: str) -> datetime:
        if to == "evening":
            day = calendar.session_on_or_before(self.at.astimezone(NY).date())
            self.at = next(
                calendar.collect_time(s)
                for s in calendar.sessions(day, date(2026, 12, 1))
                if calendar.collect_time(s) > self.at
            )
        else:
            moment = datetime.fromisoformat(to)
            assert moment >= self.at, "the clock never goes back"
            self.at = moment
        return self.at


class Engine:
    """Notes what it is asked for, and fails at one step if told to."""

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.ran: list[tuple[str, date]] = []

    def evening(self, session: date, finished: Callable[[str], None]) -> None:
        self._run(STEPS[:3], session, finished)

    def next_day(self, session: date, finished: Callable[[str], None]) -> None:
        self._run(STEPS[3:], session, finished)

    def _run(self, steps: tuple[str, ...], session: date, finished: Callable[[str], None]) -> None:
        for step in steps:
            if step == self.fails_at:
                raise StepFailed(step, "as told")
            self.ran.append((step, session))
            finished(step)


@pytest.fixture
def progress() -> Progress:
    return Progress(Console(file=io.StringIO()))


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(calendar.collect_time(FRIDAY))


def load(tmp_path: Path) -> SessionState:
    return SessionState.load(tmp_path / "session.json")


def test_sessions_follow_one_another_and_the_clock_moves_with_them(
    tmp_path: Path, progress: Progress, sandbox: Sandbox
) -> None:
    for session, following in ((FRIDAY, MONDAY), (MONDAY, TUESDAY)):
        engine = Engine()
        assert run_session(engine, SandboxWorld(sandbox), load(tmp_path), progress) == session  # type: ignore[arg-type]
        assert engine.ran == [(step, session) for step in STEPS]
        assert sandbox.at == calendar.session_open(following)


@pytest.mark.parametrize("step", STEPS)
def test_a_job_cut_off_at_any_step_ends_like_one_that_was_not(
    tmp_path: Path, progress: Progress, sandbox: Sandbox, step: str
) -> None:
    world = SandboxWorld(sandbox)  # type: ignore[arg-type]
    with pytest.raises(StepFailed, match=step):
        run_session(Engine(step), world, load(tmp_path), progress)
    engine = Engine()
    assert run_session(engine, world, load(tmp_path), progress) == FRIDAY
    ran = [name for name, _ in engine.ran]
    # The evening is one chain; the orders of a session are never decided again once it is over.
    assert ran == list(STEPS if step in STEPS[:3] else STEPS[3:])
    assert sandbox.at == calendar.session_open(MONDAY)
    assert load(tmp_path).unfinished is None


def test_a_clock_that_is_past_the_open_is_left_alone(sandbox: Sandbox) -> None:
    sandbox.at = calendar.session_close(MONDAY)
    assert SandboxWorld(sandbox).reach_open(FRIDAY)  # type: ignore[arg-type]
    assert sandbox.at == calendar.session_close(MONDAY)


def test_a_session_belongs_to_its_evening() -> None:
    assert last_evening(datetime(2026, 1, 30, 19, 59, tzinfo=NY)) == date(2026, 1, 29)
    assert last_evening(datetime(2026, 1, 30, 20, 0, tzinfo=NY)) == FRIDAY
    assert last_evening(datetime(2026, 2, 1, 12, 0, tzinfo=NY)) == FRIDAY
    assert last_evening(datetime(2026, 2, 2, 9, 30, tzinfo=NY)) == FRIDAY


def test_in_the_real_world_orders_wait_for_the_open(tmp_path: Path, progress: Progress) -> None:
    clock = FixedClock(datetime(2026, 1, 31, 12, 0, tzinfo=NY))
    engine = Engine()
    assert run_session(engine, RealWorld(clock), load(tmp_path), progress) == FRIDAY
    assert [step for step, _ in engine.ran] == list(STEPS[:3])
    # Asked again before the open: nothing is collected or decided twice.
    assert run_session(engine, RealWorld(clock), load(tmp_path), progress) == FRIDAY
    assert len(engine.ran) == 3
    clock.at = datetime(2026, 2, 2, 9, 30, tzinfo=NY)
    assert run_session(engine, RealWorld(clock), load(tmp_path), progress) == FRIDAY
    assert [step for step, _ in engine.ran] == list(STEPS)
    assert run_session(engine, RealWorld(clock), load(tmp_path), progress) is None


# ------------------------------------------------------------------------------------- plans that are not approved

WHY = "plan 0123456789ab of session 2026-01-30 was refused by bob: nothing is sent"


def refused(*_: object) -> str:
    raise GuardError(WHY)


def test_a_refused_plan_is_evaluated_before_it_is_told(
    progress: Progress, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    for module, step in (("pas_lib.execution", "execute"), ("pas_lib.pipeline.evaluate", "evaluate")):
        monkeypatch.setattr(import_module(module), step, lambda *_, step=step, **__: called.append(step))
    monkeypatch.setattr("pas_lib.execution.standing", refused)
    monkeypatch.setattr("pas_lib.notify.announce", lambda *_: None)
    settings = load_settings({"PAS_HOME": str(tmp_path)}, root=tmp_path)
    engine = DirectEngine(settings, FixedClock(sandbox.now()), Warehouse("postgresql://127.0.0.1:1/none"), progress)
    monkeypatch.setattr(engine, "evening", lambda _, finished: [finished(step) for step in STEPS[:3]])
    state = load(tmp_path)
    with pytest.raises(StepFailed, match=f"^execute failed: {WHY}$"):
        run_session(engine, SandboxWorld(sandbox), state, progress)  # type: ignore[arg-type]
    assert called == ["execute", "evaluate"]
    assert load(tmp_path).unfinished is None


class Rest:
    """Airflow, where the approval of ``decide`` ends as told and everything else goes well."""

    def __init__(self, approval: str) -> None:
        self.approval = approval
        self.triggered: list[str] = []
        self.seen: set[str] = set()

    def dags(self) -> dict[str, bool]:
        return dict.fromkeys(STEPS, False)

    def runs_of(self, step: str, session: date) -> list[Run]:
        """What an asset starts is there at the second look."""
        found = [Run(step, f"{step}-{session}", "success")] if step in self.seen else []
        self.seen.add(step)
        return found

    def trigger(self, step: str, session: date) -> Run:
        self.triggered.append(step)
        return Run(step, f"{step}-{session}", "success")

    def run(self, dag_id: str, run_id: str) -> Run:
        left = {"failed": "failed", "deferred": "running"}.get(self.approval, "success")
        return Run(dag_id, run_id, left if dag_id == "decide" else "success")

    def tasks(self, run: Run) -> list[Task]:
        done = [Task(run.dag_id, "success", 1)]
        return [*done, Task("approve", self.approval, 1)] if run.dag_id == "decide" else done


@pytest.mark.parametrize("approval", ["success", "skipped", "failed", "deferred"])
def test_a_refused_plan_is_evaluated_under_airflow_too(
    progress: Progress, tmp_path: Path, sandbox: Sandbox, approval: str
) -> None:
    """Refused in Airflow, refused elsewhere before it asked, too late, and refused elsewhere while it waits."""
    rest = Rest(approval)
    engine = AirflowEngine(rest, tmp_path, progress, lambda: None, refused)  # type: ignore[arg-type]
    with pytest.raises(StepFailed, match=f"^execute failed: {WHY}$"):
        run_session(engine, SandboxWorld(sandbox), load(tmp_path), progress)
    assert rest.triggered == ["collect", "execute"]
    assert load(tmp_path).unfinished is None
