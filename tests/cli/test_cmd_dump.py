"""dump and load: a whole queue over to another storage, whatever happens on the way."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clikit import DEADLINE, command
from operatingkit import Invoke

from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.storage.base import Storage
from hueycore.storage.open import open_storage
from hueyctl.output import counter
from tests import redis_servers, servers
from tests.helpers import or_skip, wait_until
from tests.storage import mixed

Run = Callable[..., subprocess.CompletedProcess[str]]
Spawn = Callable[..., subprocess.Popen[str]]

SQLITE, POSTGRES, REDIS = ENGINES = "sqlite", "postgres", "redis"
#: Jobs that go from one engine to another, and times that one is killed on the way.
JOBS = int(os.environ.get("HUEYCTL_TRANSFER", "300"))
KILLS = 3 if JOBS == 300 else 10


@pytest.fixture
def place(home: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], str]]:
    """The URL of a storage of an engine that nobody has used."""
    with ExitStack() as stack:

        def new(engine: str) -> str:
            if engine == SQLITE:
                return f"sqlite:///{home}/{random.randrange(10**9)}.db"
            if engine == REDIS:
                server = request.getfixturevalue("redis")
                return stack.enter_context(redis_servers.database(server))
            dsn = request.getfixturevalue("postgres")
            return servers.url(dsn, stack.enter_context(servers.schema(dsn)))

        yield new


@pytest.fixture
def hueyctl(hueyctl: Run) -> Run:
    """With the time that many jobs take."""
    return partial(hueyctl, timeout=DEADLINE * max(1, JOBS // 300))


@pytest.fixture
def opened() -> Iterator[Callable[..., Storage]]:
    made: list[Storage] = []

    def open_(url: str, **how: Any) -> Storage:
        made.append(open_storage(url, **how))
        return made[-1]

    yield open_
    for storage in made:
        storage.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with about 300 jobs of all states; none of them runs."""
    path = tmp_path_factory.mktemp("filled") / "full.db"
    with closing(open_storage(path)) as storage:
        storage.unregister(mixed.fill(storage, 300, time.time() + 9e5))
    return path


@pytest.fixture
def full(home: Path, filled: Path, opened: Callable[..., Storage]) -> Storage:
    """Those jobs in ``full.db``."""
    shutil.copy(filled, home / "full.db")
    return opened(f"sqlite:///{home}/full.db")


