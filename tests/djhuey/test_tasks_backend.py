"""The backend for Django's Tasks framework, in the project tests/examples/django_tasks_app: on
Django 5.2 by the backport, on Django 6 its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hueycore import Huey
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from tests.djhuey.letterskit import PRELUDE, PROJECT
from tests.helpers import PYTHONPATH, run_in

Run = Callable[..., Any]


@pytest.fixture
def environment(path: str, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(tmp_path), PYTHONPATH)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "settings",
        "LETTERS_QUEUE": path,
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs code in the project; what it prints last, as JSON."""

    def call(code: str, **more: str) -> Any:
        said = run_in(PROJECT, {**environment, **more}, "-c", PRELUDE + code).stdout
        return json.loads(said.splitlines()[-1]) if said else None

    return call


@pytest.fixture
def consume(environment: dict[str, str]) -> Callable[..., str]:
    """``manage.py run_huey --burst``; what it says."""

    def call(*words: str, **more: str) -> str:
        command = ("manage.py", "run_huey", "--burst", *words)
        return run_in(PROJECT, {**environment, **more}, *command).stderr

    return call


@pytest.fixture
def queue(path: str) -> Iterator[Huey]:
    """The queue as another process sees it."""
    huey = Huey("letters", url=path)
    yield huey
    huey.close()


def test_a_task_is_enqueued_run_and_read_as_the_framework_says(
    run: Run, consume: Callable[..., str], queue: Huey
) -> None:
    first = run(
        "result = write.enqueue('Ann', greeting='Hello')\n"
        "same = write.get_result(result.id)\n"
        "assert result == same and same.task == write, same\n"
        "assert result.args == ['Ann'] and result.kwargs == {'greeting': 'Hello'}\n"
        "print(json.dumps(told(result)))"
    )
    assert (first["status"], first["queue"], first["attempts"]) == ("READY", "default", 0)
    (job,) = queue.storage.jobs(Selector())
    assert (job.id, job.task, job.queue) == (first["id"], "letters.tasks.write", "letters")

    consume("-k", "process", "--name", "desk")

    last = run(
        f"result = backend.get_result({first['id']!r})\n"
        "assert result.enqueued_at <= result.started_at <= result.finished_at\n"
        "assert result.last_attempted_at == result.started_at and result.is_finished\n"
        "assert result.return_value == 'Hello Ann'\n"
        "print(json.dumps(told(result)))"
    )
    assert (last["status"], last["value"], last["workers"]) == (
        "SUCCESSFUL",
        "Hello Ann",
        ["desk/1"],
    )


def test_an_async_task_runs_in_the_queue_and_with_the_priority_that_it_names(
    run: Run, consume: Callable[..., str], queue: Huey
) -> None:
    id_ = run("print(json.dumps(send.enqueue('Ann').id))")
    job = queue.storage.job(id_)
    assert job is not None and (job.queue, job.priority) == ("mail", 10)

    consume("--queue", "default")
    assert run(f"print(json.dumps(told(backend.get_result({id_!r}))))")["status"] == "READY"
    consume("--queue", "mail", "-k", "asyncio")

    told = run(f"print(json.dumps(told(send.get_result({id_!r}))))")
    assert (told["status"], told["value"]) == ("SUCCESSFUL", {"sent": ["Ann"]})
    assert (told["queue"], told["priority"]) == ("mail", 10)


def test_run_huey_runs_every_queue_that_the_settings_name(
    run: Run, consume: Callable[..., str], queue: Huey, tmp_path: Path
) -> None:
    """And fires periodic tasks once, in the queue of ``settings.HUEY``."""
    (tmp_path / "own_settings.py").write_text(
        "from settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'clock']\n"
    )
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "__init__.py").touch()
    (tmp_path / "clock" / "tasks.py").write_text(
        "from hueycore.contrib.djhuey import periodic_task\n"
        "@periodic_task('1h')\ndef strike(): ...\n"
    )
    ids = run("print(json.dumps([write.enqueue('Ann').id, send.enqueue('Bob').id]))")

    consume(DJANGO_SETTINGS_MODULE="own_settings")

    assert [schedule.name for schedule in queue.storage.periodic()] == ["clock.tasks.strike"]
    assert queue.beside("mail").storage.periodic() == []
    told = run(f"print(json.dumps([told(backend.get_result(id)) for id in {ids!r}]))")
    assert [each["status"] for each in told] == ["SUCCESSFUL"] * 2


