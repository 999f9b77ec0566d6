"""The steps of a session, through Airflow or directly: two engines with one face."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pas_lib.errors import GuardError, PasError
from pas_lib.stack.airflow_rest import AirflowRest, Run, Task, failure_in, task_log
from pas_lib.stack.errors import StepFailed
from pas_lib.stack.progress import Progress
from pas_lib.stack.state import STEPS

if TYPE_CHECKING:
    from pas_lib.clock import Clock
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

_POLL = 0.4
#: A step in which nothing changes for so long is taken for stuck.
_PATIENCE = 900.0
#: The task of ``decide`` that waits for a person, and the states in which it does.
_APPROVAL_TASK = "approve"
_WAITING = frozenset({"awaiting_input", "deferred"})
#: How often somebody is looked for who approves a live plan (seconds).
_APPROVAL_POLL = 5.0
_ASK = "waiting for a person: `pas approve`, POST /approvals, or Required Actions in Airflow"

Finished = Callable[[str], None]


class Engine(Protocol):
    """Runs the steps of a session and reports them."""

    def evening(self, session: date, finished: Finished) -> None:
        """Collect, transform, decide; ``finished`` is told of each."""
        ...

    def next_day(self, session: date, finished: Finished) -> None:
        """Execute and evaluate; ``finished`` is told of each.

        A plan that a person has refused, or that nobody has approved in time, is evaluated like any other before it is
        told.

        Raises
        ------
        StepFailed
            When a step fails; naming ``execute`` when nothing was sent for want of an approval.
        """
        ...


# ------------------------------------------------------------------------------------------------------ Airflow


class AirflowEngine:
    """Asks Airflow for the runs and follows them.

    Parameters
    ----------
    rest : AirflowRest
        A logged-in client.
    airflow_home : Path
        Where the task logs are.
    progress : Progress
        Where to tell.
    require_alive : callable
        Raises when a program of the stack has died; called at every look.
    standing : callable
        Session -> what its plan waits for (`pas_lib.execution.standing`).
    """

    def __init__(
        self,
        rest: AirflowRest,
        airflow_home: Path,
        progress: Progress,
        require_alive: Callable[[], None],
        standing: Callable[[date], str],
    ) -> None:
        self._rest = rest
        self._airflow_home = airflow_home
        self._progress = progress
        self._require_alive = require_alive
        self._standing = standing

    def evening(self, session: date, finished: Finished) -> None:
        """Ask for ``collect``; the assets bring ``transform`` and ``decide``."""
        self._chain(session, STEPS[:3], finished)

    def next_day(self, session: date, finished: Finished) -> None:
        """Ask for ``execute``; its asset brings ``evaluate``."""
        self._chain(session, STEPS[3:], finished)
        _tell_unsent(self._approval("execute", session)[1])

    def _chain(self, session: date, steps: Sequence[str], finished: Finished) -> None:
        earlier = {step: {run.run_id for run in self._rest.runs_of(step, session)} for step in steps[1:]}
        paused = self._rest.dags()
        for step in steps:
            if paused.get(step):
                raise StepFailed(step, f"the DAG {step} is paused", None)
        for step in steps:
            self._progress.step(STEPS.index(step) + 1, len(STEPS), step)
            if step == steps[0]:
                run = self._rest.trigger(step, session)
            else:
                run = self._appearing(step, session, earlier[step])
            self._follow(run, session)
            finished(step)

    def _appearing(self, step: str, session: date, earlier: set[str]) -> Run:
        """Wait for the run an asset starts."""
        for _ in self._looks(step):
            for run in self._rest.runs_of(step, session):
                if run.run_id not in earlier:
                    return run
            self._progress.detail("waiting for the scheduler")
        raise AssertionError

    def _follow(self, run: Run, session: date) -> None:
        """Follow a run to its end, or until a person has approved what only the approval still waits for."""
        shown: tuple[Task, ...] = ()
        for touch in self._looks(run.dag_id):
            now = self._rest.run(run.dag_id, run.run_id)
            tasks = tuple(self._rest.tasks(run))
            if tasks != shown:
                touch()
                shown = tasks
            self._progress.detail(_tell(tasks))
            if now.is_finished:
                break
            if _waits_for_a_person(tasks):
                # However long a person takes, nothing is stuck; a word said elsewhere than in Airflow counts as well.
                touch()
                self._progress.detail(_ASK)
                word, unsent = self._approval(run.dag_id, session)
                if word == "approved" or unsent:
                    self._progress.done(unsent or word)
                    return
        if any(task.task_id == _APPROVAL_TASK for task in shown):
            unsent = self._approval(run.dag_id, session)[1]
            if unsent:
                self._progress.done(unsent)
                return
        failed = [task for task in shown if task.state == "failed"]
        if now.state == "failed":
            self._raise(run, failed or [task for task in shown if task.state != "success"])
        for task in failed:
            log = task_log(self._airflow_home, run, task)
            self._progress.say(
                f"         {task.task_id} could not be collected and is stale: {failure_in(log)} ({log})"
            )
        skipped = [task.task_id for task in shown if task.state == "skipped"]
        self._progress.done(f"not due: {', '.join(skipped)}" if skipped else "")

    def _approval(self, step: str, session: date) -> tuple[str, str]:
        """Return what the session's plan waits for, and why nothing of it is sent where that is so."""
        try:
            return self._standing(session), ""
        except GuardError as error:
            return "", str(error)
        except PasError as error:
            raise StepFailed(step, str(error)) from error

    def _raise(self, run: Run, tasks: list[Task]) -> None:
        if not tasks:
            raise StepFailed(run.dag_id, "no task of it ran", None)
        # A gate fails because others did: they are what to look at.
        causes = [task for task in tasks if task.task_id != "gate"] or tasks
        log = task_log(self._airflow_home, run, causes[0])
        reason = failure_in(log) or f"task {causes[0].task_id} is {causes[0].state}"
        name = run.dag_id if causes[0].task_id in (run.dag_id, "dbt_build") else f"{run.dag_id}.{causes[0].task_id}"
        raise StepFailed(name, reason, log)

    def _looks(self, step: str) -> Iterator[Callable[[], None]]:
        """Yield once per look, until nothing changed for too long; what is yielded says that something did."""
        last = time.monotonic()

        def touch() -> None:
            nonlocal last
            last = time.monotonic()

        while time.monotonic() - last < _PATIENCE:
            self._require_alive()
            yield touch
            time.sleep(_POLL)
        raise StepFailed(step, f"nothing changed for {_PATIENCE:.0f} seconds", self._airflow_home / "logs")


