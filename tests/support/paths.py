"""Folders of the tests.

Recorded payloads and real histories are not part of the repository: ``PAS_TEST_MATERIAL`` names the folder that holds
``wire`` and ``real``; by default a folder beside the checkout.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

_ROOT = Path(__file__).resolve().parents[2]
MATERIAL = Path(os.environ.get("PAS_TEST_MATERIAL", _ROOT.parent / "shared"))
WIRE = MATERIAL / "wire"
REAL = MATERIAL / "real"


def needs(path: Path) -> Path:
    """Return the path, or skip the test with a reason when the material is not there."""
    if not path.exists():
        pytest.skip(f"recorded material {path.name} is not here; set PAS_TEST_MATERIAL")
    return path


def folder_in_memory() -> str:
    """Return the parent of folders whose data is thrown away: one in memory where there is plenty, or the usual one.

    Each test has a database of its own, which is hundreds of small files: in memory they cost a fifth.
    """
    memory, enough = "/dev/shm", 6 * 2**30
    if os.path.ismount(memory) and min(shutil.disk_usage(memory).free, psutil.virtual_memory().available) > enough:
        return memory
    return tempfile.gettempdir()
