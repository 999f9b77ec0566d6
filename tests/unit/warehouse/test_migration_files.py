from __future__ import annotations

from pas_lib.warehouse.migrate import migrations


def test_every_migration_has_a_number_of_its_own_and_its_place() -> None:
    found = migrations()
    versions = [migration.version for migration in found]
    assert versions == sorted(set(versions))
    assert versions[0] == 1
    assert all(migration.statements.strip() for migration in found)
