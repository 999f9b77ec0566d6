"""Where recorded payloads and real histories lie; they are not part of the repository.

``PAS_TEST_MATERIAL`` names the folder that holds ``wire`` and ``real``; by default a folder beside the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

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
