"""Files that are damaged, missing, replaced, not ours to write, or in a place where they cannot be;
clocks that jump; and every error of SQLite under its own name."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.exceptions import (
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageFull,
    StorageMissing,
    StorageMoved,
    StorageReadOnly,
    StorageTooNew,
)
from hueycore.model.jobs import Selector, Want
from hueycore.model.schedules import Fire, Periodic
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage, connections, path
from hueycore.storage.sqlite.database import Database
from hueycore.storage.sqlite.errors import translate
from tests.helpers import Clock, give_up_after
from tests.storage.kit import DAY, ended, new, state, take, worker
from tests.storage.sql.lab import write
from tests.storage.sqlite.faults.rig import NOW, Crew, forked, rows
from tests.storage.sqlite.invariants import check_invariants

NOBODY = 65534


@pytest.fixture
def root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that anybody may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def filled(path: str | Path, jobs: int = 50) -> None:
    with closing(SqliteStorage(path)) as storage:
        storage.enqueue([new(payload=b"x" * 2000) for _ in range(jobs)])


def outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except StorageError as error:
        return type(error).__name__
    return "worked"


# --- damage ---------------------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(20_000))


def truncated(path: Path) -> None:
    os.truncate(path, 4096 * 3 + 100)


def page_of_ones(path: Path) -> None:
    with path.open("r+b") as file:
        for page in range(1, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)


def flipped_magic(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"sQLite format 3\0")


DAMAGE = [garbage, truncated, page_of_ones, flipped_magic]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_file_is_called_damaged_and_left_as_it_is(
    damage: Callable[[Path], None], read_only: bool, path: str
) -> None:
    filled(path)
    damage(Path(path))
    before = Path(path).read_bytes()

    def use() -> None:
        with closing(SqliteStorage(path, read_only=read_only)) as storage:
            storage.jobs(Selector())
            storage.depths()
            storage.export(Selector())

    with pytest.raises(StorageCorrupt, match=r"queue\.db"):
        use()

    assert Path(path).read_bytes() == before


def test_damage_that_appears_while_the_file_is_open_is_an_error_for_each_verb(path: str) -> None:
    filled(path)
    with closing(SqliteStorage(path)) as storage:
        page_of_ones(Path(path))
        for verb in (
            lambda: storage.enqueue([new()]),
            lambda: storage.export(Selector()),
            lambda: storage.revoke(Selector()),
            lambda: storage.register(name="me", kind="thread", slots=1),
        ):
            assert outcome(verb) == "StorageCorrupt"
        assert not storage.db._lock.locked()


def test_an_empty_file_becomes_a_queue_for_a_writer_and_is_none_for_a_reader(path: str) -> None:
    Path(path).touch()
    with pytest.raises(StorageCorrupt, match="holds no queue"):
        SqliteStorage(path, read_only=True)
    assert Path(path).stat().st_size == 0
    filled(path)
    check_invariants(path)


def test_a_newer_schema_is_refused(path: str) -> None:
    with closing(SqliteStorage(path)) as storage:
        write(storage, "update huey_meta set value = '99' where name = 'schema'")
        for read_only in (False, True):
            with pytest.raises(StorageTooNew):
                SqliteStorage(path, read_only=read_only)
        with pytest.raises(StorageTooNew):
            storage.verify()


# --- places ---------------------------------------------------------------------------------------


def test_a_directory_is_not_a_queue(tmp_path: Path) -> None:
    for read_only in (False, True):
        with pytest.raises(StorageError, match=str(tmp_path)):
            SqliteStorage(tmp_path, read_only=read_only)


def test_a_fifo_is_not_a_queue_and_nobody_waits_at_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "queue.db")
    for read_only in (False, True):
        with pytest.raises(StorageError, match="not a regular file"):
            SqliteStorage(tmp_path / "queue.db", read_only=read_only)


def test_a_reader_never_creates_a_file(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"
    for options in ({"read_only": True}, {"create": False}, {"read_only": True, "create": True}):
        with pytest.raises(StorageMissing, match=r"missing\.db"):
            SqliteStorage(path, **options)
    with pytest.raises(StorageMissing):
        SqliteStorage(tmp_path / "nowhere" / "queue.db")
    with pytest.raises(StorageError):
        SqliteStorage(tmp_path / ("x" * 300))
    assert list(tmp_path.iterdir()) == []


def test_a_reader_leaves_no_file_beside_a_queue_that_nobody_uses(path: str) -> None:
    filled(path)
    Path(path + "-huey").unlink()
    before = set(os.listdir(os.path.dirname(path)))

    with closing(SqliteStorage(path, read_only=True)) as reader:
        assert reader.count(Selector()) == 50
        reader.workers()
        with pytest.raises(StorageReadOnly):
            reader.put("name", b"value")

    assert set(os.listdir(os.path.dirname(path))) - before <= {"queue.db-wal", "queue.db-shm"}
    assert not os.path.exists(path + "-huey")


def test_a_closed_file_carries_everything_and_needs_no_log(path: str) -> None:
    filled(path)
    assert not os.path.exists(path + "-wal")
    shutil.copy(path, path + ".copy")
    assert rows(path + ".copy", "select count(*) from huey_job") == [(50,)]


@pytest.mark.parametrize("change", ["unlinked", "replaced"])
def test_a_file_that_was_removed_or_replaced_is_noticed_by_writer_and_reader(
    change: str, path: str, file: SqliteStorage
) -> None:
    file.enqueue([new()])
    with closing(SqliteStorage(path, read_only=True)) as reader:
        assert reader.count(Selector()) == 1
        os.rename(path, path + ".gone")
        if change == "replaced":
            shutil.copy(path + ".gone", path)
        for verb in (
            lambda: file.enqueue([new()]),
            lambda: file.jobs(Selector()),
            lambda: file.db.version(),
            lambda: file.db.checkpoint(truncate=False),
            lambda: file.verify(),
            lambda: reader.count(Selector()),
        ):
            assert outcome(verb) == "StorageMoved"
        if change == "replaced":
            os.unlink(path)
        os.rename(path + ".gone", path)
        assert reader.count(Selector()) == file.count(Selector()) == 1


def test_what_a_removed_file_left_behind_does_not_get_into_a_new_one(path: str) -> None:
    filled(path, 5)
    old = SqliteStorage(path)
    old.enqueue([new()])
    os.unlink(path)
    with closing(SqliteStorage(path)) as fresh:
        assert fresh.count(Selector()) == 0
        fresh.enqueue([new()])
        assert outcome(lambda: old.enqueue([new()])) == "StorageMoved"
        old.close()
        fresh.enqueue([new()])
        assert fresh.count(Selector()) == 2
    check_invariants(path)


MOUNTS = """\
21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
22 21 0:20 / {0} rw shared:5 - nfs4 server:/export rw
23 22 0:21 / {0}/local\\040disk rw - xfs /dev/vdb rw
24 21 0:22 / /mnt/share rw - cifs //server/share rw
"""


@pytest.mark.feature("files")
def test_a_network_file_system_is_refused_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mountinfo = tmp_path / "mountinfo"
    remote = tmp_path / "remote"
    local = remote / "local disk"
    local.mkdir(parents=True)
    mountinfo.write_text(MOUNTS.format(remote))
    monkeypatch.setattr(
        connections, "refuse_network", lambda file: path.refuse_network(file, str(mountinfo))
    )

    with pytest.raises(StorageError, match="nfs4, a network file system"):
        SqliteStorage(remote / "queue.db")
    assert list(remote.iterdir()) == [local]

    SqliteStorage(remote / "forced.db", force_network=True).close()
    SqliteStorage(local / "queue.db").close()
    SqliteStorage(tmp_path / "queue.db").close()
    assert path.file_system("/mnt/share/queue.db", str(mountinfo)) == "cifs"
    assert path.file_system("/mnt/shared/queue.db", str(mountinfo)) == "ext4"
    assert path.file_system("/anywhere", str(tmp_path / "no mountinfo here")) == ""


def test_a_symbolic_link_to_a_network_file_system_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    (tmp_path / "link").symlink_to(remote)
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(MOUNTS.format(remote))
    monkeypatch.setattr(
        connections, "refuse_network", lambda file: path.refuse_network(file, str(mountinfo))
    )
    with pytest.raises(StorageError, match="network"):
        SqliteStorage(tmp_path / "link" / "queue.db")


def test_names_that_mean_something_in_a_uri_are_names(tmp_path: Path) -> None:
    for name in ("a?mode=memory.db", "b#c.db", "d%20e.db", "f g.db", "ü.db"):
        filled(tmp_path / name, 1)
        assert (tmp_path / name).exists()
        with closing(SqliteStorage(tmp_path / name, read_only=True)) as reader:
            assert reader.count(Selector()) == 1


# --- permissions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "umask"), [(0o600, 0o022), (0o660, 0o077), (0o640, 0o000)])
@pytest.mark.feature("files")
def test_all_files_of_a_queue_have_the_mode_that_was_asked_for(
    mode: int, umask: int, path: str
) -> None:
    before = os.umask(umask)
    try:
        options = {} if mode == 0o600 else {"mode": mode}
        with closing(SqliteStorage(path, **options)) as storage:
            number = worker(storage)
            storage.enqueue([new()])
            storage.jobs(Selector())
            modes = {
                suffix: stat.S_IMODE(os.stat(path + suffix).st_mode)
                for suffix in ("", "-wal", "-shm", "-huey")
            }
            storage.unregister(number)
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("", "-wal", "-shm", "-huey"), mode)


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_the_side_file_that_root_makes_belongs_to_the_owner_of_the_database(public: Path) -> None:
    os.chown(public, NOBODY, NOBODY)
    path = str(public / "queue.db")
    forked(lambda: filled(path, 1), uid=NOBODY)
    Path(path + "-huey").unlink(missing_ok=True)

    with closing(SqliteStorage(path)) as storage:
        number = worker(storage)
        storage.unregister(number)

    assert (os.stat(path + "-huey").st_uid, os.stat(path + "-huey").st_gid) == (NOBODY, NOBODY)
    assert forked(lambda: outcome(lambda: filled(path, 1)), uid=NOBODY) == "worked"


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_somebody_else_cannot_open_a_private_queue(public: Path) -> None:
    path = str(public / "queue.db")
    filled(path, 1)

    def try_all() -> list[str]:
        return [
            outcome(lambda: SqliteStorage(path, read_only=read_only).close())  # noqa: B023
            for read_only in (False, True)
        ]

    found = forked(try_all, uid=NOBODY)

    assert "worked" not in found
    assert set(found) <= {"StorageReadOnly", "StorageMissing", "StorageError"}


@pytest.mark.root
@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("folder", "mode", "may_write"), [(0o2770, 0o660, True), (0o2750, 0o640, False)]
)
def test_a_group_has_a_queue_in_common_whoever_made_it(
    public: Path, folder: int, mode: int, may_write: bool
) -> None:
    """As the page about operating has it: the group of the folder is that of all files."""
    consumer, web, operator, group = 20_001, 20_002, 20_003, 21_000
    path = str(public / "queue" / "queue.db")
    (public / "queue").mkdir()
    os.chown(public / "queue", consumer, group)
    os.chmod(public / "queue", folder)

    def add() -> None:
        with closing(SqliteStorage(path, mode=mode)) as storage:
            storage.enqueue([new()])

    def look() -> int:
        with closing(SqliteStorage(path, read_only=True)) as storage:
            return storage.count(Selector())

    maker = web if may_write else consumer
    assert forked(lambda: outcome(add), uid=maker, groups=[group]) == "worked"
    assert forked(lambda: outcome(add), uid=consumer, groups=[group]) == "worked"
    changed = forked(lambda: outcome(add), uid=operator, groups=[group])
    assert changed == ("worked" if may_write else "StorageReadOnly")
    assert forked(look, uid=operator, groups=[group]) == (3 if may_write else 2)
    assert forked(lambda: outcome(look), uid=operator) != "worked"


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_read_only_file_can_be_read_and_says_that_it_cannot_be_written(public: Path) -> None:
    path = str(public / "queue.db")
    filled(path, 3)
    for name in os.listdir(public):
        os.chmod(public / name, 0o444)

    def read() -> int:
        with closing(SqliteStorage(path, read_only=True)) as reader:
            reader.workers()
            return reader.count(Selector())

    assert forked(read, uid=NOBODY) == 3
    assert forked(lambda: outcome(lambda: SqliteStorage(path).close()), uid=NOBODY) == (
        "StorageReadOnly"
    )


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_directory_that_cannot_be_written_takes_no_new_queue(public: Path) -> None:
    path = str(public / "queue.db")
    assert forked(lambda: outcome(lambda: SqliteStorage(path)), uid=NOBODY) == "StorageReadOnly"
    assert list(public.iterdir()) == []

    # The file may be written, but a log cannot be made beside it.
    filled(path, 1)
    os.chown(path, NOBODY, NOBODY)
    found = forked(lambda: outcome(lambda: filled(path, 1)), uid=NOBODY)
    assert found in ("StorageReadOnly", "StorageMissing")
    assert rows(path, "select count(*) from huey_job") == [(1,)]


@pytest.mark.root
@pytest.mark.usefixtures("root")
def test_a_reader_of_a_queue_that_he_may_not_write_sees_what_writers_add(public: Path) -> None:
    """``immutable`` would show him the past for ever."""
    path = str(public / "queue.db")
    filled(path, 1)
    with closing(SqliteStorage(path, mode=0o644)) as writer:
        for name in os.listdir(public):
            os.chmod(public / name, 0o644)
        writer.enqueue([new()])
        for expected in (2, 3):

            def read() -> int:
                with closing(SqliteStorage(path, read_only=True)) as reader:
                    return reader.count(Selector())

            assert forked(read, uid=NOBODY) == expected
            writer.enqueue([new()])


# --- a file of the application's own --------------------------------------------------------------


def test_foreign_tables_are_left_alone_and_one_transaction_can_hold_both(path: str) -> None:
    with closing(sqlite3.connect(path)) as con:
        con.executescript(
            """
            pragma user_version = 7; pragma application_id = 42;
            create table orders (id integer primary key, what text);
            insert into orders values (1, 'tea'), (2, 'cake');
            create table job (id integer);
            """
        )
    theirs = "select name, sql from sqlite_master where name not like 'huey_%' and sql is not null"
    before = sorted(row for row in rows(path, theirs) if row[0] != "sqlite_sequence")

    filled(path, 3)
    with closing(SqliteStorage(path)) as storage:
        number = worker(storage)
        while claims := take(storage, number, 3):
            storage.exchange(number, [ended(claim) for claim in claims], Want(0))
        storage.unregister(number)
        storage.flush()

    after = sorted(row for row in rows(path, theirs) if row[0] != "sqlite_sequence")
    assert after == before
    assert rows(path, "select * from orders") == [(1, "tea"), (2, "cake")]
    assert rows(path, "pragma user_version") == [(7,)]
    assert rows(path, "pragma application_id") == [(42,)]
    check_invariants(path)


def test_a_database_in_another_journal_mode_is_brought_to_a_log_and_keeps_its_rows(
    path: str,
) -> None:
    with closing(sqlite3.connect(path)) as con:
        con.executescript("pragma journal_mode=delete; create table t (x); insert into t values(1)")
    filled(path, 1)
    assert rows(path, "pragma journal_mode") == [("wal",)]
    assert rows(path, "select x from t") == [(1,)]


# --- clocks ---------------------------------------------------------------------------------------


def test_a_clock_that_jumps_by_a_day_loses_and_doubles_nothing(path: str, clock: Clock) -> None:
    dice = random.Random(4)
    clock.freeze(NOW)
    ran: Counter[str] = Counter()
    with closing(SqliteStorage(path)) as storage:
        number = worker(storage)
        expected = set()
        for _ in range(60):
            delay = dice.choice([None, 10, DAY / 2, -50])
            run_at = None if delay is None else clock.now() + delay
            (job,) = storage.enqueue([new(run_at=run_at)])
            expected.add(job.id)
            clock.jump(dice.choice([-DAY, DAY, 0, 1]))
            storage.promote()
            assert storage.recover() == []
            assert storage.expire() == []
            claims = take(storage, number, 2)
            clock.jump(dice.choice([-DAY, DAY]))
            ran.update(claim.id for claim in claims)
            assert storage.exchange(number, [ended(claim) for claim in claims], Want(0)).lost == []
        clock.jump(200 * DAY)
        storage.promote()
        while claims := take(storage, number, 10):
            ran.update(claim.id for claim in claims)
            storage.exchange(number, [ended(claim) for claim in claims], Want(0))
        assert ran == Counter(expected)
        storage.unregister(number)
    check_invariants(path)


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_jump_of_the_clock_fires_a_schedule_once(jump: float, path: str, clock: Clock) -> None:
    """Two schedulers with the same view: whoever is second finds ``next_run`` moved on."""
    clock.freeze(NOW)
    with closing(SqliteStorage(path)) as one, closing(SqliteStorage(path)) as other:
        one.declare_periodic([Periodic("tick", "tick", "@every 60", None, NOW + 60)])
        clock.jump(60)
        seen = [storage.periodic()[0].next_run for storage in (one, other)]
        assert one.fire([Fire("tick", seen[0], NOW + 120, [new("tick", scheduled_for=NOW + 60)])])
        clock.jump(jump)
        assert not other.fire(
            [Fire("tick", seen[1], NOW + 120, [new("tick", scheduled_for=NOW + 60)])]
        )
        # Declaring the unchanged schedule anew, as a restart does, does not turn it back.
        other.declare_periodic([Periodic("tick", "tick", "@every 60", None, clock.now() + 60)])
        assert other.periodic()[0].next_run == NOW + 120
        assert one.count(Selector(task="tick")) == 1


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_no_jump_of_the_clock_makes_a_living_worker_look_dead(
    jump: float, crew: Crew, file: SqliteStorage, clock: Clock
) -> None:
    (job,) = file.enqueue([new()])
    member = crew.start("work", file.db.path, 1, 1)
    number, _ = member.hear()
    clock.jump(jump)
    assert [(found.id, found.alive) for found in file.workers()] == [(number, True)]
    assert file.recover() == []
    assert state(file, job) is State.RUNNING


# --- errors by name -------------------------------------------------------------------------------


def test_a_lock_of_this_very_process_is_named(
    file: SqliteStorage, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(monkeypatch, 0.05)
    inside, leave = threading.Event(), threading.Event()

    def body(con: sqlite3.Connection) -> None:
        inside.set()
        assert leave.wait(20)

    holder = threading.Thread(target=lambda: file.db.transact(body), name="the culprit")
    holder.start()
    try:
        assert inside.wait(10)
        with closing(SqliteStorage(path)) as other:
            with pytest.raises(StorageBusy, match='"the culprit" of this very process'):
                other.enqueue([new()])
            assert other.jobs(Selector()) == []  # who reads is not kept waiting
    finally:
        leave.set()
        holder.join(10)
    file.enqueue([new()])


def test_a_lock_of_another_process_is_waited_for_and_then_reported(
    file: SqliteStorage, path: str, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = crew.start("hold", path)
    assert holder.hear() == "holding"
    give_up_after(monkeypatch, 0.05)
    with pytest.raises(StorageBusy, match="another process"):
        file.enqueue([new()])

    give_up_after(monkeypatch, 20)
    threading.Timer(0.1, holder.tell).start()
    file.enqueue([new()])
    assert holder.hear() == "gone"
    assert file.count(Selector()) == 1


def test_a_killed_holder_of_the_write_lock_leaves_nothing(
    file: SqliteStorage, path: str, crew: Crew
) -> None:
    holder = crew.start("hold", path)
    assert holder.hear() == "holding"
    holder.kill()
    file.enqueue([new()])
    check_invariants(path)


#: What each primary code of SQLite becomes; everything else is a plain StorageError.
KINDS = {
    sqlite3.SQLITE_BUSY: StorageBusy,
    sqlite3.SQLITE_LOCKED: StorageBusy,
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_CORRUPT: StorageCorrupt,
    sqlite3.SQLITE_NOTADB: StorageCorrupt,
    sqlite3.SQLITE_READONLY: StorageReadOnly,
    sqlite3.SQLITE_CANTOPEN: StorageMissing,
    sqlite3.SQLITE_READONLY_DBMOVED: StorageMoved,
    sqlite3.SQLITE_BUSY_SNAPSHOT: StorageBusy,
    sqlite3.SQLITE_BUSY_RECOVERY: StorageBusy,
    sqlite3.SQLITE_CORRUPT_VTAB: StorageCorrupt,
    sqlite3.SQLITE_READONLY_CANTLOCK: StorageReadOnly,
    sqlite3.SQLITE_CANTOPEN_ISDIR: StorageMissing,
}


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name in vars(sqlite3)
        if name.startswith("SQLITE_") and isinstance(getattr(sqlite3, name), int)
    ),
)
def test_every_code_of_sqlite_has_one_name_here(name: str) -> None:
    code = getattr(sqlite3, name)
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    known = KINDS.get(code) or KINDS.get(code & 0xFF) or StorageError
    found = translate(error, "/path/queue.db")
    if name.startswith(
        ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_CORRUPT", "SQLITE_READONLY", "SQLITE_NOTADB",
         "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_LOCKED", "SQLITE_CONSTRAINT")
    ):  # fmt: skip
        assert type(found) is known
    assert isinstance(found, StorageError)
    assert "/path/queue.db" in str(found)


def _statement(text: str, *values: object) -> Callable[[Database], object]:
    return lambda db: db.transact(lambda con: con.execute(text, values).fetchall())


PROVOKED: dict[str, Callable[[Database], object]] = {
    "constraint": _statement("insert into huey_meta (name, value) values ('schema', '1')"),
    "check": _statement("insert into huey_queue (queue, purged, created_at) values ('q', 'x', 0)"),
    "no such table": _statement("select * from nothing"),
    "syntax": _statement("selekt"),
    "too big": _statement("select zeroblob(3000000000)"),
    "type mismatch": _statement("update huey_job set seq = 'x'"),
    "overflow": _statement("select abs(-9223372036854775808)"),
    "too many variables": _statement(f"select {','.join('?' * 260_000)}", *[0] * 260_000),
    "wrong number of values": _statement("select ?"),
    "unsupported value": _statement("select ?", object()),
    "two statements": _statement("select 1; select 2"),
    "a write on the reading connection": lambda db: db.read(
        lambda con: con.execute("delete from huey_job")
    ),
    "a missing savepoint": _statement("release nothing"),
    "a closed connection": lambda db: db.transact(lambda con: con.close()),
    "malformed json": _statement("select json('{')"),
}


@pytest.mark.parametrize("name", PROVOKED)
def test_no_error_of_sqlite_comes_out_under_its_own_name(
    name: str, file: SqliteStorage, path: str
) -> None:
    file.enqueue([new()])
    with pytest.raises(StorageError, match=r"queue\.db") as caught:
        PROVOKED[name](file.db)
    assert not isinstance(caught.value, sqlite3.Error)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    file.enqueue([new()])
    assert file.count(Selector()) == 2


def test_a_closed_storage_says_so(file: SqliteStorage) -> None:
    file.close()
    file.close()
    for verb in (
        lambda: file.enqueue([new()]),
        lambda: file.jobs(Selector()),
        lambda: file.db.version(),
        lambda: file.db.checkpoint(truncate=True),
    ):
        with pytest.raises(StorageError, match="closed"):
            verb()


def test_a_bell_that_cannot_be_rung_fails_no_enqueue(
    file: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the commit nothing may fail any more."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "no")

    file.enqueue([new()])
    monkeypatch.setattr(os, "utime", refuse)
    file.enqueue([new()])
    assert file.count(Selector()) == 2


def test_the_bell_rings_after_the_commit(file: SqliteStorage, path: str) -> None:
    """Rung before, it would wake a consumer that finds nothing, and goes to sleep again."""
    seen: list[list[tuple[object, ...]]] = []
    side = file.side()
    assert side is not None
    count = "select count(*) from huey_job where state = 'pending'"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side, "ring", lambda: seen.append(rows(path, count)))
        file.enqueue([new()])
        file.enqueue([new(run_at=1.0)])
        file.declare_periodic([Periodic("tick", "tick", "x", None, NOW)])
        file.fire([Fire("tick", NOW, NOW + 60, [new()])])
        file.revoke(Selector())
        file.requeue(Selector())
    assert seen == [[(1,)], [(2,)], [(3,)], [(3,)]]
