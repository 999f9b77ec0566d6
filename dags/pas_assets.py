"""Every asset, declared once. A DAG waits for the one before it by importing it from here."""

from __future__ import annotations

from airflow.sdk import Asset

COLLECTED = Asset(name="collected", uri="x-pas://collected", group="pipeline")
TRANSFORMED = Asset(name="transformed", uri="x-pas://transformed", group="pipeline")
DECIDED = Asset(name="decided", uri="x-pas://decided", group="pipeline")
EXECUTED = Asset(name="executed", uri="x-pas://executed", group="pipeline")
EVALUATED = Asset(name="evaluated", uri="x-pas://evaluated", group="pipeline")

ALL = (COLLECTED, TRANSFORMED, DECIDED, EXECUTED, EVALUATED)