def _waits_for_a_person(tasks: Sequence[Task]) -> bool:
    """Tell whether the approval is all that is left of a run."""
    left = [task for task in tasks if task.state not in ("success", "skipped", "failed", "upstream_failed")]
    return [task.task_id for task in left] == [_APPROVAL_TASK] and left[0].state in _WAITING


def _tell(tasks: Sequence[Task]) -> str:
    """Say how many tasks are done and which ones run."""
    done = sum(task.state in ("success", "skipped", "failed", "upstream_failed") for task in tasks)
    running = sorted(task.task_id for task in tasks if task.state == "running")
    again = sorted(task.task_id for task in tasks if task.state == "up_for_retry")
    text = f"{done} of {len(tasks)} tasks"
    if running:
        text += f", running {', '.join(running)}"
    return f"{text}, to be tried again {', '.join(again)}" if again else text


def _tell_unsent(why: str) -> None:
    """Fail a session whose orders were not sent, after all of its steps are done."""
    if why:
        raise StepFailed("execute", why)


# ------------------------------------------------------------------------------------------------------- direct


class DirectEngine:
    """Calls the same functions in this process.

    Parameters
    ----------
    settings, clock, warehouse
        What the steps work with.
    progress : Progress
        Where to tell.
    sleep : callable
        Waits a number of seconds, between two looks for an approval.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        warehouse: Warehouse,
        progress: Progress,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._warehouse = warehouse
        self._progress = progress
        self._sleep = sleep
        #: What each step returned, by step; for ``collect`` by dataset.
        self.results: dict[str, Any] = {}

    def evening(self, session: date, finished: Finished) -> None:
        """Collect, transform, decide."""
        from pas_lib.dbt import Dbt
        from pas_lib.pipeline import decide

        with self._step("collect"):
            self.results["collect"] = self._collect(session)
        finished("collect")
        with self._step("transform"):
            self.results["transform"] = Dbt.from_settings(self._settings).build(session)
        finished("transform")
        with self._step("decide"):
            self.results["decide"] = decide(
                session, settings=self._settings, clock=self._clock, warehouse=self._warehouse
            )
        finished("decide")

    def next_day(self, session: date, finished: Finished) -> None:
        """Execute and evaluate."""
        from pas_lib.execution import execute, standing
        from pas_lib.pipeline.evaluate import evaluate

        unsent = ""
        with self._step("execute"):
            try:
                while standing(session, self._settings, self._warehouse, self._clock) == "waiting":
                    self._progress.detail(_ASK)
                    self._sleep(_APPROVAL_POLL)
            except GuardError as error:
                unsent = str(error)
                self._progress.say(f"         {unsent}")
            self.results["execute"] = execute(
                session, settings=self._settings, clock=self._clock, warehouse=self._warehouse
            )
        finished("execute")
        with self._step("evaluate"):
            self.results["evaluate"] = evaluate(
                session, settings=self._settings, clock=self._clock, warehouse=self._warehouse
            )
        finished("evaluate")
        _tell_unsent(unsent)

    def _collect(self, session: date) -> dict[str, Any]:
        """Collect every dataset; one that is not critical may fail, as under Airflow."""
        from pas_lib.datasets import catalogue, leaders
        from pas_lib.ingest import ingest
        from pas_lib.stack.due import is_due

        critical = {entry.leader or entry.name for entry in catalogue().values() if entry.critical}
        # The universe says what the others ask for.
        names = sorted((entry.name for entry in leaders()), key=lambda name: (name != "universe", name))
        results: dict[str, Any] = {}
        for number, name in enumerate(names):
            self._progress.detail(f"{number} of {len(names)} datasets, {name}")
            if not is_due(name, session, self._warehouse):
                continue
            try:
                results[name] = ingest(
                    name, session=session, settings=self._settings, clock=self._clock, warehouse=self._warehouse
                )
            except PasError as error:
                if name in critical:
                    raise
                results[name] = error
                self._progress.say(f"         {name} could not be collected and is stale: {error}")
        return results

    @contextmanager
    def _step(self, step: str) -> Iterator[None]:
        from pas_lib.notify import announce

        self._progress.step(STEPS.index(step) + 1, len(STEPS), step)
        try:
            yield
            announce(self._settings, self._clock, self._warehouse)
        except PasError as error:
            raise StepFailed(step, str(error)) from error
        self._progress.done()
