"""enqueue: through an application and straight into a file, one job and many."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import APP, QueueFile, Write

from hueycore.model.jobs import Selector

Invoke = Callable[..., Result]


@pytest.fixture
def put(queue: QueueFile, invoke: Invoke) -> Callable[..., Any]:
    """Enqueue into the file and answer with the job as JSON shows it."""

    def run(*words: str) -> Any:
        result = invoke("enqueue", "-u", "queue.db", "--json", *words)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


def test_a_job_of_a_task_that_is_held_back_waits_its_turn_without_an_application(
    queue: QueueFile, put: Callable[..., Any]
) -> None:
    from hueycore.model.limits import Limit

    queue.storage.declare_limits([Limit("app.sync", "daily", 1)])

    seen = [put("app.sync"), put("app.sync"), put("app.other")]

    assert [(one["key_name"], one["state"]) for one in seen] == [
        ("daily", "pending"), ("daily", "blocked"), (None, "pending"),
    ]  # fmt: skip


def test_the_long_id_alone_is_printed(queue: QueueFile, invoke: Invoke) -> None:
    result = invoke("enqueue", "-u", "queue.db", "any.task", "a", "n:=5", "--", "-5", "--full")

    assert result.exit_code == 0
    assert result.stderr == ""
    job = queue.storage.job(result.stdout.strip())
    assert job is not None
    assert (job.task, job.state, job.preview) == (
        "any.task", "pending", "'a', '-5', '--full', n=5",
    )  # fmt: skip


def test_a_terminal_gets_a_word_about_it_on_stderr(
    queue: QueueFile, on_tty: Callable[..., Any]
) -> None:
    code, shown = on_tty("enqueue", "-u", "queue.db", "any.task")

    assert code == 0
    assert shown.splitlines()[1] == "Queued 1  any.task()"


UNTYPED = """
@huey.task()
def plus(a, b):
    return a + b
