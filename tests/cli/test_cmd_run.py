"""run: a call in this process, without the queue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile, Write
from operatingkit import Invoke, consumer, row, start

from tests.helpers import write_lock_of

Run = Callable[..., subprocess.CompletedProcess[str]]

SHOP = """
import decimal
import sys
import time
from hueycore import CancelExecution, Huey, RetryTask

huey = Huey("huey", url="queue.db")
told = []

@huey.task()
def add(a: int, b: int = 2) -> int:
    print("adding")
    return a + b

@huey.task(context=True, retries=3, priority=7)
def about(task):
    return [task.id, task.retries, task.priority, task.attempt]

@huey.task(timeout=0.05)
def slow(seconds: float):
    time.sleep(seconds)

@huey.task()
def raises(what):
    if what == "exit":
        sys.exit(3)
    if what == "retry":
        raise RetryTask("later")
    if what == "cancel":
        raise CancelExecution("no more")
    if what == "mute":
        raise Mute
    raise LookupError(what)

@huey.task()
def value(expression):
    return eval(expression)

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

class Rude:
    def __str__(self):
        raise RuntimeError
    __repr__ = __str__

@huey.on_startup()
def begin():
    print("startup")

@huey.on_shutdown()
def end():
    print("shutdown")

@huey.pre_execute()
def before(task):
    print("before", task.name)
    if task.args == ("forbidden",):
        raise CancelExecution

@huey.post_execute()
def after(task, value, error):
    print("after", value, type(error).__name__)
"""
TOOLS = """
from datetime import date

def reindex(name, times: int = 1, since: date = None):
    return [name, times, since]

def broken():
    raise ValueError("broken")

async def wait(seconds: float):
    import asyncio
    await asyncio.sleep(seconds)
    return "waited"