def test_a_failure_has_the_class_of_its_exception_by_its_path(
    run: Run, consume: Callable[..., str]
) -> None:
    id_ = run("print(json.dumps(fail.enqueue('Ann').id))")

    consume()

    told = run(
        f"result = backend.get_result({id_!r})\n"
        "from letters.tasks import Undeliverable\n"
        "assert result.errors[0].exception_class is Undeliverable\n"
        "assert result.errors[0].traceback.endswith('Undeliverable: Ann\\n')\n"
        "print(json.dumps(told(result)))"
    )
    assert (told["status"], told["errors"]) == ("FAILED", ["letters.tasks.Undeliverable"])
    assert (told["attempts"], len(told["workers"])) == (1, 1)


def test_a_task_is_tried_again_as_the_options_of_its_backend_say(
    run: Run, consume: Callable[..., str]
) -> None:
    id_ = run("print(json.dumps(insist.enqueue('Ann').id))")

    consume("--name", "desk")

    told = run(
        f"result = task_backends['patient'].get_result({id_!r})\n"
        "assert result.started_at < result.last_attempted_at\n"
        "print(json.dumps(told(result)))"
    )
    assert (told["status"], told["value"], told["attempts"]) == ("SUCCESSFUL", 2, 2)
    assert (told["errors"], told["workers"]) == (["builtins.ConnectionError"], ["desk", "desk"])


def test_a_task_whose_retry_is_to_come_is_ready_and_has_errors(run: Run) -> None:
    told = run(
        "result = insist.enqueue('Ann')\n"
        "row = HUEY.dequeue(); row.retry_delay = 600; HUEY.execute(row)\n"
        "result.refresh()\n"
        "assert not result.is_finished and result.finished_at is None\n"
        "print(json.dumps(told(result)))"
    )
    assert (told["status"], told["attempts"]) == ("READY", 1)
    assert told["errors"] == ["builtins.ConnectionError"]


def test_a_deferred_task_waits(run: Run, consume: Callable[..., str], queue: Huey) -> None:
    id_ = run(
        "from datetime import timedelta\n"
        "from django.utils import timezone\n"
        "when = timezone.now() + timedelta(hours=1)\n"
        "result = write.using(run_after=when).enqueue('Ann')\n"
        "again = write.get_result(result.id)\n"
        "assert result == again and again.task.run_after == when, again\n"
        "print(json.dumps(result.id))"
    )

    consume()

    job = queue.storage.job(id_)
    assert job is not None and job.state is State.SCHEDULED


def test_what_is_purged_or_no_task_of_the_framework_has_no_result(run: Run) -> None:
    run(
        "def missing(id):\n"
        "    try: backend.get_result(id)\n"
        "    except TaskResultDoesNotExist: return True\n"
        "result = write.enqueue('Ann')\n"
        "other = HUEY.call('operator.add', 1, 2)\n"
        "assert missing('1') and missing(other.id)\n"
        "HUEY.flush()\n"
        "assert missing(result.id)\n"
    )


def test_a_task_is_enqueued_on_commit_where_the_settings_say_so(run: Run, queue: Huey) -> None:
    code = (
        "from django.test import override_settings\n"
        "from django.db import transaction\n"
        "seen = []\n"
        "def hear(sender, task_result, **_): seen.append(task_result.id)\n"
        "task_enqueued.connect(hear)\n"
        "from django.conf import settings\n"
        "tasks = {'default': {'BACKEND': settings.BACKEND, 'ENQUEUE_ON_COMMIT': True}}\n"
        "with override_settings(TASKS=tasks):\n"
        "    with transaction.atomic():\n"
        "        result = write.enqueue('Ann')\n"
        "        assert result.id and result.enqueued_at is None and not seen\n"
        "        try: result.refresh()\n"
        "        except TaskResultDoesNotExist: pass\n"
        "    assert seen == [result.id]\n"
        "    result.refresh(); assert result.enqueued_at\n"
        "    try:\n"
        "        with transaction.atomic(): write.enqueue('Bob'); raise LookupError\n"
        "    except LookupError: pass\n"
        "print(json.dumps(seen))"
    )
    assert [job.id for job in queue.storage.jobs(Selector())] == []

    assert run(code) == [job.id for job in queue.storage.jobs(Selector())]


def test_a_batch_and_a_unique_task_are_as_with_any_job(run: Run, queue: Huey) -> None:
    run(
        "from django.conf import settings\n"
        "from django.test import override_settings\n"
        "with HUEY.batch():\n"
        "    result = write.enqueue('Ann')\n"
        "    assert result.enqueued_at is None and not result.is_finished\n"
        "result.refresh(); assert result.enqueued_at\n"
        "from letters.tasks import fail\n"
        "HUEY.registry.get('letters.tasks.fail').unregister()\n"
        "tasks = {'default': {'BACKEND': settings.BACKEND, 'OPTIONS': {'unique': 'args'}}}\n"
        "with override_settings(TASKS=tasks):\n"
        "    assert fail.enqueue('Bob') == fail.enqueue('Bob') != fail.enqueue('Eve')\n"
    )

    assert len(queue.storage.jobs(Selector())) == 3


