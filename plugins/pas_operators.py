"""The pipeline's steps as Airflow operators.

Each is a thin frame around one function of ``pas_lib``: it finds the session (the run's partition key), builds
settings, clock and warehouse, calls, and logs what came of it. Everything heavy is imported when a task runs, not when
its DAG is read.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowSkipException
from pas_links import ResultLink

if TYPE_CHECKING:
    from airflow.sdk import Asset, Connection, Context

    from pas_lib.clock import Clock
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

#: Airflow's connection to the warehouse; without it the settings decide.
CONNECTION_ID = "pas_warehouse"
_SHOWN_FAILURES = 5
#: Of a list of records a note tells how many say what in the first of these that they all have.
_TELLING = ("state", "code", "trades", "status")
_SHOWN_PARTS = 12


# ---------------------------------------------------------------------------------------------------- the frame


@dataclass(frozen=True)
class Runtime:
    """What every step needs.

    Attributes
    ----------
    settings : Settings
        With ``database_url`` naming the warehouse in use, so that whatever is built from settings agrees.
    clock : Clock
        The machine's clock, or the sandbox's.
    warehouse : Warehouse
        Not opened yet.
    """

    settings: Settings
    clock: Clock
    warehouse: Warehouse


def runtime() -> Runtime:
    """Return settings, clock and warehouse of this task: the warehouse from Airflow's connection if there is one."""
    from pas_lib.clock import clock_for
    from pas_lib.settings import load_settings
    from pas_lib.warehouse import Warehouse

    settings = load_settings()
    try:
        connection = BaseHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException:
        return Runtime(settings, clock_for(settings), Warehouse.from_settings(settings))
    settings = settings.model_copy(update={"database_url": connection_url(connection)})
    return Runtime(settings, clock_for(settings), Warehouse.from_settings(settings))


def connection_url(connection: Connection) -> str:
    """Return the libpq address of an Airflow connection; a unix socket's folder is its extra ``host``."""
    extra = {str(name): str(value) for name, value in (connection.extra_dejson or {}).items()}
    user = quote(connection.login or "", safe="")
    secret = f":{quote(connection.password, safe='')}" if connection.password else ""
    host = connection.host or ""
    if host.startswith("/"):
        extra.setdefault("host", host)
        host = ""
    port = f":{connection.port}" if connection.port else ""
    at = "@" if user else ""
    query = f"?{urlencode(extra)}" if extra else ""
    return f"postgresql://{user}{secret}{at}{host}{port}/{quote(connection.schema or '', safe='')}{query}"


def session_of(context: Mapping[str, Any]) -> dt.date:
    """Return the session a run is for: its partition key, or the parameter ``session`` where there is none.

    Raises
    ------
    AirflowFailException
        If neither names a session of the exchange.
    """
    from pas_lib import clock as calendar

    key = context.get("partition_key") or (context.get("params") or {}).get("session")
    if not key:
        raise AirflowFailException("no session: trigger the run with a partition key such as 2026-01-30")
    try:
        session = dt.date.fromisoformat(str(key))
    except ValueError:
        raise AirflowFailException(f"partition key {key!r} is not a date written YYYY-MM-DD") from None
    if not calendar.is_session(session):
        raise AirflowFailException(f"{session} is not a session of the exchange")
    return session


def plain(value: Any) -> Any:
    """Turn a result into what XCom keeps: plain numbers, texts, lists and dictionaries."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value)


#: The longest note that Airflow takes.
_LONGEST_NOTE = 1000


def as_text(result: Any) -> str:
    """Return a result as a list in Markdown: what is empty is left out, what is long is counted."""
    if not isinstance(result, Mapping):
        return str(result)
    lines = []
    for name, value in result.items():
        if value is None or value == [] or value == {} or value == "":
            continue
        if isinstance(value, Mapping):
            parts = [
                f"{key} {len(item) if isinstance(item, list) else _short(item)}"
                for key, item in value.items()
                if not isinstance(item, Mapping) and item != ""
            ]
            value = ", ".join(parts[:_SHOWN_PARTS]) + (" ..." if len(parts) > _SHOWN_PARTS else "")
        elif isinstance(value, list):
            value = f"{len(value)}{_what(value)}"
        lines.append(f"- {str(name).replace('_', ' ')}: {_short(value)}")
    text = "\n".join(lines)
    return text if len(text) <= _LONGEST_NOTE - 100 else text[: _LONGEST_NOTE - 103] + "..."


def _short(value: Any) -> str:
    """Return a value as a person reads it: six digits of a number are enough."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _what(values: list[Any]) -> str:
    """Tell of a list what it says beside its length: the first ones; of records, how many are in which state."""
    if not all(isinstance(item, Mapping) for item in values):
        more = ", ..." if len(values) > _SHOWN_FAILURES else ""
        return f": {', '.join(_short(item) for item in values[:_SHOWN_FAILURES])}{more}"
    told = next((name for name in _TELLING if all(name in item for item in values)), None)
    if told is None:
        return ""
    counted = Counter(str(item[told]) for item in values)
    parts = [f"{count} {text}" for text, count in counted.most_common(_SHOWN_FAILURES)]
    return f" ({', '.join(parts)})" if told != "trades" else f" ({counted.get('True', 0)} trade)"


