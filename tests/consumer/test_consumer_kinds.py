"""Greenlets and coroutines: real consumers of each kind, in processes that gevent may patch."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hueycore import Result, State
from tests.consumer.kindsapp import Tasks
from tests.crash.crashkit import ConsumerProcess, Place
from tests.helpers import run_python, wait_until

pytest.importorskip("gevent")

KINDS = ("asyncio", "greenlet")
#: A job that waits, in the words of a kind.
WAITS = {"asyncio": "ahang", "greenlet": "hang"}


#: A plain task of the kind asyncio is in a thread, which cannot be stopped while it sleeps.
STOPPABLE = pytest.mark.parametrize(
    ("place", "task"),
    [("asyncio", "ahang"), ("greenlet", "hang"), ("greenlet", "ahang")],
    indirect=["place"],
)


class KindPlace(Place):
    """A queue, its application, and consumers of one kind."""

    def __init__(self, folder: Path, path: str, kind: str) -> None:
        super().__init__(folder, path)
        self.kind = kind
        self.tasks = Tasks(self.huey, str(self.log))

    def consumer(self, *options: str, workers: int = 4) -> ConsumerProcess:
        words = ("-m", "hueyctl", "consume", "tests.consumer.kindsapp:huey", "-k", self.kind)
        return self.process(*words, "-w", str(workers), *options)

    def said(self) -> Counter[str]:
        return Counter(line.split()[0] for line in self.log.read_text().splitlines())

    def hang(self) -> Result[Any]:
        """A job of this kind that waits for a minute."""
        handle: Result[Any] = getattr(self.tasks, WAITS[self.kind])()
        return handle

    def wait_started(self, number: int = 1) -> None:
        wait_until(lambda: self.said()["start"] >= number, 20, f"{number} started jobs")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path, path: str) -> Iterator[KindPlace]:
    made = KindPlace(tmp_path, path, request.param)
    yield made
    made.close()
    made.check_rows()


@pytest.mark.feature("worker kinds")
def test_plain_and_async_jobs_run_where_they_belong(place: KindPlace) -> None:
    tasks = place.tasks
    consumer = place.consumer("-n", workers=20)
    plain, other = [tasks.where() for _ in range(3)], [tasks.awhere() for _ in range(5)]
    busy = [tasks.nap(0.3) for _ in range(10)] + [tasks.anap(0.3) for _ in range(10)]
    retried = [tasks.fail(), tasks.afail()]

    found = [handle.get(blocking=True, timeout=20) for handle in plain]
    coroutines = [handle.get(blocking=True, timeout=20) for handle in other]
    assert [handle.get(blocking=True, timeout=20) for handle in busy] == [0.3] * 20
    assert [handle.get(blocking=True, timeout=20) for handle in retried] == [2, 2]

    row = consumer.wait_ready()
    assert (row.kind, row.slots) == (place.kind, 20)
    module = "gevent.hub" if place.kind == "greenlet" else "time"
    assert [(one["sleep"], one["child"], one["variable"]) for one in found] == [
        (module, 0, "unset")
    ] * 3
    # One loop for all, and a context for each.
    assert len({one["loop"] for one in coroutines}) == 1
    assert {(one["variable"], one["child"]) for one in coroutines} == {("unset", 0)}
    consumer.signal(signal.SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []
    said = place.said()
    assert (said["startup"], said["shutdown"]) == (20, 20)


def test_a_plain_function_that_gives_a_coroutine_runs_on_the_loop_of_all(place: KindPlace) -> None:
    place.consumer("-n")
    handles = [place.tasks.awhere(), place.tasks.wrapped(), place.tasks.wrapped()]

    found = [handle.get(blocking=True, timeout=20) for handle in handles]

    assert len({one["loop"] for one in found}) == 1
    assert {one["variable"] for one in found} == {"unset"}


def test_a_keyboard_interrupt_of_the_task_s_own_is_a_failure(place: KindPlace) -> None:
    place.consumer("-n")
    handle = place.tasks.strike()

    wait_until(lambda: handle.state is State.DEAD, 20)

    assert (place.job(handle.id).reason, place.job(handle.id).attempt) == ("failed", 2)


def test_jobs_enqueue_and_wait_for_each_other(place: KindPlace) -> None:
    consumer = place.consumer("-n", workers=6)
    handles = [place.tasks.enqueue(4), place.tasks.aenqueue(4)]

    for handle in handles:
        assert handle.get(blocking=True, timeout=20) == [0, 0.01, 0.02, 0.03]
    consumer.signal(signal.SIGTERM)
    assert consumer.wait() == 0


@pytest.mark.feature("timeouts")
@STOPPABLE
def test_time_limits_stop_what_waits_and_retry_it(place: KindPlace, task: str) -> None:
    place.consumer("-n")
    handle = place.huey.enqueue(getattr(place.tasks, task).s(timeout=0.1, retries=1))
    assert handle is not None

    wait_until(lambda: handle.state is State.DEAD, 20)

    row = place.job(handle.id)
    assert (row.reason, row.attempt) == ("timeout", 2)
    inside = "CancelledError" if task == "ahang" else "TaskTimeout"
    assert place.said()[inside] == 2


@pytest.mark.feature("revoke")
@STOPPABLE
def test_a_running_job_that_is_revoked_ends_within_a_second(place: KindPlace, task: str) -> None:
    place.consumer("-n")
    handle, other = getattr(place.tasks, task)(), place.hang()
    place.wait_started(2)

    asked = time.monotonic()
    handle.revoke()
    wait_until(lambda: handle.state is State.REVOKED)

    assert time.monotonic() - asked < 2
    assert place.job(handle.id).reason == "revoked"
    assert other.state is State.RUNNING


def test_a_stop_waits_and_then_gives_back_uncounted_what_can_be_stopped(place: KindPlace) -> None:
    consumer = place.consumer("-n", "-t", "0.3")
    handles = [place.hang() for _ in range(3)]
    once = place.tasks.once()
    place.wait_started(4)
    rest = [place.hang() for _ in range(2)]

    consumer.signal(signal.SIGTERM)

    assert consumer.wait() == 1
    rows = [place.job(handle.id) for handle in handles + rest]
    assert {(str(row.state), row.attempt, row.crashes) for row in rows} == {("pending", 0, 0)}
    # It has begun, and must not begin twice.
    assert (place.job(once.id).state, place.job(once.id).reason) == (State.DEAD, "interrupted")
    assert place.workers() == []
    assert place.said()["shutdown"] == 4


def test_a_stop_lets_running_jobs_finish(place: KindPlace) -> None:
    task = place.tasks.anap if place.kind == "asyncio" else place.tasks.nap
    consumer = place.consumer("-n", workers=2)
    handles = [task(0.7) for _ in range(3)]
    # What is claimed and has not begun goes back: begun is more than running in the storage.
    wait_until(lambda: place.said()["nap"] == 2, 20)

    consumer.signal(signal.SIGINT)

    assert consumer.wait() == 0
    assert [str(handle.state) for handle in handles] == ["done", "done", "pending"]


def test_the_second_signal_interrupts_now(place: KindPlace) -> None:
    consumer = place.consumer("-n")
    handle = place.hang()
    place.wait_started()

    consumer.signal(signal.SIGTERM)
    consumer.wait_stopping()
    consumer.signal(signal.SIGTERM)

    assert consumer.wait() == 143
    assert (handle.state, place.job(handle.id).crashes) == (State.PENDING, 0)


def test_a_job_that_ends_all_that_is_beside_it_costs_no_job_but_what_runs(
    place: KindPlace,
) -> None:
    """Idle workers are replaced at once; what would have been theirs is not lost."""
    asyncio = place.kind == "asyncio"
    consumer = place.consumer("-n", workers=4)
    beside, threaded = place.hang(), place.tasks.nap(1.0)
    place.wait_started()
    wait_until(lambda: threaded.state is State.RUNNING)

    slayer = place.tasks.aslay() if asyncio else place.tasks.slay()
    wait_until(lambda: slayer.state is State.DEAD, 20)
    later = [(place.tasks.anap if asyncio else place.tasks.nap)(0.01) for _ in range(20)]

    assert [handle.get(blocking=True, timeout=20) for handle in later] == [0.01] * 20
    wait_until(lambda: beside.state is State.DEAD)
    assert place.job(beside.id).errors[-1]["type"] == (
        "CancelledError" if asyncio else "GreenletExit"
    )
    if asyncio:  # a thread cannot be cancelled
        assert threaded.get(blocking=True, timeout=20) == 1.0
    assert place.running() == set()
    consumer.signal(signal.SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []
    assert "another one takes its place" in consumer.text()


@pytest.mark.feature("crash")
def test_kill_9_gives_back_all_and_charges_what_had_started(place: KindPlace) -> None:
    consumer = place.consumer("-n", workers=3)
    handles = [place.hang() for _ in range(5)]
    place.wait_started(3)
    place.wait_known(3)

    consumer.kill()
    # A server may learn a moment later that its client is gone.
    wait_until(lambda: bool(place.storage.recover()))

    rows = [place.job(handle.id) for handle in handles]
    assert [str(row.state) for row in rows] == ["pending"] * 5
    assert sorted(row.crashes for row in rows) == [0, 0, 1, 1, 1]


def test_periodic_tasks_fire_and_workers_are_replaced_by_number(place: KindPlace) -> None:
    consumer = place.consumer("-M", "2", workers=2)
    consumer.wait_ready()
    handles = [place.tasks.nap(0.001) for _ in range(20)]

    wait_until(lambda: all(handle.is_complete() for handle in handles), 20)
    wait_until(lambda: place.said()["tick"] >= 2, 20)
    consumer.signal(signal.SIGTERM)

    assert consumer.wait() == 0
    assert place.said()["startup"] == place.said()["shutdown"] >= 10


def test_hundreds_of_workers_wait_at_the_same_time(place: KindPlace) -> None:
    task = place.tasks.anap if place.kind == "asyncio" else place.tasks.nap
    place.huey.enqueue_many(task.s(0.5) for _ in range(1500))
    started = time.monotonic()
    place.consumer("-n", "-q", workers=1500)

    wait_until(lambda: place.states() == {"done": 1500}, 20)

    # One after the other they take twelve minutes; they are given ten seconds to start.
    assert time.monotonic() - started < 10
    rows = place.jobs(State.DONE)
    begins = [row.started_at for row in rows if row.started_at is not None]
    ends = [row.finished_at for row in rows if row.finished_at is not None]
    assert max(begins) < min(ends) + 2


def test_a_greenlet_that_computes_blocks_nothing_of_the_consumer_itself(
    tmp_path: Path, path: str
) -> None:
    place = KindPlace(tmp_path, path, "greenlet")
    try:
        consumer = place.consumer("-n", workers=2)
        consumer.wait_ready()
        spinning = place.tasks.spin(1.5)
        wait_until(lambda: place.said()["spin"] == 1)

        # What is due is promoted, and what it cannot start is not kept from other consumers.
        later = place.tasks.nap.schedule((0.001,), delay=0.1)
        wait_until(lambda: place.job(later.id).claim > 0 and later.state is State.PENDING, 1.0)
        assert spinning.state is State.RUNNING
        assert spinning.get(blocking=True, timeout=10) == "done"
        later.get(blocking=True, timeout=10)
        assert place.job(later.id).attempt == 1
    finally:
        place.close()


@pytest.mark.parametrize("who", ["job", "receiver"])
def test_greenlets_in_a_program_of_ones_own(path: str, who: str) -> None:
    """In the hub of the thread that starts the consumer, beside the program's own greenlets."""
    out = run_python(
        """
        from gevent import monkey; monkey.patch_all()
        import gevent, sys, time
        from hueycore import Huey

        huey = Huey("app", url=sys.argv[1], worker_type="greenlet", workers=50)
        seen = []

        @huey.task()
        def nap(n):
            time.sleep(0.1)
            return gevent.getcurrent().parent is gevent.get_hub()

        @huey.task()
        def stop():
            if sys.argv[2] == "job":
                consumer.stop(graceful=True)

        @huey.signal("complete")
        def receive(signal, task):
            gevent.sleep(0.001)
            if task.name == "stop" and sys.argv[2] == "receiver":
                consumer.stop(graceful=True)
            seen.append(gevent.get_hub() is hub)

        hub = gevent.get_hub()
        ticks = []
        ticker = gevent.spawn(lambda: [ticks.append(gevent.sleep(0.01)) for _ in range(1000)])
        consumer = huey.create_consumer()
        consumer.start()
        begun = time.monotonic()
        handles = [nap(n) for n in range(50)]
        assert all(handle.get(blocking=True, timeout=10) for handle in handles)
        assert time.monotonic() - begun < 4, time.monotonic() - begun
        assert len(ticks) > 5
        stop().get(blocking=True, timeout=10)
        gevent.sleep(0.2)
        begun = time.monotonic()
        assert consumer.stop(graceful=True) == 0
        assert time.monotonic() - begun < 4
        assert huey.storage.workers() == []
        print(len(seen), all(seen))
        """,
        path,
        who,
    )

    assert out.strip() == "51 True"


