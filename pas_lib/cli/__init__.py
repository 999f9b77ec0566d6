"""The command line: ``pas``. Every command answers in tables for people and, with ``--json``, in JSON for programs."""

from pas_lib.cli.app import app, main

__all__ = ["app", "main"]