class StepOperator(BaseOperator):
    """One step of the pipeline for one session."""

    ui_color = "#e8f0f7"
    operator_extra_links = (ResultLink(),)
    #: Where the dashboard or the REST API shows what the step wrote; see pas_links.
    result_path: ClassVar[str] = ""
    #: Whether its result becomes the note of the run: that of the task that closes a DAG.
    sums_up: ClassVar[bool] = False

    def __init__(self, **kwargs: Any) -> None:
        # What the UI shows of a task: the class says it, unless the DAG says more.
        kwargs.setdefault("doc_md", inspect.cleandoc(type(self).__doc__ or "").partition("\n\nParameters\n")[0])
        super().__init__(**kwargs)

    def execute(self, context: Context) -> Any:
        """Run the step, tell the channels what came of it, and return its result as plain values."""
        from pas_lib.notify import announce
        from pas_lib.warehouse.system_log import SystemLog

        session, here = session_of(context), runtime()
        run_id = str(context.get("run_id", "")) or None
        log = SystemLog(here.warehouse, here.clock, f"{self.dag_id}.{self.task_id}", session=session, run_id=run_id)
        with log.step(self.task_id, skips=AirflowSkipException) as told:
            result = told["result"] = plain(self.step(session, here, context))
        self.log.info("%s of %s: %s", self.task_id, session, result)
        if self.sums_up:
            self._note(here, context, f"{self.task_id} of {session}\n\n{as_text(result)}")
        announce(here.settings, here.clock, here.warehouse)
        return result

    def _note(self, here: Runtime, context: Mapping[str, Any], text: str) -> None:
        """Put a note on the run, through Airflow's REST interface; a run without a note is no failure."""
        from requests import RequestException

        from pas_lib.stack.airflow_env import ADMIN
        from pas_lib.stack.airflow_rest import AirflowRest
        from pas_lib.stack.errors import StackError

        password, run = here.settings.airflow_password, context.get("dag_run")
        if password is None or run is None:
            return
        rest = AirflowRest(here.settings.airflow_url, ADMIN, password.get_secret_value())
        try:
            rest.log_in()
            rest.note(run.dag_id, run.run_id, text)
        except (RequestException, StackError) as error:
            self.log.warning("the run has no note: %s", error)

    @abstractmethod
    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Do the work."""


# ----------------------------------------------------------------------------------------------------- collect


class IngestOperator(StepOperator):
    """Collect one dataset (and the datasets that travel with it) for a session.

    Parameters
    ----------
    dataset : str
        A name of the catalogue; may be a template.
    only_when_due : bool
        Whether a dataset that is not due is skipped.
    """

    result_path = "dashboard/data/{dataset}"

    template_fields = ("dataset",)

    def __init__(self, *, dataset: str, only_when_due: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.only_when_due = only_when_due

    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Fetch, land, validate and load; a dataset that is not due is skipped."""
        del context
        from pas_lib.ingest import ingest
        from pas_lib.stack.due import is_due

        if self.only_when_due and not is_due(self.dataset, session, here.warehouse):
            raise AirflowSkipException(f"{self.dataset} is not due in session {session}")
        return ingest(self.dataset, session, settings=here.settings, clock=here.clock, warehouse=here.warehouse)


