"""Runs Django's own tests of its Tasks framework with our backend in the place of Django's, and
prints as JSON how many there are and which of them fail: ``suite.py TESTS WHICH URL``.

WHICH: ``immediate``, where jobs run at once; ``dummy``, where they wait; ``tasks``, those of the
framework itself. Only in a process of its own, because settings are made once."""

from __future__ import annotations

import io
import json
import sys
import unittest
from typing import Any

MODULES = {
    "immediate": "tasks.test_immediate_backend",
    "dummy": "tasks.test_dummy_backend",
    "tasks": "tasks.test_tasks",
}
BACKEND = "hueycore.contrib.djhuey.tasks.HueyBackend"


def main(tests: str, which: str, url: str) -> None:
    import django
    from django.conf import settings

    sys.path.insert(0, tests)
    settings.configure(
        HUEY={"name": "tests", "url": url, "immediate": which == "immediate"},
        INSTALLED_APPS=["hueycore.contrib.djhuey"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        TASKS={"default": {"BACKEND": BACKEND, "QUEUES": []}},
        USE_TZ=True,
    )
    django.setup()
    if which == "immediate":
        _replace("django.tasks.backends.immediate", "ImmediateBackend", _backend())
    else:
        _replace("django.tasks.backends.dummy", "DummyBackend", _listed(_backend()))
    print(json.dumps(_run(MODULES[which])))


def _backend() -> Any:
    from hueycore.contrib.djhuey.tasks import HueyBackend

    return HueyBackend


def _listed(backend: Any) -> Any:
    """What Django's tests ask of the dummy besides: the list of what it was given."""
    from hueycore.contrib.djhuey import HUEY
    from hueycore.model.jobs import Selector

    class Listed(backend):  # type: ignore[misc]
        @property
        def results(self) -> list[Any]:
            return [self.get_result(job.id) for job in HUEY.storage.jobs(Selector())]

        def clear(self) -> None:
            HUEY.flush()

    return Listed


def _replace(module: str, name: str, backend: Any) -> None:
    setattr(__import__(module, fromlist=[name]), name, backend)


def _run(module: str) -> dict[str, Any]:
    from django.test.runner import DiscoverRunner

    runner = DiscoverRunner(verbosity=0, interactive=False)
    suite = runner.build_suite([module])
    databases = runner.setup_databases()
    try:
        result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    finally:
        runner.teardown_databases(databases)
    failed = {
        test.id().rpartition(".")[2].partition(" ")[0]: trace.strip().splitlines()[-1]
        for test, trace in [*result.failures, *result.errors]
    }
    return {"run": result.testsRun - len(result.skipped), "failed": failed}


if __name__ == "__main__":
    main(*sys.argv[1:])
