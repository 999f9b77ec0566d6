"""Running dbt: one place that knows its command line, its environment and its folders.

dbt itself is imported when a command runs. The session, the target and the address go through the environment (a
changed ``--vars`` would parse the whole project again), and so do the names of the signal models, which dbt cannot find
by itself while it parses; each target and each kind of build has a target folder of its
own, so that a retry never replays another build's failures.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from pas_lib.errors import PasError
from pas_lib.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from pas_lib.settings import Settings

PROJECT_DIR = PROJECT_ROOT / "dbt_project"
#: What a model that makes the signals of a strategy is called, wherever among the models it lies.
SIGNAL_MODELS = "int_signal_*.sql"

Target = Literal["pg", "duckdb"]
Part = Literal["transform", "evaluate", "all"]

_SELECT: dict[str, tuple[str, ...]] = {
    "transform": ("--exclude", "tag:evaluate"),
    "evaluate": ("--select", "tag:evaluate"),
    "all": (),
}
_BAD = {"error", "fail", "runtime error", "partial success"}
# The environment belongs to the whole process: builds in one process take turns.
_TURN = threading.Lock()


class DbtError(PasError):
    """A dbt command failed; the message names the first node that did and the log."""


def _machine_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


@dataclass(frozen=True)
class DbtResult:
    """What a dbt command did.

    Attributes
    ----------
    command : tuple of str
        The arguments given to dbt.
    seconds : float
        Wall time, dbt's start-up included.
    statuses : dict
        Node id -> status, in the order dbt reported them; empty for commands without nodes.
    timings : dict
        Node id -> seconds.
    target_path : Path
        Folder with ``run_results.json``, ``manifest.json`` and the log.
    """

    command: tuple[str, ...]
    seconds: float
    statuses: Mapping[str, str]
    timings: Mapping[str, float]
    target_path: Path

    def count(self, status: str) -> int:
        """Return how many nodes ended with a status (``success``, ``pass``, ``skipped``, ...)."""
        return sum(1 for found in self.statuses.values() if found == status)

    def models(self) -> tuple[CompiledModel, ...]:
        """Return the models that were built, as they were compiled, each after those it reads."""
        manifest = json.loads((self.target_path / "manifest.json").read_text(encoding="utf-8"))["nodes"]
        results = json.loads((self.target_path / "run_results.json").read_text(encoding="utf-8"))["results"]
        return tuple(
            CompiledModel(
                manifest[one["unique_id"]]["name"],
                one["relation_name"],
                one["compiled_code"],
                manifest[one["unique_id"]]["config"]["materialized"] == "view",
            )
            for one in results
            if one["unique_id"].startswith("model.")
        )


@dataclass(frozen=True)
class CompiledModel:
    """A model as dbt compiled it.

    Attributes
    ----------
    name : str
        The model.
    relation : str
        Its view or table, quoted.
    select : str
        The query; that of an incremental model is of the kind that was run, the whole one where there was no table yet.
    is_view : bool
        Whether nothing is stored.
    """

    name: str
    relation: str
    select: str
    is_view: bool


@dataclass(frozen=True)
class Dbt:
    """dbt for one warehouse.

    Parameters
    ----------
    url : str
        A libpq address (target ``pg``) or the path of a DuckDB file (target ``duckdb``).
    work_dir : Path
        Parent of the target folders.
    target : {"pg", "duckdb"}
        Engine.
    threads : int
        Models built at once; by default as many as the machine has processors, from two to four. More of them would
        wait for each other in the server, with pages locked that short reads wait for.
    memory_gb : float
        What DuckDB may hold in memory; the rest goes to a folder beside the file. By default 6, and on a small machine
        three quarters of what it has. PostgreSQL has its own limits.
    benchmark : str
        Symbol of the benchmark.
    read_sources : mapping of str to sequence of str
        Dataset -> the sources whose rows staging reads; of a dataset that is not named it reads all.
    project_dir : Path
        The dbt project.
    """

    url: str
    work_dir: Path
    target: Target = "pg"
    threads: int = field(default_factory=lambda: min(4, max(2, os.cpu_count() or 2)))
    memory_gb: float = field(default_factory=lambda: min(6.0, 0.75 * _machine_gb()))
    benchmark: str = "SPY"
    read_sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    project_dir: Path = PROJECT_DIR

    @classmethod
    def from_settings(cls, settings: Settings) -> Dbt:
        """Return dbt for the configured warehouse."""
        from pas_lib.sources.registry import read_sources
        from pas_lib.warehouse import Warehouse

        return cls(
            Warehouse.from_settings(settings).url,
            settings.home / "dbt",
            benchmark=settings.benchmark,
            read_sources=read_sources(settings),
        )

    # -- commands

    def build(
        self,
        as_of: date,
        *,
        part: Part = "transform",
        full_refresh: bool = False,
        unit_tests: bool = False,
        data_tests: bool = True,
        select: Sequence[str] = (),
        isolated: bool = False,
    ) -> DbtResult:
        """Build and test models for a session.

        Parameters
        ----------
        as_of : date
            The session (``PAS_AS_OF``).
        part : {"transform", "evaluate", "all"}
            Everything but the performance marts, only those, or both.
        full_refresh : bool
            Build incremental models from nothing.
        unit_tests : bool
            Run dbt's unit tests too; they test the code, not the data.
        data_tests : bool
            Run the data tests.
        select : sequence of str
            Node selection, instead of ``part``'s.
        isolated : bool
            Run in a process of its own instead of in this one.

        Raises
        ------
        DbtError
            If a model or test failed.
        """
        arguments = ["build", *(["--select", *select] if select else _SELECT[part])]
        left_out = ["exposure", *([] if unit_tests else ["unit_test"]), *([] if data_tests else ["test"])]
        arguments += ["--exclude-resource-type", *left_out]
        if full_refresh:
            arguments.append("--full-refresh")
        return self._run(arguments, as_of, part, isolated)

    def retry(self, as_of: date, *, part: Part = "transform", isolated: bool = False) -> DbtResult:
        """Run again what failed or was skipped in the last build of that part; without one, build.

        Raises
        ------
        DbtError
            If a node failed again.
        """
        if not (self.target_path(part) / "run_results.json").exists():
            return self.build(as_of, part=part, isolated=isolated)
        return self._run(["retry"], as_of, part, isolated)

    def docs(self, as_of: date, page: Path, *, isolated: bool = False) -> Path:
        """Write the documentation as one page that needs no network, and return its path.

        Raises
        ------
        DbtError
            If dbt could not make it.
        """
        self._run(["docs", "generate", "--static"], as_of, "docs", isolated)
        page.parent.mkdir(parents=True, exist_ok=True)
        fresh = page.with_name(f".{page.name}.new")
        whole = (self.target_path("docs") / "static_index.html").read_text(encoding="utf-8")
        fresh.write_text(asking_for_nothing(whole), encoding="utf-8")
        fresh.replace(page)
        return page

    def parse(self, as_of: date) -> DbtResult:
        """Parse the project and write ``manifest.json``."""
        return self._run(["parse"], as_of, "docs", False)

    def target_path(self, part: str) -> Path:
        """Return the target folder of a kind of build."""
        return self.work_dir / f"{self.target}-{part}"

    # -- how

    def environment(self, as_of: date, part: str) -> dict[str, str]:
        """Return the variables that ``profiles.yml`` and the models read."""
        out = {
            "PAS_AS_OF": as_of.isoformat(),
            "PAS_BENCHMARK": self.benchmark,
            "PAS_DBT_READ_SOURCES": json.dumps({k: list(v) for k, v in self.read_sources.items()}, sort_keys=True),
            "PAS_SIGNAL_MODELS": " ".join(signal_models(self.project_dir)),
            "PAS_DBT_TARGET": self.target,
            "PAS_DBT_THREADS": str(self.threads),
            "DBT_PROFILES_DIR": str(self.project_dir),
            "DBT_PROJECT_DIR": str(self.project_dir),
            "DBT_TARGET_PATH": str(self.target_path(part)),
            "DBT_LOG_PATH": str(self.target_path(part)),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
        }
        if self.target == "duckdb":
            return out | {"PAS_DBT_PATH": self.url, "PAS_DBT_MEMORY": f"{self.memory_gb * 1000:.0f}MB"}
        import psycopg.conninfo

        parts = psycopg.conninfo.conninfo_to_dict(self.url)
        if str(parts.get("host") or "").startswith("/"):
            # Its own threads keep a small machine busy; parallel workers would come and go before they give way.
            out["PGOPTIONS"] = "-c max_parallel_workers_per_gather=0"
        return out | {
            "PAS_DBT_HOST": str(parts.get("host") or "localhost"),
            "PAS_DBT_PORT": str(parts.get("port") or 5432),
            "PAS_DBT_USER": str(parts.get("user") or "postgres"),
            "PAS_DBT_DBNAME": str(parts.get("dbname") or "pas"),
            "PAS_DBT_SSLMODE": str(parts.get("sslmode") or "prefer"),
            "PGAPPNAME": f"pas-dbt-{os.getpid()}",
            "DBT_ENV_SECRET_PAS_PASSWORD": str(parts.get("password") or ""),
        }

    def _borrow_parse(self, folder: Path) -> None:
        """Give a new target folder the parsed project of a sibling: parsing is half of a small command's time."""
        mine = folder / "partial_parse.msgpack"
        if mine.exists():
            return
        for sibling in sorted(self.work_dir.glob(f"{self.target}-*/partial_parse.msgpack")):
            shutil.copyfile(sibling, mine)
            return

    def _giving_way(self, environment: Mapping[str, str]) -> AbstractContextManager[None]:
        """Let the server's work for a build wait for short reads: of the API, and of what trades."""
        if self.target == "duckdb":
            return nullcontext()
        from pas_lib.warehouse.priority import giving_way

        return giving_way(self.url, environment["PGAPPNAME"])

    def _run(self, arguments: list[str], as_of: date, part: str, isolated: bool) -> DbtResult:
        folder = self.target_path(part)
        folder.mkdir(parents=True, exist_ok=True)
        self._borrow_parse(folder)
        results = folder / "run_results.json"
        before = results.stat().st_mtime_ns if results.exists() else 0
        environment = self.environment(as_of, part)
        command = ["--quiet", "--no-use-colors", "--log-level-file", "info", *arguments]
        began = monotonic()
        with self._giving_way(environment):
            reason = _in_own_process(command, environment) if isolated else _in_process(command, environment)
        seconds = monotonic() - began
        statuses: dict[str, str] = {}
        timings: dict[str, float] = {}
        if results.exists() and results.stat().st_mtime_ns != before:
            for node in json.loads(results.read_text(encoding="utf-8"))["results"]:
                statuses[node["unique_id"]] = node["status"]
                timings[node["unique_id"]] = float(node["execution_time"])
                if node["status"] in _BAD and not (reason and reason.startswith("node ")):
                    reason = f"node {node['unique_id']} {node['status']}: {_detail(node)}"
        if reason is not None:
            raise DbtError(f"dbt {arguments[0]} failed: {reason}", hint=f"its log is {folder / 'dbt.log'}")
        return DbtResult(tuple(arguments), seconds, statuses, timings, folder)