def dumped(hueyctl: Run, storage: Storage, *words: str) -> str:
    done = hueyctl("dump", "-u", storage.url, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("from_", ENGINES)
@pytest.mark.parametrize("to", ENGINES)
def test_everything_comes_over_and_both_come_to_the_same_end(
    place: Callable[[str], str], opened: Callable[..., Storage], hueyctl: Run, from_: str, to: str
) -> None:
    source = opened(place(from_))
    number = mixed.fill(source, JOBS, time.time() + 9e5)
    url = place(to)

    text = dumped(hueyctl, source)
    done = hueyctl("load", "-", "-u", url, "--create", input=text)

    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    target = opened(url)
    assert mixed.difference(source, target) == ""
    source.unregister(number)
    for storage in (source, target):
        mixed.drain(storage)
    assert mixed.ends(source) == mixed.ends(target)


def test_a_dump_says_what_it_is_first_and_that_it_is_whole_last(
    full: Storage, hueyctl: Run
) -> None:
    lines = [json.loads(line) for line in dumped(hueyctl, full).splitlines()]

    assert lines[0]["schema"] == "hueyctl.dump/2"
    assert lines[0]["source"] == full.url
    kinds = [line["record"] for line in lines if "record" in line]
    assert {"queue", "periodic", "revoked-task", "paused-task", "value", "counter"} <= {*kinds}
    jobs = full.count(Selector())
    assert lines[-1] == {"end": lines[0]["dump"], "jobs": jobs, "records": len(kinds)}
    assert len(lines) == 2 + jobs + len(kinds)


def test_a_selection_has_jobs_only(full: Storage, hueyctl: Run) -> None:
    text = dumped(hueyctl, full, "--state", "dead", "--task", "tw*")

    _, *jobs, _ = map(json.loads, text.splitlines())
    assert {(job["state"], job["task"]) for job in jobs} == {("dead", "two")}
    assert "all" not in text and len(dumped(hueyctl, full, "--all")) > len(text)


def test_a_file_is_compressed_when_asked_and_never_overwritten(
    full: Storage, hueyctl: Run, home: Path
) -> None:
    done = hueyctl("dump", "-u", full.url, "--gzip", "--to", "d.gz")
    assert done.returncode == 0 and "jobs, 9 records written to d.gz" in done.stderr
    before = (home / "d.gz").read_bytes()

    assert hueyctl("dump", "-u", full.url, "--to", "d.gz").returncode == 1

    assert (home / "d.gz").read_bytes() == before
    assert gzip.decompress(before).startswith(b'{"schema": "hueyctl.dump/2"')
    assert hueyctl("load", "d.gz", "-u", "new.db", "--create").returncode == 0


def test_a_person_sees_how_far_it_has_come(
    full: Storage, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counter, "_PATIENCE", 0.0)
    monkeypatch.setattr(counter, "_PAUSE", 0.0)
    monkeypatch.setattr("hueyctl.streams.is_tty", lambda stream: stream is sys.stderr)

    assert "100 of 300 jobs" in invoke("dump", "-u", full.url, "--to", "d.jsonl").stderr
    assert "jobs" in invoke("load", "d.jsonl", "-u", "new.db", "--create").stderr


def test_dead_letters_of_a_whole_dump_are_loaded_as_such(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    text = dumped(hueyctl, full)

    done = hueyctl("dead", "load", "-", "-u", "new.db", "--create", "-q", input=text)

    assert done.returncode == 1, "the others are no dead letters"
    new = opened("new.db")
    dead = Selector(states=(State.DEAD,))
    assert {job.id for job in new.jobs(Selector())} == {job.id for job in full.jobs(dead)}
    assert new.revocations() == []


# --- what is there already ------------------------------------------------------------------------


def test_the_same_again_is_kept_replaced_or_refused(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    text = dumped(hueyctl, full)
    for how, code, said in (
        ("keep", 0, "300 of 300"),
        ("keep", 0, "0 of 300"),
        ("replace", 0, "300 of 300"),
        ("fail", 6, "0 of 300"),
    ):
        words = ("load", "-", "-u", "new.db", "--create", "--if-exists", how)
        done = hueyctl(*words, input=text)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert mixed.difference(full, opened("new.db")) == ""


def test_a_look_makes_nothing(full: Storage, hueyctl: Run, home: Path) -> None:
    text = dumped(hueyctl, full)

    done = hueyctl("load", "-", "-u", "new.db", "--create", "--dry-run", "--json", input=text)

    found = json.loads(done.stdout)
    assert (found["matched"], found["changed"], found["dry_run"]) == (300, 0, True)
    assert "300 of 300 jobs would be loaded" in done.stderr
    assert not (home / "new.db").exists()
    assert hueyctl("load", "-", "-u", "new.db", input=text).returncode == 69


# --- bad lines ------------------------------------------------------------------------------------


def test_a_bad_line_is_named_and_stops_nothing_else(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    lines = dumped(hueyctl, full).splitlines()
    place = next(place for place, line in enumerate(lines) if '"id": "plain-3"' in line)
    lines[place] = lines[place].replace('"retries": 2', '"retries": -2')
    lines.insert(5, "nonsense")
    lines.insert(6, '{"record": "riddle", "queue": "huey", "name": "", "fields": {}}')

    done = hueyctl("load", "-", "-u", "new.db", "--create", "--json", input="\n".join(lines))

    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if ": line " in line] == [
        "hueyctl: line 6: not JSON: Expecting value: line 1 column 1 (char 0)",
        "hueyctl: line 7: there is no record 'riddle'",
        f"hueyctl: line {place + 3}: 'retries' is negative",
    ]
    assert json.loads(done.stdout)["changed"] == 299
    missing = {job.id for job in full.jobs(Selector())} - {
        job.id for job in opened("new.db").jobs(Selector())
    }
    assert missing == {"plain-3"}


@pytest.mark.parametrize("to", ENGINES)
@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        ("counter", {"number": None}, "the record has no 'number'"),
        ("counter", {"number": "many"}, "'number' is not a whole number"),
        ("periodic", {"next_run": None}, "the record has no 'next_run'"),
        ("periodic", {"catch_up": "never"}, "'catch_up' is none of latest, skip, all"),
        ("limit", {"at_once": 0}, "'at_once' is not above 0"),
        ("queue", {"created_at": "long ago"}, "'created_at' is not a time"),
        ("paused-task", {"since": []}, "'since' is not a time"),
    ],
)
def test_a_bad_record_is_named_and_stops_nothing_else(
    full: Storage,
    invoke: Invoke,
    place: Callable[[str], str],
    opened: Callable[..., Storage],
    to: str,
    kind: str,
    changes: dict[str, object],
    why: str,
) -> None:
    assert invoke("dump", "-u", full.url, "--to", "d").exit_code == 0
    lines = [json.loads(line) for line in Path("d").read_text().splitlines()]
    number = next(n for n, line in enumerate(lines) if line.get("record") == kind)
    lines[number]["fields"].update(changes)
    url = place(to)

    done = invoke("load", "-", "-u", url, "--create", input="\n".join(map(json.dumps, lines)))

    assert done.exit_code == 1
    assert f"line {number + 1}: {why}\n" in done.stderr
    assert "1 line was left out" in done.stderr
    assert opened(url).count(Selector()) == 300


def test_a_record_that_only_the_database_refuses_is_named_alone(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    lines = dumped(hueyctl, full).splitlines()
    place = next(n for n, line in enumerate(lines) if '"record": "limit"' in line)
    bad = json.loads(lines[place])
    bad["name"] = "half a rate"
    bad["fields"].update(rate=1, per=None, burst=None)
    lines.insert(place, json.dumps(bad))

    done = hueyctl("load", "-", "-u", "new.db", "--create", input="\n".join(lines))

    assert done.returncode == 1
    assert f"line {place + 1}: " in done.stderr and "CHECK constraint failed" in done.stderr
    assert mixed.difference(full, opened("new.db")) == ""


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_a_file_with_nothing_in_it_is_no_dump(home: Path, hueyctl: Run, text: str) -> None:
    done = hueyctl("load", "-", "-u", "new.db", "--create", input=text)

    assert done.returncode == 1
    assert "there is nothing; a dump has a first and a last line" in done.stderr
    assert not (home / "new.db").exists()


def test_of_a_file_that_is_something_else_not_every_line_is_told(home: Path, hueyctl: Run) -> None:
    done = hueyctl("load", "-", "-u", "new.db", "--create", input="nonsense\n" * 3000)

    assert done.returncode == 1
    *told, last = done.stderr.splitlines()
    assert len(told) < 1010 and "more lines are left out, and only counted" in done.stderr
    assert last == "hueyctl: 3000 lines were left out"


def test_a_compressed_file_that_was_cut_short_is_told_once(
    full: Storage, hueyctl: Run, home: Path
) -> None:
    assert hueyctl("dump", "-u", full.url, "--gzip", "--to", "d").returncode == 0
    data = (home / "d").read_bytes()
    (home / "d").write_bytes(data[: len(data) // 2])

    done = hueyctl("load", "d", "-u", "new.db", "--create")

    assert done.returncode == 1
    assert done.stderr.count(": line ") == 1 and "damaged from here on" in done.stderr
    assert done.stderr.endswith("hueyctl: the dump is not whole\n")


def test_a_newer_version_is_refused_by_its_number(home: Path, hueyctl: Run) -> None:
    line = json.dumps({"schema": "hueyctl.dump/7", "dump": "x", "source": "y"})

    done = hueyctl("load", "-", "-u", "new.db", "--create", input=line)

    assert (done.returncode, done.stdout) == (78, "")
    assert "the dump has version 7, this release reads 2" in done.stderr
    assert not (home / "new.db").exists()


def test_a_dump_that_was_cut_off_is_told(full: Storage, hueyctl: Run) -> None:
    lines = dumped(hueyctl, full).splitlines()

    done = hueyctl("load", "-", "-u", "new.db", "--create", input="\n".join(lines[:200]))

    assert done.returncode == 1
    assert "line 201: the dump should go on here: it was cut off" in done.stderr


# --- killed on the way ----------------------------------------------------------------------------


def killed(words: tuple[str, ...], after: Callable[[], bool], lines: int = sys.maxsize) -> None:
    """Run a command line in small batches and kill it when something has happened. A load that has
    brought in so many lines of a dump waits for that."""
    code = f"""
import signal, sys
from hueyctl.changes import loader
loader._BATCH_JOBS = {JOBS // 15}
flush = loader.Loader._flush
def flush_some(self, number):
    flush(self, number)
    if number > {lines}:
        signal.pause()
loader.Loader._flush = flush_some
sys.argv = ["hueyctl", *{words!r}]
from hueyctl.__main__ import main
sys.exit(main())
"""
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: child.poll() is not None or after(), 600)
    finally:
        child.kill()
        child.wait()


def moments() -> list[int]:
    """Numbers of jobs at which to kill."""
    return sorted(random.sample(range(1, JOBS * 4 // 5), KILLS))


@pytest.fixture(scope="module")
def many(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like ``filled``, with ``JOBS``."""
    if JOBS == 300:
        return filled
    path = tmp_path_factory.mktemp("many") / "full.db"
    with closing(open_storage(path)) as storage:
        storage.unregister(mixed.fill(storage, JOBS, time.time() + 9e5))
    return path


def held(url: str) -> int:
    try:
        with closing(open_storage(url, create=False, read_only=True)) as storage:
            return storage.count(Selector())
    except Exception:
        return 0


@pytest.mark.parametrize("to", ENGINES)
def test_a_load_that_was_killed_goes_on_where_it_was(
    many: Path,
    hueyctl: Run,
    place: Callable[[str], str],
    opened: Callable[..., Storage],
    to: str,
) -> None:
    source, url = opened(f"sqlite:///{many}"), place(to)
    assert hueyctl("dump", "-u", source.url, "--to", "d").returncode == 0
    for part in moments():
        killed(("load", "d", "-u", url, "--create"), lambda p=part: held(url) >= p)  # type: ignore[misc]

    done = hueyctl("load", "d", "-u", url, "--create")

    assert done.returncode == 0, done.stderr
    assert mixed.difference(source, opened(url)) == ""
    assert f"{JOBS} of {JOBS}" not in done.stderr
    assert hueyctl("load", "d", "-u", url).stderr == f"hueyctl: 0 of {JOBS} jobs loaded\n"


def test_what_has_come_and_gone_meanwhile_does_not_come_again(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    url = "new.db"
    assert hueyctl("dump", "-u", full.url, "--to", "d").returncode == 0
    killed(("load", "d", "-u", url, "--create"), lambda: held(url) >= 60, lines=80)
    target = opened(url)
    before = {job.id for job in target.jobs(Selector())}
    target.discard(target.jobs(Selector()), waiting=True)
    gone = before - {job.id for job in target.jobs(Selector())}
    assert gone

    assert hueyctl("load", "d", "-u", url).returncode == 0

    assert not gone & {job.id for job in target.jobs(Selector())}
    assert len(gone) + target.count(Selector()) == 300


def test_another_file_of_the_same_name_is_not_gone_on_with(
    full: Storage, hueyctl: Run, home: Path
) -> None:
    assert hueyctl("dump", "-u", full.url, "--to", "d").returncode == 0
    killed(("load", "d", "-u", "new.db", "--create"), lambda: held("new.db") >= 60, lines=80)
    first, *lines = (home / "d").read_text().splitlines()
    (home / "d").write_text("\n".join([first, *reversed(lines)]))

    done = hueyctl("load", "d", "-u", "new.db")

    assert done.returncode == 1
    assert "its lines were others" in done.stderr and "run it again" in done.stderr


# --- moving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        (SQLITE, SQLITE),
        (POSTGRES, SQLITE),
        (SQLITE, POSTGRES),
        (REDIS, POSTGRES),
        (POSTGRES, REDIS),
    ],
)
def test_a_move_that_is_killed_and_begun_again_leaves_no_job_on_both_sides_or_none(
    many: Path,
    place: Callable[[str], str],
    opened: Callable[..., Storage],
    hueyctl: Run,
    from_: str,
    to: str,
) -> None:
    here, there = place(from_), place(to)
    source = opened(here)
    mixed.load(source, opened(f"sqlite:///{many}").dump(Selector()))
    ids = {job.id for job in source.jobs(Selector())}

    for moved in moments():
        Path("d").unlink(missing_ok=True)
        assert hueyctl("dump", "-u", here, "--to", "d").returncode == 0
        words = ("load", "d", "-u", there, "--create", "--move")
        killed(words, lambda n=JOBS - moved: source.count(Selector()) <= n)  # type: ignore[misc]
    Path("d").unlink()
    assert hueyctl("dump", "-u", here, "--to", "d").returncode == 0
    done = hueyctl("load", "d", "-u", there, "--create", "--move")

    assert done.returncode == 0, done.stderr
    assert source.count(Selector()) == 0
    found = [job.id for job in opened(there).jobs(Selector())]
    assert (len(found), {*found}) == (JOBS, ids)


def test_a_pipe_moves_while_the_source_is_being_read(
    full: Storage, hueyctl: Run, spawn: Spawn, opened: Callable[..., Storage]
) -> None:
    full.close()
    dump = spawn("dump", "-u", full.url)

    done = hueyctl("load", "-", "-u", "new.db", "--create", "--move", stdin=dump.stdout)

    assert done.returncode == 0, done.stderr
    assert opened(full.url).count(Selector()) == 0
    assert opened("new.db").count(Selector()) == 300


def test_what_runs_stays_with_all_that_hangs_together_with_it(
    home: Path, opened: Callable[..., Storage], hueyctl: Run
) -> None:
    from tests.storage.kit import born, one, pipeline, worker

    source = opened(f"sqlite:///{home}/source.db")
    first, second = pipeline(source, 2)
    born(source)
    one(source, worker(source))
    source.pause()

    text = dumped(hueyctl, source)
    done = hueyctl("load", "-", "-u", "new.db", "--create", "--move", input=text)

    assert done.returncode == 1
    assert "2 jobs stay at the source" in done.stderr
    assert {job.id for job in source.jobs(Selector())} == {first.id, second.id}
    assert opened("new.db").count(Selector()) == 1


def test_nothing_is_moved_while_a_consumer_may_take_it(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    full.register(name="busy", kind="thread", slots=1)
    text = dumped(hueyctl, full)

    done = hueyctl("load", "-", "-u", "new.db", "--create", "--move", input=text)

    assert done.returncode == 6
    assert "a consumer works at the source (busy)" in done.stderr
    assert full.count(Selector()) == 300
    full.pause()
    done = hueyctl("load", "-", "-u", "new.db", "--create", "--move", input=text)
    assert done.returncode == 0, done.stderr


def test_a_job_that_changed_meanwhile_is_not_deleted(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    text = dumped(hueyctl, full)
    full.reschedule(Selector(keys=("plain-1",)), priority=7)

    done = hueyctl("load", "-", "-u", "new.db", "--create", "--move", input=text)

    assert done.returncode == 1
    assert "job plain-1 has changed at the source: it is on both sides" in done.stderr
    assert [job.id for job in full.jobs(Selector())] == ["plain-1"]


def test_a_job_of_somebody_else_with_the_same_id_takes_no_ones_place(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    from tests.storage.kit import new

    opened("new.db").enqueue([new("mine", id="plain-1")])

    done = hueyctl("load", "-", "-u", "new.db", "--move", input=dumped(hueyctl, full))

    assert done.returncode == 1
    assert [job.id for job in full.jobs(Selector())] == ["plain-1"]


# --- where it goes wrong --------------------------------------------------------------------------


def test_a_full_device_is_74_and_one_line(full: Storage, hueyctl: Run) -> None:
    with open("/dev/full", "w") as device:
        done = hueyctl("dump", "-u", full.url, stdout=device, stderr=subprocess.PIPE)

    assert done.returncode == 74
    assert done.stderr == "hueyctl: cannot write output: No space left on device\n"
    named = hueyctl("dump", "-u", full.url, "--to", "/dev/full")
    assert (named.returncode, named.stderr) == (
        74, "hueyctl: /dev/full: No space left on device\n",
    )  # fmt: skip


def test_a_reader_that_leaves_is_141_and_silent(full: Storage, hueyctl: Run) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = hueyctl("dump", "-u", full.url, stdout=write, stderr=subprocess.PIPE)
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (141, "")


def unread(pipe: Any) -> int:
    """Bytes that nobody has read yet."""
    number = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, number)
    return int.from_bytes(number, sys.byteorder)


def test_an_interrupt_is_130_and_leaves_whole_batches(
    full: Storage, hueyctl: Run, spawn: Spawn, opened: Callable[..., Storage]
) -> None:
    lines = dumped(hueyctl, full).splitlines(keepends=True)
    # A pipe that says no more: the second half is not read.
    child = spawn("load", "-", "-u", "new.db", "--create", stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write("".join(lines[:-20]))
    child.stdin.flush()
    wait_until(lambda: not unread(child.stdin))

    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)

    assert child.returncode == 130, said
    assert said.splitlines()[-1] == "hueyctl: interrupted"
    assert hueyctl("load", "-", "-u", "new.db", "--create", input="".join(lines)).returncode == 0
    assert mixed.difference(full, opened("new.db")) == ""


@pytest.mark.sqlite_only("a file has a size")
def test_a_target_that_is_full_has_what_it_had(
    full: Storage, hueyctl: Run, home: Path, opened: Callable[..., Storage]
) -> None:
    assert hueyctl("dump", "-u", full.url, "--to", "d").returncode == 0
    with closing(open_storage("new.db")) as target:
        target.put("name", b"value")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        command("load", "d", "-u", "new.db"), capture_output=True, text=True, preexec_fn=small
    )

    assert done.returncode in (69, 74), done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("hueyctl:")]) == 1
    target = opened("new.db")
    assert target.examine(full=True) == []
    assert target.get("name", peek=True) == b"value"
    assert hueyctl("load", "d", "-u", "new.db").returncode == 0
    assert target.count(Selector()) == 300


def test_a_server_without_memory_has_whole_batches(
    full: Storage, hueyctl: Run, opened: Callable[..., Storage]
) -> None:
    """One of Redis: what came in stays, and the rest comes when there is room."""
    assert hueyctl("dump", "-u", full.url, "--to", "d").returncode == 0
    with or_skip(), redis_servers.crashing(durable=False) as server:
        url = f"{server.url}/0"
        with closing(open_storage(url)) as target:
            target.register(name="first", kind="thread", slots=1)
        with server.client() as client:
            used = int(client.info("memory")["used_memory"])
        server.ask("CONFIG", "SET", "maxmemory", used + 20_000)

        done = hueyctl("load", "d", "-u", url)

        assert done.returncode == 74, done.stderr
        said, hint = done.stderr.splitlines()
        assert "has no memory left" in said and "run it again: 0 jobs are in" in hint
        server.ask("CONFIG", "SET", "maxmemory", 0)
        target = opened(url)
        assert target.examine(full=True) == []
        assert hueyctl("load", "d", "-u", url).returncode == 0
        assert mixed.ends(target) == mixed.ends(full)


@pytest.mark.parametrize("engine", ENGINES)
def test_both_sides_need_the_same_memory_for_more(
    engine: str, place: Callable[[str], str], opened: Callable[..., Storage]
) -> None:
    """15,000 and 45,000 jobs: a few pages of them are in memory."""
    from tests.storage.kit import new

    peaks = []
    for number in (15_000, 45_000):
        storage = opened(place(engine))
        storage.enqueue([new(payload=b"x" * 1000) for _ in range(number)])
        peaks.append(
            [
                peak(command("dump", "-u", storage.url, "--to", f"{number}.jsonl")),
                peak(command("load", f"{number}.jsonl", "-u", place(engine), "--create")),
            ]
        )

    for less, more in zip(*peaks, strict=True):
        assert more < less + 6_000, peaks


#: The system counts for a process what its parent had when it was made: a small one makes it here.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(words: list[str]) -> int:
    """Kilobytes that a command line has used at most."""
    return int(subprocess.check_output([sys.executable, "-c", MEASURE, *words]))


def test_dump_needs_no_dump_to_load(home: Path, invoke: Invoke) -> None:
    for words in (
        ("load",),
        ("load", "d", "--from-huey", "x"),
        ("load", "--from-huey", "x", "--move"),
    ):
        assert invoke(*words).exit_code == 2
