"""One ``consume`` for several applications, on every kind of workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from clikit import DEADLINE, living_workers, state_of_job, states_of_workers

Run = Callable[..., Any]
Until = Callable[..., None]

KINDS = ("thread", "greenlet", "asyncio", "process")
every_kind = pytest.mark.parametrize("kind", KINDS)


class Two(NamedTuple):
    """The applications, and the file of each."""

    apps: tuple[str, str]
    files: tuple[Path, Path]

    def at_work(self) -> bool:
        return all(set(states_of_workers(path)) == {"running"} for path in self.files)

    def gone(self) -> bool:
        return all(states_of_workers(path) == [] for path in self.files)


@pytest.fixture
def two(app: str, home: Path) -> Two:
    source = (home / "app.py").read_text().replace('"queue.db"', '"second.db"')
    (home / "second.py").write_text(source)
    return Two((app, "second:huey"), (home / "queue.db", home / "second.db"))


@pytest.fixture
def both(two: Two, spawn: Run, until: Until) -> Callable[..., Any]:
    """Start them together; returns when both work."""

    def start(kind: str, *words: str, **options: Any) -> Any:
        if kind == "greenlet":
            pytest.importorskip("gevent")
        child = spawn("consume", *two.apps, "-k", kind, "-l", "log", *words, **options)

        def there() -> bool:
            assert child.poll() is None, child.communicate()
            return two.at_work()

        until(there)
        return child

    return start


@pytest.mark.parametrize("kind", ["asyncio", "process"])
def test_a_burst_of_several_applications_ends_when_all_are_drained(
    two: Two, hueyctl: Run, kind: str
) -> None:
    for name in two.apps:
        hueyctl("enqueue", "-A", name, f"{name.partition(':')[0]}.add", "1")

    done = hueyctl("consume", *two.apps, "--burst", "-k", kind)

    assert done.returncode == 0, done.stderr
    for name in two.apps:
        assert hueyctl("result", "1", "-A", name).stdout == "3\n"


@every_kind
def test_each_works_with_that_kind_and_a_signal_reaches_all_of_them_once(
    two: Two, both: Run, hueyctl: Run, kind: str
) -> None:
    child = both(kind)
    assert all({row.kind for row in living_workers(path)} == {kind} for path in two.files)
    done = hueyctl("enqueue", "-A", two.apps[1], "second.add", "1", "--wait", "-t", "10")
    assert (done.returncode, done.stdout.split()[-1]) == (0, "3"), done.stderr

    # As ^C in a terminal does: to the whole group.
    os.killpg(child.pid, signal.SIGINT)

    assert child.wait(DEADLINE) == 0
    assert two.gone()


@pytest.mark.parametrize("kind", ["greenlet", "process"])
def test_a_second_signal_interrupts_all_of_them(
    two: Two, both: Run, hueyctl: Run, until: Until, kind: str
) -> None:
    child = both(kind)
    for name in two.apps:
        hueyctl("enqueue", "-A", name, f"{name.partition(':')[0]}.nap", "60")
    until(lambda: all(state_of_job(path, "1") == "running" for path in two.files))

    child.terminate()
    until(lambda: all("stopping" in states_of_workers(path) for path in two.files))
    child.terminate()

    assert child.wait(DEADLINE) == 143


@pytest.mark.parametrize("kind", ["asyncio", "process"])
def test_hup_starts_all_of_them_anew(two: Two, both: Run, until: Until, kind: str) -> None:
    child = both(kind)
    before = [_pids(path) for path in two.files]

    child.send_signal(signal.SIGHUP)

    until(lambda: all(_pids(path) and not _pids(path) & old
                      for path, old in zip(two.files, before, strict=True)))  # fmt: skip
    until(two.at_work)
    child.terminate()
    assert child.wait(DEADLINE) == 0


def _pids(path: Path) -> set[int]:
    return {row.pid for row in living_workers(path)}


def test_when_one_fails_the_others_stop_and_its_code_is_ours(two: Two, hueyctl: Run) -> None:
    done = hueyctl("consume", two.apps[0], "nothing:huey")

    assert done.returncode == 78
    assert "the consumer of nothing:huey ended with 78" in done.stderr
    assert two.gone()


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_when_one_is_killed_the_others_stop_and_who_supervises_us_sees_it(
    two: Two, both: Run, kind: str
) -> None:
    child = both(kind)
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()

    os.kill(int(children[1]), signal.SIGKILL)

    assert child.wait(DEADLINE) == 128 + signal.SIGKILL
    assert states_of_workers(two.files[0]) == []


@pytest.mark.parametrize("kind", ["greenlet", "process"])
def test_children_stop_when_their_parent_is_killed(
    two: Two, both: Run, until: Until, kind: str
) -> None:
    child = both(kind)

    child.kill()

    until(two.gone)
