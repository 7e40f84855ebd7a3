"""dead dump and dead load: everything comes over, and nothing is lost on the way."""

from __future__ import annotations

import base64
import datetime
import decimal
import gzip
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clikit import QueueFile
from operatingkit import Invoke, OnTty, alter, ask, change, error, states

from hueyctl.answers.dump import to_line
from hueyctl.changes import dumpfile, loader, source
from hueyctl.changes.parser import BadLine, to_cargo

Run = Callable[..., subprocess.CompletedProcess[str]]

#: Arguments that JSON would spoil.
ARGS = (
    (1, (2, 3)), {1: "x", None: [True]}, {"s", 2}, frozenset({1}), b"\x00\xff", 2**70, 1.5, "grün",
    "\x1b[2J\n", datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC), datetime.date(2026, 1, 2),
    datetime.timedelta(days=1), decimal.Decimal("1.10"), uuid.UUID(int=7), complex(1, 2), None,
)  # fmt: skip


@pytest.fixture
def letters(queue: QueueFile) -> QueueFile:
    """1 and 2 dead, 3 done, 4 pending."""
    queue.add("app.all", *ARGS, kwargs={"by": (1,), "at": ARGS[9]}, priority=2.5, retries=3)
    queue.kill("TimeoutError", "too slow")
    queue.add("app.mail.send", "ann", timeout=9.0)
    queue.kill("ValueError", "broken\x1b[2J")
    queue.add("app.fine")
    queue.finish("fine")
    queue.add("app.waits")
    return queue


def jobs_of(text: str) -> list[dict[str, Any]]:
    """The jobs of a dump, between its first and its last line."""
    first, *jobs, last = map(json.loads, text.splitlines())
    assert first["schema"] == "hueyctl.dump/2"
    assert last == {"end": first["dump"], "jobs": len(jobs), "records": 0}
    return jobs


def dumped(invoke: Invoke, *words: str) -> list[dict[str, Any]]:
    result = ask(invoke, "dead", "dump", *words)
    assert result.exit_code == 0, result.output
    return jobs_of(result.stdout)


def cargo(path: Path | str) -> list[Any]:
    """Everything in a queue, but for what belongs to the queue."""
    from hueycore.model.jobs import Selector
    from hueycore.storage.open import open_storage

    storage = open_storage(path, create=False, read_only=True)
    try:
        return [one._replace(job=one.job._replace(seq=0)) for one in storage.export(Selector())]
    finally:
        storage.close()


# --- dump -----------------------------------------------------------------------------------------


def test_a_line_is_the_job_with_its_bytes(letters: QueueFile, invoke: Invoke) -> None:
    first, second = dumped(invoke)

    assert (first["seq"], first["task"], first["state"]) == (1, "app.all", "dead")
    assert second["args"] == ["ann"]
    assert second["error"]["type"] == "ValueError"
    assert [each["message"] for each in second["errors"]] == ["broken\x1b[2J"]
    assert first["result"] is None
    blob = base64.b64decode(first["payload"]["base64"])
    assert first["payload"]["serializer"] == "pickle/1"
    assert letters.serializer.deserialize(blob)[0] == ARGS


def test_only_dead_letters_are_dumped_whatever_is_asked_for(
    letters: QueueFile, invoke: Invoke
) -> None:
    assert [each["seq"] for each in dumped(invoke, "--all")] == [1, 2]
    assert [each["seq"] for each in dumped(invoke, "2", "3", "4")] == [2]
    assert [each["seq"] for each in dumped(invoke, "--task", "app.mail.*")] == [2]
    assert [each["seq"] for each in dumped(invoke, "--where", "error.type=TimeoutError")] == [1]
    assert [each["seq"] for each in dumped(invoke, "--where", "args.0=ann")] == [2]
    assert [each["seq"] for each in dumped(invoke, "--sort", "-seq", "-n", "1")] == [2]
    assert [each["seq"] for each in dumped(invoke, "-n", "1")] == [1]
    assert ask(invoke, "dead", "dump", "--state", "done").exit_code == 2


def test_every_page_of_many_is_dumped_once(queue: QueueFile, invoke: Invoke) -> None:
    for number in range(120):
        queue.add("app.task", number)
    queue.run(_dead, workers=120)

    assert [each["args"] for each in dumped(invoke)] == [[number] for number in range(120)]
    backwards = dumped(invoke, "--sort", "-seq")
    assert [each["seq"] for each in backwards] == list(range(120, 0, -1))


def _dead(claim: Any) -> Any:
    from hueycore.model.endings import Dead

    return Dead("failed")