"""


def test_the_notice_shows_the_call_that_will_be_made(
    queue: QueueFile, app: str, write: Callable[..., Path], on_tty: Callable[..., Any]
) -> None:
    write("untyped.py", f"from app import huey\n{UNTYPED}")

    words = ("enqueue", "-A", "untyped:huey")
    _, untyped = on_tty(*words, "untyped.plus", "1", "2")
    _, typed_ = on_tty(*words, "app.add", "1", "2")
    _, by_name = on_tty("enqueue", "-u", "queue.db", "any.task", "1", "k:=2")
    _, again = on_tty("enqueue", "-u", "queue.db", "any.task", "--unique", "k", "a")
    _, kept = on_tty(
        "enqueue", "-u", "queue.db", "any.task", "--unique", "k", "--if-exists", "keep"
    )

    # Words stay strings where the function has no annotations.
    assert untyped.splitlines()[1] == "Queued 1  untyped.plus('1', '2')"
    assert typed_.splitlines()[1] == "Queued 2  app.add(1, 2)"
    assert by_name.splitlines()[1] == "Queued 3  any.task('1', k=2)"
    assert again.splitlines()[1] == "Queued 4  any.task('a')"
    assert kept.splitlines()[1] == "Already queued: 4  any.task('a')"


def test_one_who_waits_is_told_the_call(
    queue: QueueFile, app: str, write: Callable[..., Path], invoke: Invoke
) -> None:
    # Named in a file alone, the application is imported by enqueue, and not refused afterwards.
    write("pyproject.toml", f'[tool.hueyctl]\napp = "{app}"\n')

    result = invoke("enqueue", "app.add", "1", "-W", "-t", "1ms")

    assert result.exit_code == 124
    assert "hueyctl: queued 1  app.add(1)\n" in result.stderr


@pytest.mark.parametrize(
    ("words", "args"),
    [
        (["-5"], ["-5"]), (["-5", "--delay", "5m", "x"], ["-5", "x"]), (["-.5", "a"], ["-.5", "a"]),
        (["-5,3", "-q"], ["-5,3"]), (["--priority", "-5", "-7"], ["-7"]), (["-q", "-1e"], ["-1e"]),
        (["k:=-5", "-6", "--", "-x"], ["-6", "-x"]),
    ],
)  # fmt: skip
def test_a_negative_number_is_an_argument(
    put: Callable[..., Any], words: list[str], args: list[str]
) -> None:
    job = put("any.task", *words)

    assert job["args"] == args
    assert job["priority"] == (-5 if "--priority" in words else 0)


def test_a_negative_number_is_an_argument_of_a_call_here_and_of_a_schedule_too(
    queue: QueueFile, app: str, invoke: Invoke
) -> None:
    called = invoke("run", "-A", app, "app.add", "-5", "-1", "--timeout", "5s")
    added = invoke("periodic", "add", "-u", "queue.db", "n", "any.task", "-5", "--every", "90s")

    assert (called.exit_code, called.stdout) == (0, "-6\n")
    assert added.exit_code == 0
    assert [row.preview for row in queue.storage.periodic()] == ["'-5'"]


def test_what_is_no_number_is_an_unknown_option_still(queue: QueueFile, invoke: Invoke) -> None:
    for word in ("-x", "--5", "-", "-."):
        result = invoke("enqueue", "-u", "queue.db", "any.task", word)
        assert result.exit_code == (0 if word == "-" else 2), word


def test_the_options_of_a_job_are_stored(put: Callable[..., Any]) -> None:
    now = time.time()
    job = put(
        "any.task", "--delay", "1h", "--expires", "2h", "--priority", "-1.5", "--retries", "3",
        "--retry-delay", "90s", "--id", "mine",
    )  # fmt: skip

    assert job["state"] == "scheduled"
    assert job["id"] == "mine"
    assert (job["priority"], job["retries"], job["retry_delay"]) == (-1.5, 3, 90)
    assert moment(job["run_at"]) == pytest.approx(now + 3600, abs=20)
    assert moment(job["expires_at"]) == pytest.approx(now + 3 * 3600, abs=20)


def moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_an_eta_is_local_unless_utc_is_said(put: Callable[..., Any]) -> None:
    assert put("t", "--eta", "2090-01-02T03:04", "--utc")["run_at"] == "2090-01-02T03:04:00.000Z"
    assert moment(put("t", "--eta", "+1h")["run_at"]) > time.time() + 3000


def test_an_id_that_waits_already_is_not_doubled(queue: QueueFile, invoke: Invoke) -> None:
    for _ in range(2):
        result = invoke("enqueue", "-u", "queue.db", "any.task", "--id", "one")
        assert (result.exit_code, result.stdout) == (0, "one\n")

    assert invoke("depth", "-u", "queue.db").stdout == "1\n"


def test_the_name_of_the_queue_comes_from_the_file_when_there_is_one(
    home: Path, invoke: Invoke
) -> None:
    QueueFile(home / "mail.db", "mail").storage.close()
    made = QueueFile(home / "mail.db", "mail")
    made.add("t")
    made.storage.close()

    assert invoke("enqueue", "-u", "mail.db", "t").exit_code == 0
    assert invoke("depth", "-u", "mail.db", "-Q", "mail").stdout == "2\n"

    other = QueueFile(home / "mail.db", "other")
    other.add("t")
    other.storage.close()
    result = invoke("enqueue", "-u", "mail.db", "t")
    assert result.exit_code == 2
    assert "several queues: mail, other" in result.stderr
    assert invoke("enqueue", "-u", "mail.db", "-Q", "other", "t").exit_code == 0
    assert invoke("enqueue", "-u", "sqlite:///mail.db?name=mail", "t").exit_code == 0


@pytest.mark.parametrize(
    ("serializer", "first"),
    [
        ("pickle", 0x01), ("json", 0x02), ("pickle+gzip", 0x10), ("json+zlib", 0x11),
        ("signed", None), ("signed+gzip", None), ("custom", None), ("pickle+lzma", None),
    ],
)  # fmt: skip
def test_the_serializer_is_the_one_that_the_queue_uses(
    queue: QueueFile, invoke: Invoke, serializer: str, first: int | None
) -> None:
    queue.storage.serializer = serializer
    queue.add("t")

    result = invoke("enqueue", "-u", "queue.db", "t", "x")

    if first is None:
        assert (result.exit_code, result.stdout) == (6, "")
        assert f"a serializer that only its application has: {serializer}" in result.stderr
        assert "use -A" in result.stderr
    else:
        assert result.exit_code == 0
        payload = queue.storage.payload(2)
        assert payload is not None and payload[0] == first
        assert json.loads(invoke("show", "-u", "queue.db", "2", "--json").stdout)["args"] == ["x"]


@pytest.mark.parametrize(
    "words",
    [
        [], ["t", "--delay", "5m", "--eta", "5m"], ["t", "-t", "5s"], ["t", "--eta", "soon"],
        ["t", "--expires", "x"], ["t", "--retries", "-1"], ["t", "--id", ""], ["t", "--args", "x"],
        ["--from", "-", "t", "arg"], ["--from", "-", "-W"], ["--from", "missing.jsonl"],
        ["t", "-W", "--dry-run"], ["t", "-Q", "a", "-Q", "b"],
        ["t", "--priority", "nan"], ["t", "--priority", "inf"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: list[str]
) -> None:
    assert invoke("enqueue", "-u", "queue.db", *words, input="").exit_code == 2
    assert invoke("depth", "-u", "queue.db").stdout == "0\n"


@pytest.mark.parametrize(("words", "seconds"), [((), 60), (("--delay", "1h"), 3660)])
def test_a_relative_expiry_is_shown_as_the_time_that_it_will_be(
    put: Callable[..., Any], invoke: Invoke, words: tuple[str, ...], seconds: int
) -> None:
    now = time.time()
    given = ("t", "--expires", "60s", *words)
    planned = invoke("enqueue", "-u", "queue.db", *given, "--dry-run", "--json", "--create")

    for job in (json.loads(planned.stdout), put(*given)):
        assert moment(job["expires_at"]) == pytest.approx(now + seconds, abs=20)


def test_a_dry_run_says_what_it_would_do_and_does_not(queue: QueueFile, invoke: Invoke) -> None:
    words = ("enqueue", "-u", "queue.db", "t", "a", "k:=1", "--dry-run")
    text, data = invoke(*words), invoke(*words, "--json")

    assert (text.stdout, text.stderr) == ("", "hueyctl: would queue t('a', k=1)\n")
    assert json.loads(data.stdout)["kwargs"] == {"k": 1}
    assert invoke("depth", "-u", "queue.db").stdout == "0\n"


def test_more_than_the_queue_takes_is_refused(queue: QueueFile, invoke: Invoke, home: Path) -> None:
    (home / "big").write_text("x" * 10_000_001)

    result = invoke("enqueue", "-u", "queue.db", "t", "@big")

    assert result.exit_code == 6
    assert "10,000,000" in result.stderr


# --- with an application -------------------------------------------------------------------------


def test_an_application_checks_and_converts(
    app: str, hueyctl: Callable[..., Any], home: Path
) -> None:
    done = hueyctl("enqueue", "-A", app, "app.add", "3", "b=4", "--json")

    job = json.loads(done.stdout)
    assert (job["task"], job["args"], job["kwargs"]) == ("app.add", [3, 4], {})
    assert (home / "queue.db").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["app.add", "x"], 2, "app.add: parameter 'a': 'x' is not a valid int"),
        (["app.add"], 2, "missing a required argument: 'a'"),
        (["app.greet", "x", "greating=hi"], 2, "did you mean greeting=?"),
        (["app.ad", "1"], 3, "did you mean app.add?"),
        (["add", "1"], 3, "did you mean app.add?"),
        (["nothing.like.it"], 3, "no task 'nothing.like.it'"),
        (["app.add", "x", "--no-coerce"], 0, ""),
        (["app.add", "--no-check"], 0, ""),
        (["app.whoami"], 0, ""),
        (["app.whoami", "task=x"], 2, "unexpected keyword argument 'task'"),
    ],
)
def test_an_application_refuses_what_does_not_fit(
    app: str, hueyctl: Callable[..., Any], words: list[str], code: int, said: str
) -> None:
    done = hueyctl("enqueue", "-A", app, *words)

    assert done.returncode == code, done.stderr
    assert said in done.stderr


@pytest.fixture
def two_queues(write: Write, queue: QueueFile) -> None:
    """An application with a queue more, and a module of tasks of that one."""
    write(
        "shop.py",
        APP
        + """