"""


@pytest.fixture
def shop(home: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    write("shop.py", SHOP)
    (home / "tools.py").write_text(TOOLS)
    (home / "unlicensed.py").write_text("raise RuntimeError('no licence')")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield "shop"
    for name in ("shop", "tools", "unlicensed"):
        sys.modules.pop(name, None)


@pytest.fixture
def run(shop: str, invoke: Invoke) -> Callable[..., Any]:
    def call(*words: str, **how: Any) -> Any:
        return invoke("run", "-A", shop, *words, **how)

    return call


# --- what it prints -------------------------------------------------------------------------------


def test_the_value_alone_is_on_stdout_and_what_the_task_prints_on_stderr(
    run: Callable[..., Any], home: Path
) -> None:
    done = run("shop.add", "3", "b=4")

    assert (done.exit_code, done.stdout) == (0, "7\n")
    assert done.stderr.splitlines() == [
        "startup", "before add", "adding", "after 7 NoneType", "shutdown",
    ]  # fmt: skip
    assert not (home / "queue.db").exists()


def test_hooks_can_be_left_out(run: Callable[..., Any]) -> None:
    assert run("shop.add", "1", "--no-hooks").stderr == "adding\n"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("None", "null"), ("'text'", '"text"'), ("[1, {'a': None}]", '[1, {"a": null}]'),
        ("(1, 2)", "[1, 2]"), ("decimal.Decimal('1.5')", '"1.5"'), ("b'ab'", '{"base64": "YWI="}'),
        ("float('nan')", '"nan"'), ("'\\x1b[2J\\x9b'", '"\\u001b[2J\\u009b"'),
    ],
)  # fmt: skip
def test_a_value_is_json(run: Callable[..., Any], expression: str, shown: str) -> None:
    done = run("shop.value", expression, "--no-hooks")

    assert (done.exit_code, done.stdout) == (0, f"{shown}\n")
    as_json = run("shop.value", expression, "--no-hooks", "--json").stdout
    assert json.loads(as_json) == json.loads(shown)


@pytest.mark.parametrize(
    "expression", ["Rude()", "[Rude()]", "[0] * 300_000", "(a := []).append(a) or a", "10 ** 9000"]
)
def test_a_value_that_json_cannot_say_is_said_in_words(
    run: Callable[..., Any], expression: str
) -> None:
    for form in ((), ("--json",)):
        done = run("shop.value", expression, "--no-hooks", *form)
        assert done.exit_code == 0
        assert isinstance(json.loads(done.stdout), str)


def test_a_task_is_passed_to_those_that_ask(run: Callable[..., Any]) -> None:
    id_, retries, priority, attempt = json.loads(run("shop.about", "--no-hooks").stdout)

    assert (len(id_), retries, priority, attempt) == (36, 3, 7, 0)


# --- which task -----------------------------------------------------------------------------------


@pytest.mark.feature("path tasks")
def test_a_function_of_a_path_is_called_with_its_annotated_types(run: Callable[..., Any]) -> None:
    done = run("tools.reindex", "products", "times=3", "since=2026-11-20")

    assert (done.exit_code, done.stdout) == (0, '["products", 3, "2026-11-20"]\n')


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["shop.ad", "1"], 3, "did you mean shop.add?"),
        (["add", "1"], 3, "did you mean shop.add?"),
        (["tools.reindx", "x"], 3, "did you mean tools.reindex?"),
        (["nowhere.task"], 3, "there is no module 'nowhere'"),
        (["unlicensed.task"], 78, "cannot import 'unlicensed': RuntimeError: no licence"),
        (["shop.add"], 2, "missing a required argument: 'a'"),
        (["shop.add", "x"], 2, "'x' is not a valid int"),
        (["shop.add", "1", "--args", "x"], 2, "--args: not JSON"),
        (["tools.reindex", "x", "time=2"], 2, "did you mean times=?"),
        ([], 2, "say either which task, or which --job"),
        (["shop.add", "1", "--job", "1"], 2, "say either which task, or which --job"),
        (["--job", "1", "--args", "[1]"], 2, "say either which task, or which --job"),
        (["shop.add", "1", "--timeout", "soon"], 2, "soon"),
        (["shop.add", "1", "--timeout", "0"], 2, "'0'"),
        (["shop.add", "1", "-Q", "a", "-Q", "b"], 2, "one queue"),
        (["shop.add", "1", "-u", "typo.db"], 69, "typo.db"),
    ],
)
def test_what_cannot_be_called_says_why(
    run: Callable[..., Any], words: list[str], code: int, said: str
) -> None:
    done = run(*words)

    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert "before" not in done.stderr  # nothing ran


def test_an_application_is_needed_and_must_be_there(home: Path, invoke: Invoke) -> None:
    assert invoke("run", "any.task").exit_code == 2
    assert invoke("run", "any.task", "-u", "queue.db").exit_code == 2
    assert invoke("run", "-A", "nowhere", "any.task").exit_code == 78


# --- how it ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("boom", "shop.raises raised LookupError: boom"),
        ("exit", "shop.raises raised SystemExit: 3"),
        ("retry", "shop.raises raised RetryTask: later"),
        ("cancel", "shop.raises raised CancelExecution: no more"),
        ("mute", "shop.raises raised Mute (its message cannot be shown)"),
        ("forbidden", "shop.raises raised CancelExecution"),
    ],
)
def test_a_task_that_raises_is_5(run: Callable[..., Any], what: str, said: str) -> None:
    done = run("shop.raises", what)

    assert (done.exit_code, done.stdout) == (5, "")
    assert said in done.stderr
    assert "shutdown" in done.stderr
    assert ("after None" in done.stderr) == (what != "forbidden")


def test_the_traceback_is_shown_when_it_is_asked_for(run: Callable[..., Any]) -> None:
    quiet, verbose = run("tools.broken"), run("tools.broken", "-v")

    assert 'raise ValueError("broken")' not in quiet.stderr
    assert 'raise ValueError("broken")' in verbose.stderr
    error = json.loads(run("tools.broken", "--json", "--no-hooks").stderr)["error"]
    assert (error["code"], error["exit"]) == ("task_failed", 5)


@pytest.mark.parametrize("words", [["0.5"], ["60", "--timeout", "50ms"], ["60", "-t", "0.05"]])
def test_a_task_whose_time_is_up_is_124(run: Callable[..., Any], words: list[str]) -> None:
    done = run("shop.slow", *words)

    assert done.exit_code == 124
    assert "shop.slow timed out after 0.05 s" in done.stderr
    assert "after None TaskTimeout" in done.stderr


def test_more_time_than_the_task_allows_can_be_given(run: Callable[..., Any]) -> None:
    assert run("shop.slow", "0.1", "-t", "20s").exit_code == 0


def test_an_async_function_is_awaited_and_its_time_kept(run: Callable[..., Any]) -> None:
    assert run("tools.wait", "0").stdout == '"waited"\n'
    late = run("tools.wait", "60", "-t", "0.05")

    assert late.exit_code == 124
    assert "tools.wait timed out after 0.05 s" in late.stderr


def test_an_interrupt_is_130(shop: str, spawn: Callable[..., Any], home: Path) -> None:
    (home / "tools.py").write_text(
        "import os, signal, time\n"
        "def hang():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
    )
    child = spawn("run", "-A", shop, "tools.hang")

    assert child.wait(20) == 130
    assert "hueyctl: interrupted" in child.stderr.read()


# --- the call of a job ----------------------------------------------------------------------------


def untouched(queue: QueueFile, seq: int = 1) -> tuple[Any, ...]:
    found = row(queue, seq)
    return found._replace(), queue.storage.payload(seq)


@pytest.mark.parametrize("state", ["pending", "scheduled", "dead", "done", "running"])
def test_the_call_of_a_job_is_made_and_the_job_left_alone(
    queue: QueueFile, run: Callable[..., Any], state: str
) -> None:
    later = {"run_at": 4_000_000_000.0} if state == "scheduled" else {}
    queue.add("shop.add", 40, kwargs={"b": 2}, **later)
    if state == "dead":
        queue.kill()
    elif state == "done":
        queue.finish(1)
    elif state == "running":
        start(queue, consumer(queue))
    before = untouched(queue)

    done = run("--job", "1")

    assert (done.exit_code, done.stdout) == (0, "42\n")
    assert untouched(queue) == before
    assert queue.state("1") == state
    assert ("is running in a consumer as well" in done.stderr) == (state == "running")


def test_a_job_brings_its_own_id_and_options(queue: QueueFile, run: Callable[..., Any]) -> None:
    id_ = queue.add("shop.about", retries=1, priority=2)
    queue.add("shop.slow", 60, timeout=0.05)
    queue.add("tools.reindex", "by path")

    assert json.loads(run("--job", id_).stdout) == [id_, 1, 2, 0]
    assert run("--job", "2").exit_code == 124
    assert run("--job", "3").stdout == '["by path", 1, null]\n'


def test_a_job_that_is_not_there_or_cannot_be_read(
    queue: QueueFile, run: Callable[..., Any]
) -> None:
    queue.add("shop.add", payload=b"\x01garbage")
    queue.add("nowhere.task")

    assert run("--job", "99").exit_code == 3
    unreadable, unknown = run("--job", "1"), run("--job", "2")
    assert (unreadable.exit_code, unknown.exit_code) == (5, 3)
    assert "the call of job 1 cannot be read: unreadable pickle data" in unreadable.stderr
    assert "there is no module 'nowhere'" in unknown.stderr
    assert run("--job", "1", "-Q", "nope").exit_code == 3


def test_without_a_file_there_is_no_job(run: Callable[..., Any], home: Path) -> None:
    assert run("--job", "1").exit_code == 69
    (home / "queue.db").write_bytes(bytes(range(256)) * 20)
    assert run("--job", "1").exit_code == 69
    assert run("shop.add", "1").stdout == "3\n"  # a task needs none
    os.unlink(home / "queue.db")
    (home / "queue.db").touch()
    assert run("--job", "1").exit_code in (3, 69)


@pytest.mark.sql_only("a writer holds a lock")
def test_a_locked_queue_is_enough(queue: QueueFile, run: Callable[..., Any]) -> None:
    queue.add("shop.add", 1)
    with write_lock_of(str(queue.where)):
        assert run("--job", "1").stdout == "3\n"


@pytest.mark.sqlite_only("it is about the file")
def test_a_read_only_file_is_enough(queue: QueueFile, run: Callable[..., Any], home: Path) -> None:
    queue.add("shop.add", 1)
    queue.storage.close()
    os.chmod(home / "queue.db", 0o400)
    assert run("--job", "1").stdout == "3\n"


def test_the_url_is_the_file_and_the_application_the_code(
    home: Path, run: Callable[..., Any]
) -> None:
    other = QueueFile(home / "other.db", "mail")
    other.add("shop.add", 5)
    other.storage.close()

    assert run("--job", "1", "-u", "other.db").stdout == "7\n"


def test_a_queue_in_memory_has_tasks_but_no_jobs(home: Path, hueyctl: Run) -> None:
    (home / "mem.py").write_text(
        "from hueycore import MemoryHuey\n"
        "huey = MemoryHuey('m')\n"
        "@huey.task()\n"
        "def add(a: int, b: int): return a + b\n"
    )

    assert hueyctl("run", "-A", "mem", "mem.add", "1", "2").stdout == "3\n"
    assert hueyctl("run", "-A", "mem", "--job", "1").returncode == 69


def test_a_task_that_enqueues_uses_the_queue(home: Path, hueyctl: Run) -> None:
    (home / "web.py").write_text(
        "from hueycore import SqliteHuey\n"
        "huey = SqliteHuey(filename='queue.db')\n"
        "@huey.task()\n"
        "def child(n): ...\n"
        "@huey.task()\n"
        "def parent(): return [child(n).seq for n in range(3)]\n"
    )

    assert hueyctl("run", "-A", "web", "web.parent").stdout == "[1, 2, 3]\n"
    assert hueyctl("depth", "-u", "queue.db").stdout == "3\n"
