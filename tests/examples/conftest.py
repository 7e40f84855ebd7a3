"""Examples run as their users run them: from their own folder, the consumer in its own process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from djangokit import PROJECT, Manage

from hueycore import SqliteHuey
from tests.helpers import PYTHONPATH, run_in

HERE = Path(__file__).parent

Example = Callable[[str, str, str], ModuleType]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Example]:
    """``example(folder, module, app)`` starts a consumer of ``app`` and imports ``module``."""
    consumers: list[subprocess.Popen[bytes]] = []
    names: list[str] = []

    def start(folder: str, module: str, app: str) -> ModuleType:
        # app.py and tasks.py are names of other examples as well.
        names.extend(path.stem for path in (HERE / folder).glob("*.py"))
        for name in names:
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setenv("HUEY_FILE", str(tmp_path / "huey.db"))
        monkeypatch.syspath_prepend(HERE / folder)
        command = [sys.executable, "-m", "hueyctl", "consume", app, "-w", "2", "-q"]
        environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
        consumers.append(subprocess.Popen(command, cwd=HERE / folder, env=environment))
        return import_module(module)

    yield start
    for consumer in consumers:
        consumer.terminate()
        assert consumer.wait(20) == 0
    for name in names:
        sys.modules.pop(name, None)


# --- the project django_app -----------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "SHOP_DATA": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def manage(environment: dict[str, str]) -> Manage:
    """``manage.py WORDS``; what it prints."""

    def run(*words: str) -> str:
        return run_in(PROJECT, environment, "manage.py", *words).stdout.strip()

    run("migrate", "--verbosity", "0")
    return run


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SqliteHuey]:
    """The queue as another process sees it."""
    huey = SqliteHuey("shop", tmp_path / "huey.db")
    yield huey
    huey.close()