mail = Huey("mail", url="queue.db", allow_paths=())

@mail.task()
def send(to):
    return to

@mail.task(name="drop")
def dropped(to):
    return to
""",
    )
    write("letters.py", "from shop import mail\n\n@mail.task()\ndef letter(to):\n    pass\n")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("enqueue", "shop.send", "ann"), "shop:mail"),
        (("enqueue", "shop.drop", "ann"), "shop:mail"),
        (("enqueue", "letters.letter", "ann"), "letters:mail"),
        (("enqueue", "shop.add", "1", "--then", "shop.send"), "shop:mail"),
        (("enqueue", "shop.add", "1", "--on-error", "shop.send"), "shop:mail"),
        (("run", "shop.send", "ann"), "shop:mail"),
        (("periodic", "add", "daily", "--every", "1d", "shop.send", "ann"), "shop:mail"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_task_of_another_queue_is_refused_with_the_name_of_its_application(
    two_queues: None,
    queue: QueueFile,
    hueyctl: Callable[..., Any],
    words: tuple[str, ...],
    name: str,
) -> None:
    done = hueyctl("-A", "shop:huey", *words)

    assert done.returncode == 6
    assert "of queue 'mail', not of 'huey'" in done.stderr
    assert f"hint: say --app {name}\n" in done.stderr
    assert queue.storage.jobs(Selector()) == []


def test_nor_does_it_depend_on_the_paths_that_an_application_allows(
    two_queues: None, hueyctl: Callable[..., Any]
) -> None:
    done = hueyctl("-A", "shop:mail", "enqueue", "shop.add", "1")

    assert (done.returncode, "hint: say --app shop:huey\n" in done.stderr) == (6, True)


def test_a_line_of_a_file_is_refused_for_it_and_the_rest_goes_on(
    two_queues: None, queue: QueueFile, hueyctl: Callable[..., Any]
) -> None:
    lines = '{"task": "shop.send", "args": [1]}\n{"task": "shop.add", "args": [1]}\n'

    done = hueyctl("-A", "shop:huey", "enqueue", "--from", "-", input=lines)

    assert done.returncode == 1
    assert "line 1: shop.send is a task of queue 'mail', not of 'huey' (say --app " in done.stderr
    assert [job.task for job in queue.storage.jobs(Selector())] == ["shop.add"]


def test_with_its_application_or_its_queue_it_is_queued(
    two_queues: None, queue: QueueFile, hueyctl: Callable[..., Any]
) -> None:
    for words in (("-A", "shop:mail"), ("-A", "shop:huey", "-Q", "mail")):
        assert hueyctl(*words, "enqueue", "shop.send", "ann").returncode == 0

    found = queue.storage.jobs(Selector())
    assert [(job.queue, job.task) for job in found] == [("mail", "shop.send")] * 2


def test_the_options_of_the_task_stand_unless_others_are_given(
    app: str, hueyctl: Callable[..., Any]
) -> None:
    own = json.loads(hueyctl("enqueue", "-A", app, "app.boom", "x", "--json").stdout)
    said = json.loads(
        hueyctl("enqueue", "-A", app, "app.boom", "x", "--retries", "0", "--json").stdout
    )

    assert (own["retries"], said["retries"]) == (1, 0)


def test_with_both_the_code_is_the_applications_and_the_file_the_urls(
    app: str, hueyctl: Callable[..., Any], home: Path
) -> None:
    missing = hueyctl("enqueue", "-A", app, "-u", "else.db", "app.add", "1")
    assert missing.returncode == 69
    done = hueyctl("enqueue", "-A", app, "-u", "else.db", "app.add", "1", "--create", "--json")

    assert json.loads(done.stdout)["args"] == [1]
    assert sorted(name for name in os.listdir(home) if name.endswith(".db")) == ["else.db"]


def test_looking_with_an_application_creates_nothing(
    app: str, hueyctl: Callable[..., Any], home: Path
) -> None:
    done = hueyctl("list", "-A", app)

    assert done.returncode == 69
    assert "yet" in done.stderr
    assert not (home / "queue.db").exists()


def test_a_queue_in_memory_is_refused(home: Path, hueyctl: Callable[..., Any]) -> None:
    (home / "mem.py").write_text("from hueycore import MemoryHuey\nhuey = MemoryHuey('m')\n")

    for words in (("list",), ("enqueue", "mem.task")):
        done = hueyctl(*words, "-A", "mem")
        assert done.returncode == 69
        assert "memory" in done.stderr


@pytest.mark.feature("pipeline")
def test_then_makes_a_pipeline_in_the_file(queue: QueueFile, invoke: Invoke) -> None:
    result = invoke(
        *("enqueue", "-u", "queue.db", "app.a", "x", "--then", "app.b", "--then", "app.c"),
        *("--on-error", "app.alert"),
    )

    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    first, second, third = queue.storage.stages(1)
    assert result.stdout.strip() == first.id
    assert [job.task for job in (first, second, third)] == ["app.a", "app.b", "app.c"]
    assert [(job.next, job.waits) for job in (first, second, third)] == [(2, 0), (3, 1), (None, 1)]
    assert all(queue.storage.is_handled(seq) for seq in (1, 2, 3))


@pytest.mark.feature("on_error")
def test_through_an_application_stages_and_handlers_are_its_tasks(
    app: str, hueyctl: Callable[..., Any], home: Path
) -> None:
    words = ("enqueue", "-A", app, "app.add", "1", "--then", "app.add", "--on-error", "app.greet")
    done = hueyctl(*words)
    assert done.returncode == 0, done.stderr
    shown = json.loads(hueyctl("show", done.stdout.strip(), "-A", app, "--json").stdout)
    assert [each["task"] for each in shown["tree"]] == ["app.add", "app.add"]

    plan = json.loads(hueyctl(*words, "--dry-run", "--json").stdout)
    assert (plan["then"], plan["on_error"]) == (["app.add"], "app.greet")
    for option in ("--then", "--on-error"):
        unknown = hueyctl("enqueue", "-A", app, "app.add", "1", option, "app.ad")
        assert (unknown.returncode, "did you mean app.add?" in unknown.stderr) == (3, True)


def test_wait_waits_for_the_last_stage(
    app: str, hueyctl: Callable[..., Any], spawn: Callable[..., Any]
) -> None:
    spawn("consume", app, "-q")
    done = hueyctl("enqueue", "-A", app, "app.add", "1", "--then", "app.add", "-W", "-t", "20s")
    assert (done.returncode, done.stdout.strip()) == (0, "5")


def test_lines_of_a_file_each_get_what_comes_after_them(queue: QueueFile, invoke: Invoke) -> None:
    lines = "".join(json.dumps({"task": "app.a", "args": [n]}) + "\n" for n in range(3))
    result = invoke(
        "enqueue", "-u", "queue.db", "--from", "-", "--then", "app.b", "--on-error", "app.c",
        input=lines,
    )  # fmt: skip
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    assert [job.next for job in queue.storage.jobs(selector(task="app.a"))] == [2, 4, 6]


def selector(**fields: Any) -> Any:
    from hueycore.model.jobs import Selector

    return Selector(**fields)


# --- functions by their path ----------------------------------------------------------------------

TOOLS = """
from datetime import date
from os import getpid

