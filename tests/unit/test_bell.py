"""Sleeping until there is news: the bell wakes at once, the version in any case, a nudge too."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from hueycore.model.jobs import Selector
from hueycore.storage.sqlite import SqliteStorage, bell
from hueycore.storage.sqlite.bell import Bell
from tests.storage.kit import born

#: Longer than any wait of a test that is meant to be woken.
LONG = 30.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    found = tmp_path / "queue.db-huey"
    found.touch()
    return str(found)


class Version:
    """A database whose version a test sets."""

    def __init__(self) -> None:
        self.value = 1
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return self.value


@pytest.fixture
def version() -> Version:
    return Version()


@pytest.fixture(params=["inotify", "deaf"])
def listener(
    request: pytest.FixtureRequest, path: str, version: Version, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bell]:
    """One that hears the bell, and one that has no inotify."""
    if request.param == "deaf":
        monkeypatch.setattr(bell, "_watch", lambda path: None)
    made = Bell(path, version)
    yield made
    made.close()


@pytest.fixture
def sleeper() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def asleep(sleeper: ThreadPoolExecutor, made: Bell, version: Version) -> Future[bool]:
    """Somebody waits for news, and has begun to."""
    before = version.looks
    future = sleeper.submit(made.wait, LONG)
    while version.looks == before:
        time.sleep(0.0005)
    return future


def test_a_wait_without_news_ends_with_its_time(listener: Bell) -> None:
    begun = time.monotonic()

    assert listener.wait(0) is False
    assert listener.wait(0.06) is False

    assert 0.06 <= time.monotonic() - begun < 5


def test_a_ring_wakes_at_once(
    path: str, version: Version, sleeper: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "LOOK", LONG)  # so that only the bell can wake
    made = Bell(path, version)
    waiting = asleep(sleeper, made, version)

    os.utime(path)

    assert waiting.result(5) is True
    made.close()


def test_a_ring_before_the_wait_is_heard(path: str, version: Version) -> None:
    made = Bell(path, version)
    os.utime(path)

    assert made.wait(5) is True
    assert made.wait(0.01) is False
    made.close()


def test_many_rings_are_one_piece_of_news(path: str, version: Version) -> None:
    made = Bell(path, version)
    for _ in range(2000):
        os.utime(path)

    assert [made.wait(0.02) for _ in range(3)] == [True, False, False]
    made.close()


def test_a_commit_without_a_ring_is_noticed(
    listener: Bell, version: Version, sleeper: ThreadPoolExecutor
) -> None:
    waiting = asleep(sleeper, listener, version)

    version.value += 1

    assert waiting.result(5) is True
    assert listener.wait(0) is False


def test_a_commit_between_two_waits_is_noticed_at_once(listener: Bell, version: Version) -> None:
    listener.wait(0)
    version.value += 1

    assert listener.wait(0) is True
    assert listener.wait(0) is False


def test_a_removed_bell_deafens_nobody(
    path: str, version: Version, sleeper: ThreadPoolExecutor
) -> None:
    made = Bell(path, version)
    os.unlink(path)
    made.wait(0.2)  # its going may be news
    waiting = asleep(sleeper, made, version)

    version.value += 1

    assert waiting.result(5) is True
    made.close()


def test_a_replaced_bell_deafens_nobody(
    path: str, version: Version, sleeper: ThreadPoolExecutor
) -> None:
    made = Bell(path, version)
    os.rename(path, path + ".old")
    Path(path).touch()
    while made.wait(0.05):
        pass
    waiting = asleep(sleeper, made, version)

    os.utime(path)
    version.value += 1

    assert waiting.result(5) is True
    made.close()


def test_a_nudge_ends_a_wait(listener: Bell, version: Version, sleeper: ThreadPoolExecutor) -> None:
    waiting = asleep(sleeper, listener, version)

    listener.nudge()

    assert waiting.result(5) is True


def test_a_nudge_before_the_wait_is_not_lost(listener: Bell) -> None:
    listener.nudge()

    assert listener.wait(5) is True
    assert listener.wait(0) is False


def test_nudges_never_block(listener: Bell) -> None:
    """Also when nobody empties the pipe: a signal handler may nudge."""
    for _ in range(100_000):
        listener.nudge()

    assert listener.wait(5) is True
    assert listener.wait(0) is False


def test_closing_gives_back_every_descriptor(path: str, version: Version) -> None:
    gc.collect()  # what other tests have left open
    before = sorted(os.listdir("/proc/self/fd"))

    for _ in range(20):
        Bell(path, version).close()

    assert sorted(os.listdir("/proc/self/fd")) == before


def test_without_a_bell_one_looks(version: Version, tmp_path: Path) -> None:
    for missing in (None, str(tmp_path / "nothing")):
        made = Bell(missing, version)
        assert made.wait(0.01) is False
        version.value += 1
        assert made.wait(5) is True
        made.close()


@pytest.mark.parametrize(
    ("deaf", "first", "pause"), [(True, 10, bell.SLOW_LOOK), (False, 1, bell.LOOK)]
)
def test_without_news_looks_are_rare(
    deaf: bool, first: int, pause: float, path: str, version: Version
) -> None:
    made = Bell(None if deaf else path, version)
    begun, looks = time.monotonic(), version.looks
    made.wait(0.6)
    seconds = time.monotonic() - begun

    assert version.looks - looks <= first + seconds / pause * 1.5
    made.close()


def test_descriptors_above_1023_are_fine(path: str, version: Version) -> None:
    """``select`` could not wait for them."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this user may not have so many")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1050)]
    try:
        made = Bell(path, version)
        os.utime(path)
        assert made.wait(5) is True
        made.nudge()
        assert made.wait(5) is True
        made.close()
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- a storage's own ------------------------------------------------------------------------------


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStorage]:
    made = SqliteStorage(":memory:" if request.param == "memory" else tmp_path / "queue.db")
    yield made
    made.close()


NEWS: dict[str, Callable[[SqliteStorage], object]] = {
    "a job": born,
    "a nudge": lambda storage: storage.nudge(),
}


@pytest.mark.parametrize("news", NEWS)
def test_who_waits_on_a_storage_is_woken(
    storage: SqliteStorage, sleeper: ThreadPoolExecutor, news: str
) -> None:
    while storage.wait(0.01):
        pass  # what came before the watch was set
    started = threading.Event()

    def sleep() -> bool:
        started.set()
        return storage.wait(LONG)

    waiting = sleeper.submit(sleep)
    started.wait()

    NEWS[news](storage)

    assert waiting.result(5) is True


def test_the_first_wait_is_news_because_nobody_listened_before(storage: SqliteStorage) -> None:
    born(storage)

    assert storage.wait(LONG) is True


def test_another_storage_on_the_file_wakes_the_sleeper(
    tmp_path: Path, sleeper: ThreadPoolExecutor
) -> None:
    ours, theirs = (SqliteStorage(tmp_path / "queue.db") for _ in range(2))
    while ours.wait(0.01):
        pass
    waiting = sleeper.submit(ours.wait, LONG)

    born(theirs)

    assert waiting.result(5) is True
    ours.close(), theirs.close()


def test_a_ring_follows_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rung before, it wakes consumers that find nothing, and nobody when there is something."""
    storage = SqliteStorage(tmp_path / "queue.db")
    other = SqliteStorage(tmp_path / "queue.db", read_only=True)
    seen: list[int] = []
    monkeypatch.setattr(storage, "ring", lambda: seen.append(other.count(Selector())))

    born(storage)
    born(storage)

    assert seen == [1, 2]
    storage.close(), other.close()