def asking_for_nothing(page: str) -> str:
    """Return dbt's static page without what makes a browser ask for files that are not there.

    Its icons name their place in a template before the script has filled it in, which is nearly a thousand requests for
    one look at the page, and its short-cut icon was never filled in at all.
    """
    page = page.replace('xlink:href="{{', 'ng-attr-xlink:href="{{')
    return re.sub(r'<link rel="shortcut icon" href="\$\{[^"]*\}"/?>', "", page)


def signal_models(project_dir: Path = PROJECT_DIR) -> tuple[str, ...]:
    """Return the names of the models that make signals, sorted: what ``marts.signals`` puts together.

    Raises
    ------
    DbtError
        When there is none.
    """
    names = tuple(sorted(file.stem for file in (project_dir / "models").rglob(SIGNAL_MODELS)))
    if not names:
        raise DbtError(f"{project_dir / 'models'} has no model called {SIGNAL_MODELS}")
    return names


def signal_numbers(model: str, project_dir: Path = PROJECT_DIR) -> dict[str, Any]:
    """Return the variables of the project that a signal model takes, by name."""
    import yaml

    named = yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8"))["vars"]
    text = "".join(file.read_text(encoding="utf-8") for file in (project_dir / "models").rglob(f"{model}.sql"))
    return {name: named[name] for name in sorted(set(re.findall(r"\bvar\('(\w+)'\)", text)))}