class FreshnessOperator(StepOperator):
    """Fail when a dataset is older than the catalogue tolerates; the failure names it, its age and the tolerance."""

    result_path = "dashboard/data"
    sums_up = True

    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Look at every dataset."""
        del context
        from pas_lib.ingest.freshness import check
        from pas_lib.warehouse.system_log import SystemLog

        found = check(here.warehouse, here.clock.now())
        stale = [str(one) for one in found if one.is_stale]
        if stale:
            SystemLog(here.warehouse, here.clock, "freshness", session=session).write("error", "stale", datasets=stale)
            raise AirflowFailException(f"stale: {'; '.join(stale)}")
        return {"fresh": len(found)}


class GateOperator(StepOperator):
    """Close the collection of a session: the only producer of the asset the rest waits for.

    Fails if a critical dataset failed; lists what is stale otherwise.

    Parameters
    ----------
    datasets : mapping of str to str
        Task id -> dataset it collects.
    critical : sequence of str
        Datasets without which nothing is decided.
    announces : Asset
        The asset announced; its event lists the stale datasets.
    """

    result_path = "dashboard/data"
    sums_up = True

    def __init__(
        self, *, datasets: Mapping[str, str], critical: Sequence[str], announces: Asset, **kwargs: Any
    ) -> None:
        super().__init__(outlets=[announces], **kwargs)
        self.datasets = dict(datasets)
        self.critical = tuple(critical)
        self.announces = announces

    def step(self, session: dt.date, here: Runtime, context: Context) -> dict[str, Any]:
        """Look at what became of every dataset."""
        del here
        failed = self.failed(self.states(context))
        blocking = [name for name in failed if name in self.critical]
        if blocking:
            raise AirflowFailException(
                f"nothing is decided for {session}: {', '.join(blocking)} could not be collected"
            )
        facts = {"session": session.isoformat(), "stale": failed, "collected": len(self.datasets) - len(failed)}
        if "outlet_events" in context:
            context["outlet_events"][self.announces].extra.update(facts)
        return facts

    def states(self, context: Context) -> dict[str, str]:
        """Return task id -> state for the run's collecting tasks."""
        run = context["dag_run"]
        found = context["ti"].get_task_states(dag_id=run.dag_id, task_ids=list(self.datasets), run_ids=[run.run_id])
        return {task: str(state) for task, state in found.get(run.run_id, {}).items()}

    def failed(self, states: Mapping[str, str]) -> list[str]:
        """Return the datasets whose task neither succeeded nor was skipped, by name."""
        good = {"success", "skipped"}
        return sorted(name for task, name in self.datasets.items() if states.get(task) not in good)


# --------------------------------------------------------------------------------------- transform, decide, trade


class DbtBuildOperator(StepOperator):
    """Run ``dbt build`` for a session; on a retry only what failed or was left out (``dbt retry``)."""

    result_path = "dashboard/research"
    sums_up = True

    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Build all models and run their tests."""
        from pas_lib.dbt import Dbt
        from pas_lib.warehouse.priority import give_way

        give_way()
        dbt = Dbt.from_settings(here.settings)
        attempt = getattr(context.get("ti"), "try_number", 1) or 1
        if attempt > 1:
            done = dbt.retry(session)
        else:
            # A retry goes by the results of the last build: they must be those of this run, or none.
            (dbt.target_path("transform") / "run_results.json").unlink(missing_ok=True)
            done = dbt.build(session)
        counts = {status: done.count(status) for status in sorted(set(done.statuses.values()))}
        return {"seconds": round(done.seconds, 1), "nodes": counts}


class DecideOperator(StepOperator):
    """Turn signals into weights, allocation, exposure scale, order plan and intents."""

    result_path = "dashboard/portfolios"
    sums_up = True

    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Decide; a session already decided keeps its decision."""
        from pas_lib.pipeline import decide

        return decide(session, here.settings, here.clock, here.warehouse, run_id=str(context.get("run_id", "airflow")))


class ExecuteOperator(StepOperator):
    """Carry out the intents of a session at the open of the next one."""

    result_path = "dashboard/trading"
    sums_up = True

    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Send what is not sent yet, follow it to its end, reconcile."""
        del context
        from pas_lib.execution import execute

        return execute(session, here.settings, here.clock, here.warehouse)


class EvaluateOperator(StepOperator):
    """Equity, returns, metrics, account snapshots and the DuckDB mirror."""

    result_path = "dashboard"
    sums_up = True

    def step(self, session: dt.date, here: Runtime, context: Context) -> Any:
        """Evaluate the books after a session's execution."""
        del context
        from pas_lib.pipeline.evaluate import evaluate
        from pas_lib.warehouse.priority import give_way

        give_way()
        return evaluate(session, here.settings, here.clock, here.warehouse)
