"""Migrations are numbered, each once."""

from __future__ import annotations

from pas_lib.warehouse.migrate import migrations


def test_no_two_migrations_have_the_same_number() -> None:
    versions = [migration.version for migration in migrations()]
    assert versions == sorted(set(versions))
    assert versions[0] == 1