def _in_process(command: list[str], environment: Mapping[str, str]) -> str | None:
    """Run dbt in this process; return why it failed, or None."""
    from dbt.cli.main import dbtRunner

    with _TURN, _environment(environment):
        try:
            outcome: Any = dbtRunner().invoke(command)
        finally:
            if environment["PAS_DBT_TARGET"] == "duckdb":
                _let_go()
    if outcome.success:
        return None
    return _first_line(outcome.exception) if outcome.exception else "see the log"


def _let_go() -> None:
    """Close the DuckDB file, which dbt's adapter would hold open until the process ends."""
    import gc

    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    gc.collect()


def _in_own_process(command: list[str], environment: Mapping[str, str]) -> str | None:
    import subprocess
    import sys

    code = "import sys; from dbt.cli.main import cli; cli(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()]
    return " ".join(lines[-3:])[:500] if lines else f"exit status {done.returncode}"


def _detail(node: Mapping[str, Any]) -> str:
    """Return what a node of ``run_results.json`` says went wrong: of a test what it found, else dbt's message."""
    found = (node.get("adapter_response") or {}).get("_message") if node["status"] == "fail" else None
    lines = str(found or node.get("message") or "").strip().splitlines()
    return " ".join(line.strip() for line in lines[:3])


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:3]) if lines else type(error).__name__


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def build(settings: Settings, session: date, *, part: Part = "transform", retry: bool = False) -> dict[str, Any]:
    """Build a part of the project for a session, in this process, and return counts for logs.

    Parameters
    ----------
    settings : Settings
        Names the warehouse and the home folder.
    session : date
        The session.
    part : {"transform", "evaluate", "all"}
        What to build.
    retry : bool
        Only what failed or was left out of the last build.

    Raises
    ------
    DbtError
        If a model or test failed.
    """
    dbt = Dbt.from_settings(settings)
    result = dbt.retry(session, part=part) if retry else dbt.build(session, part=part)
    return {
        "built": result.count("success"),
        "passed": result.count("pass"),
        "warned": result.count("warn"),
        "seconds": round(result.seconds, 2),
    }
