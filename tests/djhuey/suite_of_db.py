"""Runs the tests of django-tasks-db with our backend in the place of its own, and prints as JSON
how many there are and which of them fail: ``suite_of_db.py TESTS.PY URL``.

Its package is not there: the backend, the worker and the manager of its model are ours. What asks
more of the model than how many rows are in which state fails, and is a test of its ORM;
classes that are about nothing else are left out."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import types
import unittest
from typing import Any

BACKEND = "hueycore.contrib.djhuey.tasks.HueyBackend"
#: Its classes of tests.
CASES = ("DatabaseBackendTestCase", "DatabaseBackendWorkerTestCase", "CompatTestCase")


def main(path: str, url: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        HUEY={"name": "tests", "url": url, "immediate": False},
        INSTALLED_APPS=["hueycore.contrib.djhuey"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        TASKS={"default": {"BACKEND": BACKEND}},
        USE_TZ=True,
    )
    django.setup()
    _stand_in()
    tests = _tests(path)
    print(json.dumps(_run(tests)))


class Rows:
    """As much of the model's manager as counts."""

    def __init__(self, *states: str) -> None:
        self._states = states

    def count(self) -> int:
        from hueycore.contrib.djhuey import HUEY
        from hueycore.model.jobs import Selector
        from hueycore.model.states import State

        states = tuple(State(state) for state in self._states)
        return HUEY.storage.count(Selector(states=states))

    def ready(self) -> Rows:
        return Rows("pending")

    def successful(self) -> Rows:
        return Rows("done")

    def failed(self) -> Rows:
        return Rows("dead")


def _stand_in() -> None:
    """For the modules of the package."""
    from django_tasks.base import Task

    from hueycore.contrib.djhuey.tasks import HueyBackend

    names: dict[str, dict[str, Any]] = {
        "": {"DatabaseBackend": HueyBackend},
        ".compat": {"TASK_CLASSES": (Task,)},
        ".models": {"DBTaskResult": type("DBTaskResult", (), {"objects": Rows()})},
        ".utils": {
            "connection_requires_manual_exclusive_transaction": None,
            "exclusive_transaction": contextlib.ContextDecorator,
            "normalize_uuid": str,
        },
        ".management": {},
        ".management.commands": {},
        ".management.commands.prune_db_task_results": {"logger": None},
    }
    for name, given in names.items():
        module = types.ModuleType(f"django_tasks_db{name}")
        module.__dict__.update(given, __path__=[])
        sys.modules[module.__name__] = module
    sys.modules["django_tasks_db"].compat = sys.modules["django_tasks_db.compat"]  # type: ignore[attr-defined]


def _tests(path: str) -> types.ModuleType:
    home = types.ModuleType("tests")
    home.__path__ = []
    sys.modules["tests"] = home
    here = sys.path[0]
    home.tasks = _load("tests.tasks", f"{here}/tasks_of_db.py")  # type: ignore[attr-defined]
    tests = _load("tests.tests", path)
    tests.DatabaseBackendWorkerTestCase.run_worker = staticmethod(_run_worker)
    for name in CASES:
        getattr(tests, name).setUp = _begin
    tests.TransactionTestCase.assertNumQueries = lambda *_: contextlib.nullcontext()
    return tests


def _begin(*_: Any) -> None:
    from hueycore.contrib.djhuey import HUEY

    for queue in HUEY.storage.queues():
        HUEY.beside(queue.queue).flush()


def _load(name: str, path: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _run_worker(*, queue_name: str = "default", **_: Any) -> None:
    from hueycore.contrib.djhuey.queues import huey_of

    names = ("default", "queue-1") if queue_name == "*" else (queue_name,)
    for name in names:
        huey_of(name).create_consumer(burst=True).run()


def _run(tests: types.ModuleType) -> dict[str, Any]:
    from django.test.runner import DiscoverRunner

    runner = DiscoverRunner(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite(load(getattr(tests, name)) for name in CASES)
    try:
        result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    finally:
        runner.teardown_databases(databases)
    failed = {
        test.id().removeprefix("tests.tests.").partition(" ")[0]: trace.strip().splitlines()[-1]
        for test, trace in [*result.failures, *result.errors]
    }
    return {"run": result.testsRun - len(result.skipped), "failed": failed}


if __name__ == "__main__":
    main(*sys.argv[1:])