print("imported")

def reindex(name: str, times: int = 1, since: date | None = None):
    return f"{name} {times}"

def boom():
    raise ValueError("boom")
"""


@pytest.fixture
def tools(app: str, home: Path) -> str:
    """Functions that the application does not register, beside it."""
    (home / "tools.py").write_text(TOOLS)
    (home / "unlicensed.py").write_text("raise RuntimeError('no licence')")
    return app


@pytest.mark.feature("path tasks")
def test_a_function_is_queued_by_its_path_and_run(
    tools: str, hueyctl: Callable[..., Any], home: Path
) -> None:
    queued = hueyctl("enqueue", "-A", tools, "tools.reindex", "products", "times=3", "--json")
    job = json.loads(queued.stdout)
    assert (job["task"], job["args"], job["retries"]) == ("tools.reindex", ["products", 3], 0)
    assert "imported" in queued.stderr

    assert hueyctl("consume", tools, "--burst").returncode == 0
    assert hueyctl("result", "-u", "queue.db", "1").stdout == '"products 3"\n'
    assert hueyctl("doctor", "-A", tools, "--json").returncode in (0, 1)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tools.reindex", "x", "times=y"], 2, "parameter 'times': 'y' is not a valid int"),
        (["tools.reindex"], 2, "missing a required argument: 'name'"),
        (["tools.reindx", "x"], 3, "did you mean tools.reindex?"),
        (["tool.reindex", "x"], 3, "there is no module 'tool'"),
        (["unlicensed.task"], 78, "cannot import 'unlicensed': RuntimeError: no licence"),
        (["tools.reindex", "x", "--dry-run"], 0, "would queue tools.reindex('x')"),
        (["tools.boom", "-W", "-t", "0"], 124, "timed out"),
    ],
)
def test_a_path_is_checked_before_it_is_queued(
    tools: str, hueyctl: Callable[..., Any], words: list[str], code: int, said: str
) -> None:
    done = hueyctl("enqueue", "-A", tools, *words)

    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "paths.py" not in done.stderr  # only frames of the application's own


def test_lines_of_a_file_may_name_paths(tools: str, hueyctl: Callable[..., Any]) -> None:
    lines = '{"task": "tools.reindex", "args": ["a"]}\n{"task": "tools.nothing"}\n'

    done = hueyctl("enqueue", "-A", tools, "--from", "-", input=lines)

    assert (done.returncode, len(done.stdout.splitlines())) == (1, 1)
    assert "line 2: no task 'tools.nothing'" in done.stderr


@pytest.mark.feature("path tasks")
@pytest.mark.parametrize(
    ("options", "path", "code"),
    [
        ("serializer=JSONSerializer()", "tools.reindex", 3),
        ("serializer=SignedSerializer('s')", "tools.reindex", 3),
        ("serializer=JSONSerializer(), allow_paths=['tools.*']", "tools.reindex", 0),
        ("serializer=JSONSerializer(), allow_paths=['tools.*']", "tools.getpid", 3),
        ("allow_paths=[]", "tools.reindex", 3),
        ("compression=True", "tools.reindex", 0),
    ],
)
def test_the_application_says_which_paths_are_allowed(
    tools: str, hueyctl: Callable[..., Any], home: Path, options: str, path: str, code: int
) -> None:
    (home / "strict.py").write_text(
        "from hueycore import JSONSerializer, SignedSerializer, SqliteHuey\n"
        f"huey = SqliteHuey('huey', filename='queue.db', {options})\n"
    )

    done = hueyctl("enqueue", "-A", "strict", path, "x", "--no-check")

    assert done.returncode == code, done.stderr
    assert ("allow" in done.stderr) == (code == 3)
    assert (home / "queue.db").exists() == (code == 0)


# --- unique keys ----------------------------------------------------------------------------------


@pytest.mark.feature("unique")
def test_a_second_job_of_a_unique_key_is_refused_by_default(
    queue: QueueFile, invoke: Invoke
) -> None:
    words = ("enqueue", "-u", "queue.db", "any.task", "--unique", "nightly")
    first = invoke(*words)
    again = invoke(*words)

    assert (first.exit_code, again.exit_code, again.stdout) == (0, 6, "")
    assert again.stderr.splitlines()[0] == (
        f'hueyctl: job {first.stdout.strip()} of any.task has the unique key "nightly"'
    )
    assert "--if-exists" in again.stderr
    assert invoke("enqueue", "-u", "queue.db", "other.task", "--unique", "nightly").exit_code == 0
    assert queue.storage.count(Selector()) == 2


@pytest.mark.parametrize("how", ["keep", "replace"])
def test_a_unique_job_is_kept_or_replaced_and_keeps_its_id(
    queue: QueueFile, put: Callable[..., Any], how: str
) -> None:
    first = put("any.task", "one", "--unique", "nightly")

    again = put("any.task", "two", "--unique", "nightly", "--if-exists", how, "--delay", "1h")

    assert again["id"] == first["id"]
    assert (again["unique_key"], again["unique_until"]) == ("nightly", "end")
    expected = ("'one'", "pending") if how == "keep" else ("'two'", "scheduled")
    job = queue.storage.job(first["id"])
    assert job is not None and (job.preview, job.state) == expected


@pytest.mark.parametrize(
    "words", [("--if-exists", "keep"), ("--unique", ""), ("--unique", "k", "--if-exists", "skip")]
)
def test_a_unique_key_that_makes_no_sense_is_a_usage_error(
    queue: QueueFile, invoke: Invoke, words: tuple[str, ...]
) -> None:
    assert invoke("enqueue", "-u", "queue.db", "any.task", *words).exit_code == 2


def test_lines_of_a_file_may_be_unique(queue: QueueFile, invoke: Invoke, tmp_path: Path) -> None:
    lines = tmp_path / "jobs.jsonl"
    lines.write_text(
        "".join(
            json.dumps({"task": "t", "args": [n], "unique": f"k{n % 2}"}) + "\n" for n in range(4)
        )
    )
    words = ("enqueue", "-u", "queue.db", "--from", str(lines))

    refused = invoke(*words)
    kept = invoke(*words, "--if-exists", "keep")

    assert refused.exit_code == 1
    assert "line 3: job" in refused.stderr and "line 4: job" in refused.stderr
    assert kept.exit_code == 0
    assert queue.storage.count(Selector()) == 2
