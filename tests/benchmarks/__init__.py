"""Benchmarks: the same work as a peer, the same answer first, then time.

``python -m tests.benchmarks`` runs all, ``python -m tests.benchmarks allocation`` one; ``--json`` prints records.
A benchmark is a module ``bench_<name>.py`` in this folder with a function ``run() -> Iterable[Result]``. Peers are
optional (requirements-bench.in); without one its rows are skipped with the reason. Ratios are what counts,
milliseconds depend on the machine.
"""
