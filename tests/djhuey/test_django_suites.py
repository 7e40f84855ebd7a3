"""Tests of others, run on our backend of Django's Tasks framework: Django's own, and on the
backport those of django-tasks-db."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import django
import pytest

from tests.djhuey.differences import DB, DJANGO
from tests.djhuey.sdists import unpacked
from tests.helpers import PYTHONPATH

HERE = Path(__file__).parent
IN_DJANGO = django.VERSION >= (6, 0)


def found_by(suite: str, folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(HERE / suite), *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def check(failed: dict[str, str], different: dict[str, str]) -> None:
    assert {name: why for name, why in failed.items() if name not in different} == {}
    assert sorted(set(different) - set(failed)) == [], "these pass: take them out"


@pytest.mark.skipif(not IN_DJANGO, reason="Django 5.2 has no Tasks framework of its own")
@pytest.mark.parametrize("which", DJANGO)
def test_djangos_tests_of_tasks_pass_but_for_those_that_state_what_its_backends_are(
    which: str, tmp_path: Path, path: str, pytestconfig: pytest.Config
) -> None:
    assert pytestconfig.cache is not None
    home = unpacked(pytestconfig.cache, "django", django.__version__)

    found = found_by("suite.py", tmp_path, str(home / "tests"), which, path)

    check(found["failed"], DJANGO[which])
    assert found["run"] >= {"immediate": 20, "dummy": 17, "tasks": 39}[which]


@pytest.mark.skipif(IN_DJANGO, reason="django-tasks-db tests the backport")
def test_those_of_django_tasks_db_pass_but_for_those_that_are_about_its_model_and_its_command(
    tmp_path: Path, path: str, pytestconfig: pytest.Config
) -> None:
    assert pytestconfig.cache is not None
    home = unpacked(pytestconfig.cache, "django_tasks_db", "0.12.0")

    found = found_by("suite_of_db.py", tmp_path, str(home / "tests" / "tests.py"), path)

    check(found["failed"], DB)
    assert found["run"] == 55