def test_a_task_of_a_module_that_nobody_has_imported_is_found_by_its_path(
    run: Run, consume: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "elsewhere.py").write_text(
        "from letters.tasks import task\n\n\n@task\ndef count(number):\n    return number + 1\n"
    )
    id_ = run("import elsewhere\nprint(json.dumps(elsewhere.count.enqueue(1).id))")

    consume()

    told = run(f"print(json.dumps(told(backend.get_result({id_!r}))))")
    assert (told["status"], told["value"]) == ("SUCCESSFUL", 2)


def test_signals_of_the_framework_come_after_the_commit(
    run: Run, consume: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "own_settings.py").write_text(
        "from settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'listener']\n"
    )
    (tmp_path / "listener").mkdir()
    (tmp_path / "listener" / "__init__.py").touch()
    (tmp_path / "listener" / "tasks.py").write_text(
        "import os\n"
        "from hueycore.contrib.djhuey.framework import *\n"
        "def hear(signal, name):\n"
        "    def receiver(sender, task_result, **_):\n"
        "        task_result.refresh()\n"
        "        with open(os.environ['HEARD'], 'a') as file:\n"
        "            print(task_result.args[0], name, task_result.status, file=file)\n"
        "    signal.connect(receiver, weak=False)\n"
        "hear(task_enqueued, 'enqueued'); hear(task_started, 'started')\n"
        "hear(task_finished, 'finished')\n"
    )
    more = {"DJANGO_SETTINGS_MODULE": "own_settings", "HEARD": str(tmp_path / "heard")}

    run("import listener.tasks\nwrite.enqueue('Ann'); fail.enqueue('Bob')", **more)
    consume("-k", "process", "-w", "1", **more)

    heard = (tmp_path / "heard").read_text().splitlines()
    assert [line for line in heard if line.startswith("Ann")] == [
        "Ann enqueued READY", "Ann started RUNNING", "Ann finished SUCCESSFUL",
    ]  # fmt: skip
    assert [line for line in heard if line.startswith("Bob")] == [
        "Bob enqueued READY", "Bob started RUNNING", "Bob finished FAILED",
    ]  # fmt: skip


def test_a_run_reads_its_row_only_for_those_who_look_at_it(run: Run, queue: Huey) -> None:
    found = run(
        "import logging\n"
        "lines, reads, values = [], [], []\n"
        "log = logging.getLogger('django.tasks' if django.VERSION >= (6,) else 'django_tasks')\n"
        "log.setLevel('INFO')\n"
        "class Kept(logging.Handler):\n"
        "    def emit(self, record):\n"
        "        lines.append(record.getMessage().split('state=')[1])\n"
        "log.addHandler(Kept())\n"
        "plain_job, plain_result = HUEY.storage.job, HUEY.storage.result\n"
        "def read(verb):\n"
        "    return lambda *args, **how: (reads.append(verb.__name__), verb(*args, **how))[1]\n"
        "HUEY.storage.job, HUEY.storage.result = read(plain_job), read(plain_result)\n"
        "def go():\n"
        "    del reads[:], lines[:]\n"
        "    HUEY.execute(HUEY.dequeue())\n"
        "    return sorted(reads), list(lines)\n"
        "write.enqueue('Ann'); alone = go()\n"
        "fail.enqueue('Bob'); failed = go()\n"
        "def hear(sender, task_result, **_):\n"
        "    found = told(task_result)\n"
        "    values.append([found['status'], found['attempts'], found['value']])\n"
        "task_started.connect(hear); task_finished.connect(hear)\n"
        "write.enqueue('Cid'); heard = go()\n"
        "task_started.disconnect(hear); task_finished.disconnect(hear)\n"
        "write.enqueue('Dan')\n"
        "print(json.dumps([alone, failed, heard, values, go()]))\n"
    )

    alone, failed, heard, values, later = found
    assert alone == later == [[], ["RUNNING", "SUCCESSFUL"]]
    assert failed == [["job"], ["RUNNING", "FAILED"]]
    assert heard == [["job", "job", "result"], ["RUNNING", "SUCCESSFUL"]]
    assert values == [["RUNNING", 1, None], ["SUCCESSFUL", 1, "Dear Cid"]]
    assert {str(job.state) for job in queue.storage.jobs(Selector())} == {"done", "dead"}
