"""enqueue --from: JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile, Write

from hueycore.model.jobs import NewJob
from hueycore.storage.sqlite import SqliteStorage

Invoke = Callable[..., Result]


def feed(invoke: Invoke, lines: str, *words: str) -> Result:
    return invoke("enqueue", "-u", "queue.db", "--from", "-", *words, input=lines)


def test_one_id_per_line_in_order(queue: QueueFile, invoke: Invoke) -> None:
    lines = "\n".join(json.dumps({"task": "t", "args": [n], "id": f"id{n}"}) for n in range(30))

    result = feed(invoke, lines, "--batch", "7")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [f"id{n}" for n in range(30)]
    assert result.stderr == "hueyctl: queued 30 jobs\n"
    assert feed(invoke, lines, "-q").stderr == ""


def test_by_default_a_call_has_as_many_jobs_as_the_storage_wants(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    enqueue = SqliteStorage.enqueue

    def count(self: SqliteStorage, jobs: Sequence[NewJob], *more: Any) -> Any:
        sizes.append(len(jobs))
        return enqueue(self, jobs, *more)

    monkeypatch.setattr(SqliteStorage, "chunk", 3)
    monkeypatch.setattr(SqliteStorage, "enqueue", count)

    assert feed(invoke, '{"task": "t"}\n' * 7).exit_code == 0
    assert sizes == [3, 3, 1]
    assert feed(invoke, '{"task": "t"}\n' * 7, "--batch", "5").exit_code == 0
    assert sizes[3:] == [5, 2]


def test_a_file_is_read_as_well(queue: QueueFile, invoke: Invoke, home: Path) -> None:
    (home / "jobs.jsonl").write_text('{"task": "t"}\n\n{"task": "t"}\n')

    assert invoke("enqueue", "-u", "queue.db", "--from", "jobs.jsonl").stdout.count("\n") == 2


def test_a_terminal_gets_the_number_of_many_and_not_their_ids(
    queue: QueueFile, home: Path, on_tty: Callable[..., tuple[int, str]]
) -> None:
    (home / "jobs.jsonl").write_text('{"task": "app.add"}\n' * 200)
    (home / "few.jsonl").write_text('{"task": "app.add"}\n' * 3)
    words = ("enqueue", "-u", "queue.db", "--from")

    assert on_tty(*words, "jobs.jsonl") == (0, "hueyctl: queued 200 jobs\n")
    assert len(on_tty(*words, "few.jsonl")[1].splitlines()) == 4
    assert len(on_tty(*words, "jobs.jsonl", "-o", "name")[1].splitlines()) == 201


def test_a_byte_order_mark_is_no_part_of_the_first_line(
    queue: QueueFile, invoke: Invoke, home: Path
) -> None:
    lines = '\ufeff{"task": "t", "args": ["\ufeffx"]}\r\n{"task": "t"}\r\n'
    (home / "jobs.jsonl").write_text(lines)

    assert invoke("enqueue", "-u", "queue.db", "--from", "jobs.jsonl").exit_code == 0
    assert feed(invoke, lines).exit_code == 0
    listed = invoke("list", "-u", "queue.db", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["args"] for line in listed] == [["\ufeffx"], []] * 2


def test_nor_of_ids_a_dump_a_url_or_the_settings(
    queue: QueueFile, invoke: Invoke, home: Path, write: Write
) -> None:
    queue.add("t")
    queue.kill("ValueError", "no")
    mark = "\ufeff"
    write("url", f"{mark}queue.db\n")
    (home / "hueyctl.toml").write_text(f'{mark}url = "@url"\n')

    dump = invoke("dead", "dump").stdout
    assert invoke("show", "-", input=f"{mark}1\n").exit_code == 0
    loaded = invoke("dead", "load", "-", "-u", "new.db", "--create", input=f"{mark}{dump}")
    created = f"hueyctl: created {home / 'new.db'}\n"
    assert (loaded.exit_code, loaded.stderr) == (0, f"{created}hueyctl: 1 of 1 jobs loaded\n")


def test_a_bad_line_is_reported_with_its_number_and_the_rest_goes_on(
    queue: QueueFile, invoke: Invoke
) -> None:
    bad = [
        "not json", "[1]", '{"args": []}', '{"task": "t", "colour": 1}', '{"task": 5}',
        '{"task": "t", "args": {}}', '{"task": "t", "kwargs": []}', '{"task": "t", "delay": "x"}',
        '{"task": "t", "eta": "soon"}', '{"task": "t", "retries": 1.5}',
        '{"task": "t", "retries": -1}', '{"task": "t", "priority": "high"}',
        '{"task": "t", "delay": -1}', '{"task": "t", "id": 5}', "[" * 100_000,
    ]  # fmt: skip
    lines = "\n".join(['{"task": "t"}', *bad, '{"task": "t"}'])

    result = feed(invoke, lines)

    assert result.exit_code == 1
    assert result.stdout.count("\n") == 2
    for number in range(2, len(bad) + 2):
        assert f"hueyctl: line {number}: " in result.stderr
    assert result.stderr.endswith(f"queued 2 jobs, {len(bad)} bad lines\n")


def test_options_stand_where_a_line_says_nothing(queue: QueueFile, invoke: Invoke) -> None:
    lines = (
        '{"id": "a"}\n'
        '{"id": "b", "task": "own", "priority": 1, "delay": "2h", "retries": 5, "retry_delay": 7}\n'
        '{"id": "c", "eta": "2090-01-01T00:00Z", "expires": 60}\n'
    )

    feed(invoke, lines, "default.task", "--delay", "1h", "--priority", "9")

    a, b, c = (queue.storage.job(key) for key in "abc")
    assert a is not None
    assert b is not None
    assert c is not None
    now = time.time()
    assert (a.task, a.priority, b.task, b.priority) == ("default.task", 9, "own", 1)
    assert a.run_at == pytest.approx(now + 3600, abs=30)
    assert b.run_at == pytest.approx(now + 7200, abs=30)
    assert (b.retries, b.retry_delay) == (5, 7)
    assert c.run_at == 3786912000
    assert (c.expires_at, c.expires_in) == (3786912060, 60)


def test_one_job_that_is_too_large_does_not_take_its_batch_with_it(
    queue: QueueFile, invoke: Invoke
) -> None:
    big = json.dumps({"task": "t", "args": ["x" * 10_000_001]})

    result = feed(invoke, f'{{"task": "t"}}\n{big}\n{{"task": "t"}}\n')

    assert result.exit_code == 1
    assert "line 2: the arguments take" in result.stderr
    assert invoke("depth", "-u", "queue.db").stdout == "2\n"


@pytest.mark.parametrize(("form", "count"), [("json", 1), ("jsonl", 2)])
def test_jobs_are_printed_as_json(queue: QueueFile, invoke: Invoke, form: str, count: int) -> None:
    result = feed(invoke, '{"task": "a"}\n{"task": "b"}\n', "-o", form)

    documents = [json.loads(line) for line in result.stdout.replace(",\n", ",").splitlines()]
    assert len(documents) == count
    jobs: list[Any] = documents[0] if form == "json" else documents
    assert [job["task"] for job in jobs] == ["a", "b"]


def test_a_dry_run_checks_every_line_and_queues_none(queue: QueueFile, invoke: Invoke) -> None:
    result = feed(invoke, '{"task": "a"}\nx\n', "--dry-run")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "would queue 1 job, 1 bad line" in result.stderr
    assert invoke("depth", "-u", "queue.db").stdout == "0\n"


def test_nothing_is_queued_from_nothing(queue: QueueFile, invoke: Invoke) -> None:
    result = feed(invoke, "", "-o", "json")

    assert (result.exit_code, result.stdout) == (0, "[]\n")


def test_an_application_checks_each_line(app: str, hueyctl: Callable[..., Any]) -> None:
    lines = (
        '{"task": "app.add", "args": ["1"]}\n{"task": "app.add", "args": ["x"]}\n'
        '{"task": "app.ad"}\n{"task": "app.greet", "kwargs": {"name": "ann"}}\n'
    )

    done = hueyctl("enqueue", "-A", app, "--from", "-", "-o", "jsonl", input=lines)

    jobs = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [job["args"] for job in jobs] == [[1], ["ann"]]
    assert "line 2: app.add: parameter 'a'" in done.stderr
    assert "line 3: no task 'app.ad'" in done.stderr


def test_a_full_queue_stops_it_with_the_count_so_far(
    home: Path, app: str, hueyctl: Callable[..., Any]
) -> None:
    source = (home / "app.py").read_text()
    (home / "app.py").write_text(source.replace('"queue.db"', '"queue.db", max_pending=4'))
    lines = '{"task": "app.add", "args": [1]}\n' * 9

    done = hueyctl("enqueue", "-A", app, "--from", "-", "--batch", "2", input=lines)

    assert done.returncode == 6
    assert done.stdout.count("\n") == 4
    assert "queued 4 jobs" in done.stderr
