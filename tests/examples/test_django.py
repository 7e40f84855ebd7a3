"""A Django project with ``hueycore.contrib.djhuey``: tests/examples/django_app."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from djangokit import PROJECT, Manage, invoices

from hueycore import SqliteHuey, State
from hueycore.model.jobs import Selector
from tests.helpers import run_in, wait_until


def test_a_job_is_enqueued_when_the_transaction_commits_and_never_when_it_rolls_back(
    manage: Manage, queue: SqliteHuey, tmp_path: Path
) -> None:
    id_ = manage("order", "ann")
    assert manage("order", "bob", "--change-of-mind") == "nothing was ordered"

    assert [job.id for job in queue.storage.jobs(Selector())] == [id_]
    assert invoices(tmp_path) == [("ann", "")]


def test_run_huey_runs_the_jobs_of_the_project(
    manage: Manage, queue: SqliteHuey, tmp_path: Path
) -> None:
    id_ = manage("order", "ann")

    manage("run_huey", "--burst")

    assert queue.result(id_) == "invoice of ann"
    assert invoices(tmp_path) == [("ann", "invoice of ann")]


def test_an_async_task_uses_the_database_as_django_does(
    manage: Manage, queue: SqliteHuey, environment: dict[str, str]
) -> None:
    manage("order", "ann")
    manage("order", "bob")
    code = (
        "import asyncio, django; django.setup()\n"
        "from shop.tasks import name_customers\n"
        "print(asyncio.run(name_customers.aenqueue()).id)\n"
    )
    done = run_in(PROJECT, environment, "-c", code)

    manage("run_huey", "--burst")

    assert queue.result(done.stdout.strip()) == ["ann", "bob"]


def test_run_huey_stops_gently_at_a_signal(
    manage: Manage, queue: SqliteHuey, environment: dict[str, str]
) -> None:
    consumer = subprocess.Popen(
        [sys.executable, "manage.py", "run_huey", "-w", "3"],
        cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_until(lambda: [w.slots for w in queue.storage.workers() if w.alive], 20)
        id_ = manage("order", "ann")
        wait_until(lambda: queue.storage.job(id_).state is State.DONE)  # type: ignore[union-attr]
        (periodic,) = queue.storage.periodic()
        assert periodic.name == "shop.tasks.clean_up"
    finally:
        consumer.send_signal(signal.SIGTERM)
        _, said = consumer.communicate(timeout=30)
    assert consumer.returncode == 0, said
    assert "stopped" in said


def test_immediate_mode_needs_no_consumer_and_run_huey_says_so(
    manage: Manage, environment: dict[str, str], tmp_path: Path
) -> None:
    code = (
        "from django.conf import settings; settings.DEBUG = True\n"
        "import django; django.setup()\n"
        "from django.core.management import CommandError, call_command\n"
        "from shop.tasks import count_orders\n"
        "assert count_orders().get() == 0\n"
        "try: call_command('run_huey')\n"
        "except CommandError as error: print(error)\n"
    )
    done = run_in(PROJECT, environment, "-c", code)
    assert "immediate mode" in done.stdout
    assert not (tmp_path / "huey.db").exists()


@pytest.fixture
def configured(environment: dict[str, str], tmp_path: Path) -> Callable[..., str]:
    """``run_huey --burst`` in a project with these settings; what it logged on stderr."""

    def run(settings: str, *words: str) -> str:
        (tmp_path / "own_settings.py").write_text(f"from settings import *\n{settings}\n")
        more = {
            "DJANGO_SETTINGS_MODULE": "own_settings",
            "PYTHONPATH": os.pathsep.join((str(tmp_path), environment.get("PYTHONPATH", ""))),
        }
        command = ("manage.py", "run_huey", "--burst", *words)
        return run_in(PROJECT, {**environment, **more}, *command).stderr

    return run


def test_run_huey_says_which_file_it_made(configured: Callable[..., str], tmp_path: Path) -> None:
    settings = (
        f"HUEY = {{'huey_class': 'huey.SqliteHuey', 'filename': {str(tmp_path / 'new.db')!r}}}"
    )

    assert f"created {tmp_path / 'new.db'}\n" in configured(settings)
    assert "created" not in configured(settings)


def test_settings_that_were_written_for_huey_are_read(
    configured: Callable[..., str], tmp_path: Path
) -> None:
    settings = (
        "HUEY = {'huey_class': 'huey.SqliteHuey', 'name': 'shop',\n"
        "        'connection': {'timeout': 9, 'ssl': True},\n"
        "        'consumer': {'workers': 1, 'worker_type': 'thread', 'simple_log': True,\n"
        "                     'loglevel': 'INFO', 'logfile': BASE_DIR / 'log'}}"
    )

    assert "no effect: connection: it is for another engine" in configured(settings)
    (_created, first, *_) = (tmp_path / "log").read_text().splitlines()
    assert " consumer " in first
    assert "INFO" not in first


@pytest.mark.parametrize(
    ("settings", "words", "begins", "debug"),
    [
        ("{}", [], True, False),
        ("{}", ["-q"], False, False),
        ("{}", ["-V"], True, True),
        ("{'verbose': True}", ["--quiet"], False, False),
        ("{'verbose': False}", ["--huey-verbose"], True, True),
        ("{'loglevel': 30}", [], False, False),
        ("{'loglevel': 10}", [], True, True),
    ],
)
def test_hueys_options_of_the_log_are_taken(
    configured: Callable[..., str], settings: str, words: list[str], begins: bool, debug: bool
) -> None:
    at_the_end = "logging.getLogger('hueycore.consumer').debug('the end')"
    said = configured(
        f"import atexit, logging; atexit.register(lambda: {at_the_end})\n"
        f"HUEY = {{'consumer': {settings}}}",
        *words,
    )

    assert ("workers on" in said, "the end" in said) == (begins, debug), said


def test_a_mistake_in_the_settings_is_named(environment: dict[str, str]) -> None:
    """At the first use: tasks can be declared, so that ``manage.py check`` says it before."""
    code = (
        "from django.conf import settings; settings.HUEY = {'filname': 'typo'}\n"
        "from hueycore.contrib.djhuey import task\n"
        "task()(print)(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT, env=environment,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "ConfigurationError: settings.HUEY" in done.stderr
    assert "filname" in done.stderr


def test_tasks_of_django_are_declared_as_others_are(environment: dict[str, str]) -> None:
    code = (
        "from django.conf import settings; settings.DEBUG = True\n"
        "import django; django.setup()\n"
        "from hueycore.contrib.djhuey import db_task, lock_task, on_commit_task\n"
        "@lock_task('shelf')\n"
        "@db_task()\n"
        "def sort(shelf, by='name'): return f'{shelf} by {by}'\n"
        "print(sort(1, by='price').get())\n"
        "with lock_task('door'): pass\n"
        "@on_commit_task()\n"
        "def clean(shelf): return shelf\n"
        "for call in (lambda: sort(), lambda: clean(1, 2)):\n"
        "    try: call()\n"
        "    except TypeError as error: print(error)\n"
    )
    done = run_in(PROJECT, environment, "-c", code)
    assert done.stdout.splitlines() == [
        "1 by price",
        "__main__.sort(shelf, by='name'): missing a required argument: 'shelf'",
        "__main__.clean(shelf): too many positional arguments",
    ]
