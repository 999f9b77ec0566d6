"""The application and its one entry point: commands register themselves, errors become one line."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

import typer
from typer.exceptions import Abort, Exit, TyperException

from pas_lib.cli.common import Answered
from pas_lib.errors import PasError

app = typer.Typer(
    name="pas",
    help="Runs a book of alternative-data strategies: collects, scores, sizes, trades and explains.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_MODULES = (
    "machine",
    "data",
    "decisions",
    "books",
    "risk",
    "portfolios",
    "research",
    "tokens",
    "safekeeping",
    "dashboard",
)


def _register() -> None:
    for name in _MODULES:
        importlib.import_module(f"pas_lib.cli.{name}").register(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    arguments
        Words after ``pas``; the process's own by default.

    Returns
    -------
    int
        0 when it went well, 1 for an expected failure (one line on standard error), 2 for wrong usage, 70 for a
        defect of the program (one line; the trace is shown with ``PAS_RUN_TRACE=1``), 130 when interrupted. With
        ``--json`` a command that has not answered yet says it on standard output as well: ``{"error", "status"}``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    before_the_end = words[: words.index("--")] if "--" in words else words
    as_json = "--json" in before_the_end
    Answered.yet = False
    try:
        answer = app(args=words, prog_name="pas", standalone_mode=False)
    except PasError as error:
        return _say(str(error), 1, as_json)
    except Exit as done:
        return int(done.exit_code)
    except Abort:
        return _say("interrupted", 130, as_json)
    except TyperException as error:
        if not words:
            print(error.format_message(), file=sys.stderr)
            return 2
        return _say(" ".join(error.format_message().split()), 2, as_json)
    except KeyboardInterrupt:
        return _say("interrupted", 130, as_json)
    except BrokenPipeError:
        # The reader (head, less) went away; nothing is wrong here.
        sys.stderr.close()
        return 0
    except Exception as error:
        if os.environ.get("PAS_RUN_TRACE"):
            traceback.print_exc()
        text = " ".join(str(error).split())
        return _say(f"unexpected {type(error).__name__}: {text} (PAS_RUN_TRACE=1 shows where)", 70, as_json)
    if answer == 130:
        # What typer makes of an interrupt.
        return _say("interrupted", 130, as_json)
    return int(answer) if isinstance(answer, int) else 0


def _say(message: str, status: int, as_json: bool) -> int:
    print(f"pas: {message}", file=sys.stderr)
    if as_json and not Answered.yet:
        print(json.dumps({"error": message, "status": status}, ensure_ascii=False))
    return status


def main() -> None:
    """Entry point of ``pas``."""
    from pas_lib.stack.signals import as_interrupt

    # Of a library of the embedded PostgreSQL; it finds a folder without being told one.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    # What was begun is ended in order, whoever asks for the end.
    as_interrupt()
    sys.exit(run())


_register()