def test_the_number_is_told_on_stderr(letters: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "dead", "dump").stderr == "hueyctl: 2 dead letters written\n"
    assert ask(invoke, "dead", "dump", "-q").stderr == ""


def test_an_empty_dump_is_0_or_4_when_asked(queue: QueueFile, invoke: Invoke) -> None:
    assert (ask(invoke, "dead", "dump").exit_code, dumped(invoke)) == (0, [])
    assert ask(invoke, "dead", "dump", "--exit-code").exit_code == 4


def test_a_file_is_private_whole_and_never_overwritten(letters: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "dead", "dump", "--to", "d.jsonl").exit_code == 0
    before = Path("d.jsonl").read_bytes()

    again = ask(invoke, "dead", "dump", "--to", "d.jsonl")

    assert again.exit_code == 1
    assert "exists already" in again.stderr
    assert Path("d.jsonl").read_bytes() == before
    assert len(jobs_of(before.decode())) == 2
    assert Path("d.jsonl").stat().st_mode & 0o777 == 0o600
    assert not list(Path().glob("*.part"))


def test_a_compressed_dump_has_the_same_jobs_each_time(letters: QueueFile, invoke: Invoke) -> None:
    for name in ("a.gz", "b.gz"):
        assert ask(invoke, "dead", "dump", "--gzip", "--to", name).exit_code == 0

    one, other = (
        jobs_of(gzip.decompress(Path(name).read_bytes()).decode()) for name in ("a.gz", "b.gz")
    )
    assert one == other
    assert len(one) == 2


def test_compressed_output_goes_through_a_pipe_but_not_to_a_terminal(
    letters: QueueFile, hueyctl: Run, on_tty: OnTty
) -> None:
    with open("pipe.gz", "wb") as file:
        done = hueyctl("dead", "dump", "--gzip", "-u", "queue.db", stdout=file)
    code, shown = on_tty("dead", "dump", "--gzip", "-u", "queue.db")

    assert done.returncode == 0
    assert len(jobs_of(gzip.decompress(Path("pipe.gz").read_bytes()).decode())) == 2
    assert code == 2
    assert "terminal" in shown


def test_remove_deletes_what_is_in_the_file(letters: QueueFile, invoke: Invoke) -> None:
    result = ask(invoke, "dead", "dump", "--remove", "--to", "d.jsonl", "2")

    assert result.exit_code == 0
    assert states(letters) == {1: "dead", 3: "done", 4: "pending"}
    assert [job["seq"] for job in jobs_of(Path("d.jsonl").read_text())] == [2]