def test_threads_stay_threads_in_a_patched_process(path: str) -> None:
    out = run_python(
        """
        from gevent import monkey; monkey.patch_all()
        import sys, time
        from hueycore import Huey; from hueycore.system import native

        huey = Huey("app", url=sys.argv[1])

        @huey.task()
        def nap():
            time.sleep(0.1)
            return native.get_ident()

        consumer = huey.create_consumer(workers=4)
        consumer.start()
        handles = [nap() for _ in range(8)]
        idents = {handle.get(blocking=True, timeout=10) for handle in handles}
        print(len(idents), native.get_ident() in idents, consumer.stop(graceful=True))
        """,
        path,
    )

    assert out.strip() == "4 False 0"


@pytest.mark.parametrize("where", ["program", "app"])
def test_greenlets_without_patching_are_refused_with_what_to_do(tmp_path: Path, where: str) -> None:
    app = tmp_path / "app.py"
    app.write_text(
        "from hueycore import SqliteHuey\n"
        f"huey = SqliteHuey('app', {str(tmp_path / 'q.db')!r}, worker_type='greenlet')\n"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import app\n"
        "try: app.huey.create_consumer()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        if where == "program"
        else "import sys\nfrom hueyctl.__main__ import main\n"
        "sys.argv = ['hueyctl', 'consume', 'app:huey', '--app-dir', sys.argv[1]]\n"
        "sys.exit(main())\n"
    )

    out = run_python(code, str(tmp_path), exits=0 if where == "program" else 78)

    assert "patch_all() before the application is imported" in out
    assert "consume -k greenlet" in out


def test_preflight_and_workers_know_the_kind(tmp_path: Path, place: KindPlace) -> None:
    place.consumer("-n").wait_ready()
    place.hang()
    place.wait_started()

    def is_shown() -> bool:
        shown = place.process("-m", "hueyctl", "workers", "--url", place.path, "--json")
        assert shown.wait() == 0
        (row,) = json.loads(shown.text())
        assert (row["kind"], row["slots"]) == (place.kind, 4)
        return (row["state"], row["busy"]) == ("busy", 1)

    # Where no file has the slots of a worker, its next sign of life brings them.
    wait_until(is_shown, 20)
