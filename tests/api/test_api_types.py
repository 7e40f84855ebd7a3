"""The types that users rely on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
def test_a_type_checker_knows_what_calls_and_handles_give() -> None:
    pytest.importorskip("mypy")
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--warn-unused-ignores", str(HERE / "type_cases.py")],
        cwd=HERE.parent.parent,
        capture_output=True,
        text=True,
    )

    assert "Success" in found.stdout, found.stdout + found.stderr
