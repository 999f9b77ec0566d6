"""Run benchmarks and print their tables."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import pkgutil
import sys
from types import ModuleType

# One thread each: on small matrices the threads of a linear algebra library mostly wait for one another.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import tests.benchmarks as folder  # noqa: E402
from tests.benchmarks.report import Result  # noqa: E402

PREFIX = "bench_"


def names() -> list[str]:
    """Names of the benchmarks in this folder."""
    return sorted(
        m.name.removeprefix(PREFIX) for m in pkgutil.iter_modules(folder.__path__) if m.name.startswith(PREFIX)
    )


def usual() -> list[str]:
    """Names of those that run when none is named: the others take too long."""
    return [one for one in names() if not getattr(_module(one), "ONLY_BY_NAME", False)]


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"tests.benchmarks.{PREFIX}{name}")


def line(row: Result) -> str:
    """One row as text."""
    text = f"  {row.work:<58} {row.ours_ms:>10.2f} ms"
    if row.peer_ms is not None:
        text += f"   {row.peer:<24} {row.peer_ms:>10.1f} ms   x{row.ratio:.1f}"
    if row.skipped:
        text += f"   skipped: {row.skipped}"
    if row.parity:
        text += f"\n      parity: {row.parity}"
    if row.gate:
        text += f"\n      gate:   {row.gate}: {'holds' if row.passed else 'MISSED'}"
    elif not row.passed:
        text += "\n      FAILED"
    return text


def main() -> int:
    """Return 1 when a parity check or a gate failed."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=folder.__doc__)
    parser.add_argument(
        "name", nargs="*", help=f"one or more of: {', '.join(known)}; by default all but those that take many minutes"
    )
    parser.add_argument("--json", action="store_true", help="print records instead of a table")
    options = parser.parse_args()
    unknown = sorted(set(options.name) - set(known))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(known)}")
    ok = True
    for name in options.name or usual():
        if not options.json:
            print(name, flush=True)
        for row in _module(name).run():
            ok = ok and row.passed
            print(
                json.dumps({"benchmark": name, **dataclasses.asdict(row), "ratio": row.ratio})
                if options.json
                else line(row),
                flush=True,
            )
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