def test_remove_comes_after_the_file_is_on_the_disk(
    letters: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(dumpfile.os, "fsync", lambda number: seen.append("fsync"))
    monkeypatch.setattr(dumpfile, "rename_new", lambda old, new: seen.append("rename"))
    monkeypatch.setattr(
        type(letters.storage), "discard", lambda self, jobs, **_: seen.append("gone") or []
    )

    ask(invoke, "dead", "dump", "--remove", "--to", "d.jsonl")

    assert seen == ["fsync", "rename", "fsync", "gone"]


def test_remove_leaves_what_changed_meanwhile(
    letters: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish(self: dumpfile.DumpFile) -> None:
        plain(self)
        from hueycore.model.jobs import Selector

        letters.storage.requeue(Selector(keys=("1",)))

    plain = dumpfile.DumpFile.finish
    monkeypatch.setattr(dumpfile.DumpFile, "finish", finish)

    result = ask(invoke, "dead", "dump", "--remove", "--to", "d.jsonl")

    assert result.exit_code == 1
    assert states(letters)[1] == "pending"
    assert 2 not in states(letters)
    assert "1 dead letters stay" in result.stderr


@pytest.mark.parametrize("target", ["-", "/dev/null"])
def test_remove_wants_a_real_file(letters: QueueFile, invoke: Invoke, target: str) -> None:
    assert ask(invoke, "dead", "dump", "--remove", "--to", target).exit_code == 2
    assert states(letters)[1] == "dead"


def test_a_disk_that_is_full_is_74_and_removes_nothing(
    letters: QueueFile, invoke: Invoke, hueyctl: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/full", "w") as full:
        assert hueyctl("dead", "dump", "-u", "queue.db", stdout=full).returncode == 74
    assert hueyctl("dead", "dump", "-u", "queue.db", "--to", "/dev/full").returncode == 74
    zipped = hueyctl("dead", "dump", "-u", "queue.db", "--to", "/dev/full", "--gzip")
    assert (zipped.returncode, zipped.stderr.count("\n")) == (74, 1)

    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dumpfile.os, "fsync", fail)
    result = ask(invoke, "dead", "dump", "--remove", "--to", "d.jsonl")

    assert result.exit_code == 74
    assert result.stderr.startswith("hueyctl: d.jsonl: No space left on device")
    assert states(letters)[1] == "dead"
    assert sorted(path.name for path in Path().glob("d.jsonl*")) == []


def test_a_folder_that_is_not_there_is_74(letters: QueueFile, invoke: Invoke) -> None:
    assert ask(invoke, "dead", "dump", "--to", "no/such/d.jsonl").exit_code == 74


@pytest.mark.parametrize("more", [(), ("--gzip",)])
def test_a_reader_that_leaves_is_141(queue: QueueFile, hueyctl: Run, more: tuple[str, ...]) -> None:
    for _ in range(50):
        queue.add("app.task", os.urandom(4000))
    queue.run(_dead)
    read, write = os.pipe()
    os.close(read)
    try:
        done = hueyctl(
            "dead", "dump", "-u", "queue.db", *more, stdout=write, stderr=subprocess.PIPE
        )
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (141, "")


# --- there and back -------------------------------------------------------------------------------


def test_a_pipe_brings_everything_over_with_every_type(
    letters: QueueFile, home: Path, hueyctl: Run
) -> None:
    dump = hueyctl("dead", "dump", "-u", "queue.db")
    load = hueyctl(
        "-u", "sqlite:///new.db", "dead", "load", "-", "--create", "--as", "pending",
        input=dump.stdout,
    )  # fmt: skip

    assert load.returncode == 0, load.stderr
    old, new = cargo(letters.where)[:2], cargo("new.db")
    assert [one.job.state for one in new] == ["pending", "pending"]
    assert [one.job.id for one in new] == [one.job.id for one in old]
    assert [one.payload for one in new] == [one.payload for one in old]
    args, kwargs = letters.serializer.deserialize(new[0].payload)
    assert (args, kwargs) == (ARGS, {"by": (1,), "at": ARGS[9]})
    assert type(args[0]) is tuple
    assert [error["message"] for one in new for error in one.job.errors] == [
        "too slow", "broken\x1b[2J",
    ]  # fmt: skip


@pytest.mark.parametrize("gzip_", [(), ("--gzip",)])
def test_dead_letters_come_back_as_they_were(
    letters: QueueFile, home: Path, invoke: Invoke, gzip_: tuple[str, ...]
) -> None:
    ask(invoke, "dead", "dump", "--to", "d", *gzip_)

    result = invoke("dead", "load", "d", "-u", "new.db", "--create")

    assert result.exit_code == 0, result.output
    old, new = cargo(letters.where)[:2], cargo("new.db")
    for mine, theirs in zip(old, new, strict=True):
        assert theirs[1:] == mine[1:]
        for name in mine.job._fields:
            value, other = getattr(mine.job, name), getattr(theirs.job, name)
            if isinstance(value, float):
                assert other == pytest.approx(value, abs=1e-6), name
            elif name != "errors":
                assert other == value, name
    assert (home / "new.db").stat().st_mode & 0o777 == 0o600


def test_dumping_what_was_loaded_gives_the_same_lines(
    letters: QueueFile, home: Path, invoke: Invoke
) -> None:
    ask(invoke, "dead", "dump", "--to", "d")
    invoke("dead", "load", "d", "-u", "new.db", "--create")
    again = invoke("dead", "dump", "-u", "new.db").stdout

    assert jobs_of(again) == jobs_of(Path("d").read_text())


def test_queue_says_where_to_otherwise_each_goes_home(
    letters: QueueFile, home: Path, invoke: Invoke
) -> None:
    ask(invoke, "dead", "dump", "--to", "d")

    for url in ("one.db", "sqlite:///two.db?name=mail"):
        assert invoke("dead", "load", "d", "-u", url, "--create").exit_code == 0
    assert invoke("dead", "load", "d", "-u", "three.db", "--create", "-Q", "x").exit_code == 0

    assert {one.job.queue for one in cargo("one.db")} == {"huey"}
    assert {one.job.queue for one in cargo("two.db")} == {"mail"}
    assert {one.job.queue for one in cargo("three.db")} == {"x"}
    assert invoke("dead", "load", "d", "-u", "one.db", "-Q", "a", "-Q", "b").exit_code == 2


# --- load -----------------------------------------------------------------------------------------


@pytest.fixture
def dump(letters: QueueFile, invoke: Invoke) -> list[str]:
    """The two lines of a dump, which is also the file ``d``."""
    ask(invoke, "dead", "dump", "--to", "d")
    lines = Path("d").read_text().splitlines()[1:-1]
    # As releases wrote it that knew no first line and no last one.
    Path("d").write_text("\n".join(lines))
    return lines


def test_nothing_is_created_by_accident(dump: list[str], home: Path, invoke: Invoke) -> None:
    assert invoke("dead", "load", "d", "-u", "new.db").exit_code == 69
    assert invoke("dead", "load", "no", "-u", "new.db", "--create").exit_code == 2
    assert invoke("dead", "load", "d", "-u", "new.db", "--create", "--dry-run").exit_code == 0
    (home / "bad").write_text("nonsense\n")
    assert invoke("dead", "load", "bad", "-u", "new.db", "--create").exit_code == 1
    (home / "empty").touch()
    assert invoke("dead", "load", "empty", "-u", "new.db", "--create").exit_code == 1
    assert not (home / "new.db").exists()


def test_a_dry_run_checks_and_loads_nothing(
    dump: list[str], letters: QueueFile, invoke: Invoke
) -> None:
    found = change(invoke, "dead", "load", "d", "--dry-run", "--if-exists", "replace")

    assert (found["matched"], found["changed"], len(found["ids"])) == (2, 0, 2)
    assert found["dry_run"] is True
    kept = change(invoke, "dead", "load", "d", "--dry-run")
    assert kept["ids"] == []


def test_an_id_that_exists_is_kept_replaced_or_refused(
    dump: list[str], letters: QueueFile, invoke: Invoke
) -> None:
    alter(letters, 1, task="changed")

    kept = change(invoke, "dead", "load", "d")
    refused = change(invoke, "dead", "load", "d", "--if-exists", "fail", code=6)
    assert letters.storage.job("1").task == "changed"  # type: ignore[union-attr]
    replaced = change(invoke, "dead", "load", "d", "--if-exists", "replace")

    assert (kept["matched"], kept["changed"], kept["failed"]) == (2, 0, [])
    assert [each["code"] for each in refused["failed"]] == ["exists", "exists"]
    assert replaced["changed"] == 2
    assert sorted(states(letters).values()) == ["dead", "dead", "done", "pending"]


BAD = [
    ("nonsense", "not JSON"),
    ("[1]", "not a JSON object"),
    ("{}", "no payload"),
    ('{"payload": 5}', "'payload' is not an object"),
    ('{"payload": {"base64": "?"}}', "damaged"),
    ('{"payload": {"base64": "AAAA", "serializer": "pickle/1"}}', "is said to be pickle/1"),
    ("state=running", "the job is running, not dead"),
    ("state=gone", "unknown state 'gone'"),
    ("id=", "no 'id'"),
    ("task=5", "'task' is not text"),
    ("seq=1.5", "'seq' is not a whole number"),
    ("attempt=-1", "'attempt' is negative"),
    ("retries=99999999999999999999", "'retries' is not a whole number"),
    ("priority=high", "'priority' is not a number"),
    ("run_at=yesterday", "'run_at' is not a time"),
    ("finished_at=null", "no 'finished_at'"),
    ("errors=5", "'errors' is not a list"),
    ("at_most_once=maybe", "'at_most_once' is not true or false"),
    ("\udcff", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ('{"id": "a', "not JSON"),
]


def spoiled(line: str, how: str) -> str:
    """The line with one key changed, or ``how`` itself."""
    name, sign, value = how.partition("=")
    if not sign or not name.isidentifier():
        return how
    try:
        value = json.loads(value)
    except ValueError:
        pass
    return json.dumps({**json.loads(line), name: value})


@pytest.mark.parametrize(("how", "said"), BAD, ids=[how[:30] for how, _ in BAD])
def test_a_bad_line_is_told_by_its_number_and_the_rest_goes_on(
    dump: list[str], home: Path, invoke: Invoke, how: str, said: str
) -> None:
    text = "\n".join([dump[0], "", spoiled(dump[1], how), dump[1], ""])
    (home / "bad").write_bytes(text.encode("utf-8", "surrogateescape"))

    result = invoke("dead", "load", "bad", "-u", "new.db", "--create", "--json")

    assert result.exit_code == 1
    assert result.stderr.startswith("hueyctl: line 3: ")
    assert said in result.stderr
    found = json.loads(result.stdout)
    assert (found["matched"], found["changed"]) == (3, 2)
    assert found["failed"][0]["code"] == "bad_line"
    assert [one.job.task for one in cargo("new.db")] == ["app.all", "app.mail.send"]


def test_half_a_character_is_a_bad_line(dump: list[str]) -> None:
    for name in ("id", "task", "preview", "reason"):
        with pytest.raises(BadLine, match=f"'{name}' is not text"):
            to_cargo(json.dumps({**json.loads(dump[1]), name: "\ud800"}).encode())


def test_a_truncated_archive_is_told_and_what_came_before_is_kept(
    dump: list[str], home: Path, invoke: Invoke
) -> None:
    whole = gzip.compress(b"".join(line.encode() + b"\n" for line in dump), mtime=0)
    (home / "cut.gz").write_bytes(whole[:-12])
    (home / "junk.gz").write_bytes(b"\x1f\x8b junk")

    cut = invoke("dead", "load", "cut.gz", "-u", "new.db", "--create")
    junk = invoke("dead", "load", "junk.gz", "-u", "new2.db", "--create")

    assert (cut.exit_code, junk.exit_code) == (1, 1)
    assert "damaged from here on" in cut.stderr
    assert len(cargo("new.db")) >= 1
    assert not (home / "new2.db").exists()


def test_a_line_that_is_too_long_is_left_out(
    dump: list[str], home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "LONGEST", max(map(len, dump)) + 10)
    (home / "long").write_text("\n".join([dump[0], "x" * 30_000, dump[1]]))

    result = invoke("dead", "load", "long", "-u", "new.db", "--create")

    assert result.exit_code == 1
    assert "line 2: the line is too long" in result.stderr
    assert len(cargo("new.db")) == 2


def test_a_row_that_the_database_refuses_does_not_take_the_others_along(
    dump: list[str], home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lenient(line: bytes, queue: str | None = None) -> Any:
        found = to_cargo(line, queue)
        if found.job.task == "app.all":
            found = found._replace(job=found.job._replace(retries=-1))
        return found

    monkeypatch.setattr(loader, "to_entry", lenient)

    result = invoke("dead", "load", "d", "-u", "new.db", "--create")

    assert result.exit_code == 1
    assert "line 1: " in result.stderr
    assert [one.job.task for one in cargo("new.db")] == ["app.mail.send"]


def test_a_disk_that_fails_is_no_bad_line(
    dump: list[str], home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hueycore.exceptions import StorageError

    def fail(*args: object, **options: object) -> None:
        raise StorageError("disk I/O error")

    monkeypatch.setattr("hueycore.storage.sqlite.SqliteStorage.load", fail)

    result = invoke("dead", "load", "d", "-u", "new.db", "--create")

    said = f"hueyctl: created {home / 'new.db'}\nhueyctl: disk I/O error\n"
    assert (result.exit_code, result.stderr) == (69, said)


def test_many_jobs_are_loaded_batch_by_batch(
    dump: list[str], home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "_BATCH_JOBS", 3)
    lines = [json.dumps({**json.loads(dump[1]), "id": f"job-{n}"}) for n in range(10)]
    (home / "many").write_text("\n".join(lines))

    assert invoke("dead", "load", "many", "-u", "new.db", "--create").exit_code == 0
    assert [one.job.id for one in cargo("new.db")] == [f"job-{n}" for n in range(10)]


def test_hostile_names_drive_no_terminal(dump: list[str], home: Path, invoke: Invoke) -> None:
    line = json.dumps({**json.loads(dump[1]), "task": "\x1b[2J", "id": "a\x1b\nb"})
    (home / "bad").write_text(line + "\n" + line)

    result = invoke("dead", "load", "bad", "-u", "n.db", "--create", "--if-exists", "fail")

    assert result.exit_code == 6
    assert "\x1b" not in result.stdout + result.stderr


def test_an_infinite_priority_goes_there_and_back(queue: QueueFile) -> None:
    from hueycore.model.jobs import Selector

    queue.add("app.first", priority=float("inf"))
    (one,) = queue.storage.export(Selector())

    line = to_line(one)

    json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert to_cargo(line.encode()).job.priority == float("inf")


def test_load_needs_no_application(dump: list[str], home: Path, hueyctl: Run) -> None:
    (home / "app.py").write_text("raise SystemExit('imported')")

    assert hueyctl("dead", "load", "d", "-u", "queue.db").returncode == 0
    assert hueyctl("dead", "dump", "-u", "queue.db").returncode == 0


def test_errors_are_json_when_asked(dump: list[str], invoke: Invoke) -> None:
    code, message, _ = error(invoke, "dead", "load", "no-such-file")

    assert (code, message) == (2, "no-such-file: No such file or directory")


@pytest.fixture
def noise() -> Iterator[bytes]:
    yield bytes(range(256)) * 40


def test_a_file_of_noise_is_reported_and_harmless(
    queue: QueueFile, home: Path, invoke: Invoke, noise: bytes
) -> None:
    (home / "noise").write_bytes(noise)

    result = ask(invoke, "dead", "load", "noise")

    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert states(queue) == {}
