"""Declaring tasks and enqueueing calls of them."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hueycore import (
    ConfigurationError,
    Huey,
    JSONSerializer,
    MemoryHuey,
    PayloadTooLarge,
    QueueFull,
    Result,
    SerializationError,
    Serializer,
    State,
)
from tests.helpers import Clock, Signals, drain, job, jobs, run_one, run_python, states, wait_until
from tests.storage.engines import lab_of


def test_constructing_and_declaring_touch_no_disk(tmp_path: Path) -> None:
    huey = Huey("lazy", tmp_path / "lazy.db")

    @huey.task()
    def idle() -> None: ...

    huey.create_consumer(workers=2)

    assert os.listdir(tmp_path) == []


@pytest.mark.sqlite_only("a queue without an URL is a file")
@pytest.mark.feature("instances")
def test_plain_huey_is_sqlite_and_takes_the_consumers_options_as_defaults(path: str) -> None:
    huey = Huey(filename=path, workers=4, worker_type="thread", shutdown_timeout=3)

    assert huey.create_consumer().workers == 4
    assert huey.create_consumer().shutdown_timeout == 3
    assert huey.create_consumer(workers=2).workers == 2


def test_an_url_may_be_a_path(tmp_path: Path) -> None:
    huey = Huey("app", url=tmp_path / "queue.db")

    assert huey.location == Huey("app", tmp_path / "queue.db").location
    with pytest.raises(ConfigurationError, match="two slashes"):
        Huey("app", url=Path("postgresql://ann@db/app"))


def test_a_closed_queue_opens_again_at_its_next_use(huey: Huey) -> None:
    @huey.task()
    def double(n: int) -> int:
        return 2 * n

    first = double(1)
    huey.close()
    second = double(2)
    drain(huey)
    huey.close()
    huey.close()

    assert (first.get(), second.get()) == (2, 4)


def test_a_queue_beside_another_has_its_tasks_and_jobs_of_its_own(huey: Huey) -> None:
    @huey.task()
    def double(n: int) -> int:
        return 2 * n

    heard = []
    huey.signal("complete")(lambda signal, task: heard.append(task.id))
    mail = huey.beside("mail")
    result = mail.enqueue(double.s(4))
    assert result is not None
    assert (job(mail, result).queue, huey.dequeue()) == ("mail", None)

    drain(mail)

    assert (result.get(), heard) == (8, [result.id])
    assert mail.registry is huey.registry and mail.location == huey.location
    mail.close()


def test_a_call_is_stored_with_the_options_of_its_task(huey: Huey) -> None:
    @huey.task(
        retries=3,
        retry_delay=timedelta(seconds=7),
        retry_backoff=2,
        priority=50,
        timeout=9,
        at_most_once=True,
        result_ttl=timedelta(minutes=1),
        max_crashes=5,
    )
    def mail(to: str, *, subject: str) -> None: ...

    handle = mail("ann", subject="hello")

    row = job(huey, handle)
    assert isinstance(handle, Result)
    assert row.task == f"{__name__}.mail"
    assert row.state is State.PENDING
    assert (row.retries, row.retry_delay, row.retry_backoff) == (3, 7, 2)
    assert (row.priority, row.timeout, row.result_ttl, row.max_crashes) == (50, 9, 60, 5)
    assert row.at_most_once
    assert row.attempt == 0
    assert row.preview == "'ann', subject='hello'"
    assert row.seq == handle.seq


@pytest.mark.feature("calling")
def test_a_signature_takes_hueys_keywords_as_options_and_leaves_the_others(
    huey: Huey, clock: Clock
) -> None:
    now = clock.freeze()

    @huey.task(retries=1)
    def report(day: str, **more: Any) -> tuple[str, dict[str, Any]]:
        return day, more

    signature = report.s(
        "mon", id="r-1", delay=timedelta(seconds=5), priority=7, retries=4, retry_delay=2,
        retry_backoff=3, expires=60, timeout=8, colour="red",
    )  # fmt: skip
    huey.enqueue(signature)

    row = job(huey, "r-1")
    assert (row.state, row.run_at) == (State.SCHEDULED, now + 5)
    assert (row.priority, row.retries, row.retry_delay, row.retry_backoff) == (7, 4, 2, 3)
    assert (row.expires_in, row.expires_at, row.timeout) == (60, now + 65, 8)
    assert signature.kwargs == {"colour": "red"}
    assert signature.args == ("mon",)


@pytest.mark.feature("calling")
def test_call_local_calls_and_stores_nothing(huey: Huey) -> None:
    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    assert add.call_local(1, 2) == 3
    assert len(huey) == 0


@pytest.mark.feature("task decorator")
def test_the_bare_decorator_is_the_decorator_without_options(huey: Huey) -> None:
    @huey.task
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    handle = add(1, 2)
    drain(huey)

    assert handle.get() == 3
    assert (add.__name__, add.__doc__, add.retries, add.retry_delay) == ("add", "Adds.", 0, 0)


def test_a_function_may_be_declared_as_several_tasks(huey: Huey) -> None:
    @huey.task(name="second", priority=2)
    @huey.task(name="first", priority=1)
    def work() -> str:
        return "done"

    handle = work()

    assert job(huey, handle).task.endswith(".second")
    assert work.call_local() == "done"
    assert len(huey.registry) == 2


def test_two_tasks_cannot_have_one_name(huey: Huey) -> None:
    @huey.task(name="same")
    def one() -> None: ...

    with pytest.raises(ValueError, match="same"):

        @huey.task(name="same")
        def two() -> None: ...


@pytest.mark.feature("task decorator")
def test_lambdas_are_numbered_by_order_of_definition(huey: Huey) -> None:
    fetch = huey.task()(lambda seed: seed + 1)
    transform = huey.task()(lambda x, scale: x * scale)
    store = huey.task()(lambda x: {"stored": x})

    results = [fetch(1), transform(2, 3), store(4)]
    drain(huey)

    assert [r.get() for r in results] == [2, 6, {"stored": 4}]
    names = [row.task.removeprefix(f"{__name__}.") for row in jobs(huey)]
    assert names == ["<lambda>", "<lambda>#2", "<lambda>#3"]


def test_an_async_generator_is_refused(huey: Huey) -> None:
    async def pages() -> Any:
        yield 1

    with pytest.raises(ConfigurationError, match="async generator"):
        huey.task()(pages)


def test_an_unregistered_task_is_forgotten_once(huey: Huey) -> None:
    @huey.task()
    def gone() -> None: ...

    assert gone.unregister() is True
    assert gone.unregister() is False
    assert len(huey.registry) == 0


def test_without_results_a_call_answers_none_and_the_job_runs(path: str) -> None:
    huey = Huey("quiet", url=path, results=False)
    ran = []

    @huey.task()
    def note(n: int) -> int:
        ran.append(n)
        return n

    assert note(1) is None
    assert note.schedule((2,), delay=-1) is None
    drain(huey)

    assert ran == [1, 2]
    assert huey.result_count() == 0
    assert states(huey) == {"done": 2}
    huey.close()


# --- many -----------------------------------------------------------------------------------------


@pytest.mark.feature("calling")
def test_map_makes_one_job_per_item_and_spreads_tuples(huey: Huey) -> None:
    @huey.task()
    def add(a: int, b: int = 10) -> int:
        return a + b

    group = add.map([1, (2, 3), 4])
    drain(huey)

    assert len(group) == 3
    assert group.get() == [11, 5, 14]
    assert {row.enqueued_at for row in jobs(huey)} == {jobs(huey)[0].enqueued_at}


def test_enqueue_many_loses_nothing_of_the_chunks_before_an_error(huey: Huey) -> None:
    @huey.task()
    def take(x: Any) -> None: ...

    def signatures() -> Any:
        for n in range(25):
            yield take.s(n)
        raise LookupError("the source broke")

    with pytest.raises(LookupError):
        huey.enqueue_many(signatures(), chunk=10)

    assert [row.preview for row in jobs(huey)] == [str(n) for n in range(20)]


def test_a_chunk_with_one_bad_argument_is_not_stored_at_all(huey: Huey) -> None:
    @huey.task()
    def take(x: Any) -> None: ...

    signatures = [take.s(n if n != 7 else threading.Lock()) for n in range(10)]

    with pytest.raises(SerializationError):
        huey.enqueue_many(signatures, chunk=5)

    assert [row.preview for row in jobs(huey)] == ["0", "1", "2", "3", "4"]


def test_enqueue_many_answers_with_handles_in_order(huey: Huey) -> None:
    @huey.task()
    def same(n: int) -> int:
        return n

    handles = huey.enqueue_many((same.s(n) for n in range(250)), chunk=100)
    drain(huey)

    assert [handle.get() for handle in handles] == list(range(250))
    assert [handle.seq for handle in handles] == sorted(handle.seq for handle in handles)


# --- ids ------------------------------------------------------------------------------------------


def test_a_signature_enqueued_twice_is_two_jobs(huey: Huey) -> None:
    @huey.task()
    def count() -> int:
        return huey.incr("runs")

    signature = count.s()
    first, second = huey.enqueue(signature), huey.enqueue(signature)
    drain(huey)

    assert first is not None and second is not None
    assert first.id != second.id
    assert (first.get(), second.get()) == (1, 2)


@pytest.mark.feature("deterministic ids")
def test_an_id_that_is_live_answers_with_the_handle_of_that_job(huey: Huey) -> None:
    @huey.task()
    def sync(user: int) -> int:
        return user

    seen = Signals(huey)
    first = sync.schedule((7,), delay=50, id="sync-user-7")
    again = sync.schedule((8,), delay=5, id="sync-user-7")

    assert first.seq == again.seq
    assert [row.preview for row in jobs(huey)] == ["7"]
    assert seen.names() == ["enqueued", "scheduled"]


def test_an_id_that_runs_is_live(huey: Huey) -> None:
    @huey.task()
    def again(deep: bool) -> None:
        if deep:
            huey.enqueue(again.s(False, id="one"))

    huey.enqueue(again.s(True, id="one"))

    assert drain(huey) == 1
    assert states(huey) == {"done": 1}


@pytest.mark.feature("deterministic ids")
def test_an_id_that_is_final_is_replaced(huey: Huey) -> None:
    @huey.task()
    def sync(n: int) -> int:
        return n

    first = huey.enqueue(sync.s(1, id="sync"))
    drain(huey)
    second = huey.enqueue(sync.s(2, id="sync"))

    assert second is not None and first is not None
    assert second.state is State.PENDING
    drain(huey)
    assert huey.result("sync") == 2
    assert [row.attempt for row in jobs(huey)] == [1]


def test_one_id_twice_in_one_call_is_one_job(huey: Huey) -> None:
    @huey.task()
    def sync(n: int) -> int:
        return n

    handles = huey.enqueue_many([sync.s(1, id="x"), sync.s(2), sync.s(3, id="x")])

    assert handles[0].seq == handles[2].seq
    assert [row.preview for row in jobs(huey)] == ["1", "2"]


# --- refusals: nothing is stored ------------------------------------------------------------------


def test_arguments_that_cannot_be_written_are_refused(huey: Huey) -> None:
    @huey.task()
    def take(x: Any) -> None: ...

    with pytest.raises(SerializationError, match="cannot pickle"):
        take(lambda: None)
    with pytest.raises(ValueError, match="cannot pickle"):
        take(threading.Lock())

    assert jobs(huey) == []


@pytest.mark.feature("back-pressure")
def test_a_payload_over_the_limit_is_refused_with_its_size(path: str) -> None:
    huey = Huey("small", url=path, max_payload=1000)

    @huey.task()
    def take(x: bytes) -> None: ...

    take(bytes(900))
    with pytest.raises(PayloadTooLarge, match="the limit is 1,000"):
        take(bytes(1000))

    assert len(huey) == 1
    huey.close()


@pytest.mark.feature("back-pressure")
def test_a_full_queue_refuses_and_keeps_what_it_has(path: str) -> None:
    huey = Huey("full", url=path, max_pending=3)

    @huey.task()
    def work(n: int) -> None: ...

    huey.enqueue_many(work.s(n) for n in range(2))
    with pytest.raises(QueueFull, match="2 of 3"):
        huey.enqueue_many(work.s(n) for n in range(2, 4))
    work(2)
    with pytest.raises(QueueFull):
        work(3)
    run_one(huey)
    work(4)

    assert [row.preview for row in jobs(huey, State.PENDING)] == ["1", "2", "4"]
    huey.close()


# --- order ----------------------------------------------------------------------------------------


@pytest.mark.feature("priority")
def test_higher_priority_runs_first_and_equals_run_in_their_order(huey: Huey) -> None:
    order = []

    @huey.task(priority=10)
    def note(what: str) -> None:
        order.append(what)

    note("a")
    huey.enqueue(note.s("urgent", priority=200))
    note("b")
    huey.enqueue(note.s("half", priority=10.5))
    huey.enqueue(note.s("idle", priority=-1))
    note("c")
    drain(huey)

    assert order == ["urgent", "half", "a", "b", "c", "idle"]


def test_a_retry_goes_behind_those_that_were_ready_before_it(huey: Huey) -> None:
    order = []

    @huey.task(retries=1)
    def note(what: str) -> None:
        order.append(what)
        if what == "fails":
            raise ValueError

    note("fails")
    note("other")
    drain(huey)

    assert order == ["fails", "other", "fails"]


# --- time -----------------------------------------------------------------------------------------


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A machine in Europe/Paris."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield ZoneInfo("Europe/Paris")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("utc", [True, False])
@pytest.mark.feature("datetimes")
def test_a_naive_eta_is_local_time_and_an_aware_one_is_itself(
    path: str, paris: ZoneInfo, utc: bool
) -> None:
    huey = Huey("time", url=path, utc=utc)

    @huey.task()
    def work() -> None: ...

    summer = datetime(2038, 7, 1, 12, 0)
    winter = datetime(2038, 12, 1, 12, 0)
    for eta in (summer, winter):
        exact = eta.replace(tzinfo=paris).timestamp()
        assert job(huey, work.schedule(eta=eta)).run_at == exact
        assert job(huey, work.schedule(eta)).run_at == exact
        aware = datetime.fromtimestamp(exact, timezone(timedelta(hours=-7)))
        assert job(huey, work.schedule(eta=aware)).run_at == exact
        assert job(huey, huey.enqueue(work.s(eta=eta))).run_at == exact
    huey.close()


@pytest.mark.parametrize(("utc", "hour"), [(True, 10), (False, 12)])
@pytest.mark.feature("utc")
def test_the_eta_of_a_task_is_naive_in_the_queues_own_time(
    path: str, paris: ZoneInfo, utc: bool, hour: int
) -> None:
    huey = Huey("time", url=path, utc=utc)

    @huey.task()
    def work() -> None: ...

    work.schedule(eta=datetime(2038, 7, 1, 12, 0))

    assert [task.eta for task in huey.scheduled()] == [datetime(2038, 7, 1, hour, 0)]
    assert work.s().eta is None
    huey.close()


@pytest.mark.feature("datetimes")
def test_a_delay_is_seconds_or_a_timedelta(huey: Huey, clock: Clock) -> None:
    now = clock.freeze()

    @huey.task()
    def work(n: int) -> None: ...

    handles = [
        work.schedule((1,), delay=1.5),
        work.schedule((1,), delay=timedelta(seconds=1.5)),
        work.schedule(kwargs={"n": 1}, delay=1.5),
        huey.enqueue(work.s(1, delay=1.5)),
    ]

    assert {job(huey, handle).run_at for handle in handles} == {now + 1.5}


def test_schedule_takes_a_bare_time_in_place_of_the_arguments(huey: Huey, clock: Clock) -> None:
    now = clock.freeze()

    @huey.task()
    def work() -> None: ...

    rows = [job(huey, work.schedule(when)) for when in (60, 60.0, timedelta(minutes=1))]

    assert {row.run_at for row in rows} == {now + 60}
    assert {row.preview for row in rows} == {""}


def test_schedule_refuses_what_is_no_time(huey: Huey) -> None:
    @huey.task()
    def work() -> None: ...

    with pytest.raises(ValueError, match="eta= or delay="):
        work.schedule()
    with pytest.raises(ValueError, match="eta= or delay="):
        work.schedule(("a",))
    with pytest.raises(ValueError, match="dict"):
        work.schedule(kwargs=[1], delay=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not both"):
        work.schedule(eta=datetime.now(), delay=3)
    with pytest.raises(ValueError, match="datetime"):
        work.schedule(eta=1700000000)  # type: ignore[arg-type]

    assert jobs(huey) == []


def test_a_time_in_the_past_is_now(huey: Huey) -> None:
    @huey.task()
    def work() -> str:
        return "ran"

    handle = work.schedule(eta=datetime(2001, 1, 1))

    assert handle.state is State.PENDING
    drain(huey)
    assert handle.get() == "ran"


@pytest.mark.feature("expires")
def test_a_job_for_later_does_not_expire_before_its_turn(huey: Huey, clock: Clock) -> None:
    """The line of Huey's users: `schedule(delay=3600, expires=60)` runs."""
    clock.freeze()

    @huey.task(retries=1, retry_delay=100, context=True)
    def work(task: Any = None) -> int:
        if task.retries:
            raise LookupError
        return int(task.attempt)

    handle = work.schedule(delay=3600, expires=60)
    clock.jump(3600)
    drain(huey)
    clock.jump(100)
    drain(huey)

    assert handle.get() == 2


@pytest.mark.parametrize(
    "expires",
    [30, timedelta(seconds=30), "naive", "aware"],
)
@pytest.mark.feature("expires")
def test_a_job_past_its_expiry_ends_expired_and_never_runs(
    huey: Huey, clock: Clock, expires: Any
) -> None:
    now = clock.freeze(float(int(time.time())))
    if expires == "naive":
        expires = datetime.fromtimestamp(now + 30)
    elif expires == "aware":
        expires = datetime.fromtimestamp(now + 30, UTC)
    ran = []

    @huey.task(expires=expires)
    def work() -> None:
        ran.append(1)

    seen = Signals(huey)
    late, early = work(), work()
    assert job(huey, late).expires_at == now + 30
    clock.jump(29)
    run_one(huey)
    clock.jump(1)
    assert drain(huey) == 0

    assert len(ran) == 1
    assert sorted([late.state, early.state]) == ["done", "expired"]
    assert [state for _, state, _ in seen.of("expired")] == ["expired"]
    assert job(huey, early).attempt == 0


# --- previews -------------------------------------------------------------------------------------


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_preview_is_short_and_never_raises(huey: Huey) -> None:
    @huey.task()
    def take(*args: Any, **kwargs: Any) -> None: ...

    preview = job(huey, take(Rude(), "x" * 5000, list(range(1000)), note="n" * 90)).preview

    assert preview is not None
    assert preview.startswith("<Rude ")
    assert len(preview) <= 200


class Hidden(Serializer):
    def _serialize(self, data: Any) -> bytes:
        return bytes(255 - byte for byte in super()._serialize(data))

    def _deserialize(self, data: bytes) -> Any:
        return super()._deserialize(bytes(255 - byte for byte in data))

    def preview(self, args: Any, kwargs: Any) -> None:
        return None


def test_a_serializer_of_ones_own_reads_what_it_wrote_and_may_hide_the_arguments(
    path: str,
) -> None:
    huey = Huey("hidden", url=path, serializer=Hidden())

    @huey.task()
    def echo(secret: str) -> str:
        return secret

    handle = echo("p4ssword")
    huey.put("key", "p4ssword")

    assert job(huey, handle).preview is None
    drain(huey)
    assert handle.get() == "p4ssword"
    assert huey.get("key") == "p4ssword"
    assert b"p4ssword" not in lab_of(huey.storage).raw()
    huey.close()


def test_json_is_one_argument_away(path: str) -> None:
    huey = Huey("json", url=path, serializer=JSONSerializer())

    @huey.task()
    def echo(*args: Any, **kwargs: Any) -> Any:
        return {"args": args, "kwargs": kwargs}

    handle = echo((1, 2), "ü", deep={"a": [None, 1.5]})
    drain(huey)

    assert handle.get() == {"args": [[1, 2], "ü"], "kwargs": {"deep": {"a": [None, 1.5]}}}
    with pytest.raises(SerializationError):
        echo(datetime.now())
    with pytest.raises(SerializationError):
        echo(float("nan"))
    huey.close()


# --- several queues, no file ----------------------------------------------------------------------


def test_queues_that_share_a_file_do_not_see_each_other(path: str) -> None:
    emails, reports = Huey("emails", url=path), Huey("reports", url=path)

    @emails.task(name="work")
    def send(n: int) -> int:
        return n

    @reports.task(name="work")
    def build(n: int) -> int:
        return -n

    sent, built = emails.enqueue(send.s(1, id="same")), reports.enqueue(build.s(1, id="same"))
    emails.put("key", "e")
    reports.incr("counter")
    emails.revoke_all(send)
    assert (len(emails), len(reports)) == (1, 1)
    drain(reports)

    assert sent is not None and built is not None
    assert (sent.state, built.get()) == (State.PENDING, -1)
    assert reports.get("key") is None
    assert emails.incr("counter") == 1
    assert not reports.is_revoked(build)
    emails.flush()
    assert [emails.storage.job("same"), len(emails)] == [reports.storage.job("same"), 0]
    assert reports.incr("counter") == 2
    emails.close()
    reports.close()


def test_a_memory_queue_works_like_a_file() -> None:
    huey = MemoryHuey("memory")

    @huey.task(retries=1)
    def fail_once() -> str:
        if huey.incr("tries") == 1:
            raise ValueError
        return "second"

    handle = fail_once()
    drain(huey)

    assert handle.get() == "second"
    huey.close()


def test_a_program_that_ends_without_close_has_nothing_to_be_warned_of(path: str) -> None:
    """Python 3.13 warns of SQLite connections that are open when it takes a program apart."""
    out = run_python(
        """
        import atexit, sys, threading
        from hueycore import MemoryHuey, Huey
        atexit.register(lambda: huey.put("farewell", 1))
        huey, memory = Huey("app", url=sys.argv[1]), MemoryHuey("memory")
        for one in (huey, memory):
            one.put("key", 1)
            assert one.get("key", peek=True) == 1
        """,
        path,
    )

    assert out == ""
    huey = Huey("app", url=path)
    assert huey.get("farewell") == 1
    huey.close()


def test_a_memory_queue_refuses_to_be_used_in_a_fork() -> None:
    run_python(
        """
        import os
        from hueycore import MemoryHuey, StorageError
        huey = MemoryHuey("memory")
        huey.put("key", 1)
        child = os.fork()
        if child == 0:
            try:
                huey.get("key")
            except StorageError as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert huey.get("key") == 1
        """
    )


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.feature("key/value")
def test_get_takes_a_value_unless_it_peeks(huey: Huey) -> None:
    huey.put("key", {"a": (1, 2)})

    assert huey.get("key", peek=True) == {"a": (1, 2)}
    assert huey.get("key") == {"a": (1, 2)}
    assert huey.get("key") is None
    assert huey.get("never") is None


@pytest.mark.feature("key/value")
def test_put_replaces_and_put_if_empty_does_not(huey: Huey) -> None:
    huey.put("key", 1)
    huey.put("key", 2)

    assert huey.put_if_empty("key", 3) is False
    assert huey.get("key") == 2
    assert huey.put_if_empty("key", 3) is True
    assert huey.get("key") == 3


def test_a_value_with_a_ttl_leaves_by_itself(huey: Huey, clock: Clock) -> None:
    clock.freeze()
    assert huey.put_if_empty("lease", "mine", ttl=timedelta(seconds=10))

    clock.jump(9)
    assert not huey.put_if_empty("lease", "yours")
    assert huey.get("lease", peek=True) == "mine"
    clock.jump(2)

    assert huey.get("lease", peek=True) is None
    assert huey.put_if_empty("lease", "yours", ttl=10)
    assert huey.get("lease") == "yours"


@pytest.mark.feature("key/value")
def test_counters_begin_at_zero_and_are_deleted_like_values(huey: Huey) -> None:
    assert [huey.incr("n"), huey.incr("n", 5), huey.incr("n", -2)] == [1, 6, 4]
    assert huey.delete("n") is True
    assert huey.delete("n") is False
    assert huey.incr("n") == 1


@pytest.mark.feature("introspection")
def test_result_count_is_unread_results_and_values(huey: Huey) -> None:
    @huey.task()
    def one() -> int:
        return 1

    handle, _ = one(), one()
    huey.put("key", 1)
    drain(huey)
    assert huey.result_count() == 3

    handle.get()
    huey.get("key")

    assert huey.result_count() == 1


# --- looking --------------------------------------------------------------------------------------


@pytest.mark.feature("introspection")
def test_every_state_can_be_counted_and_listed(huey: Huey) -> None:
    @huey.task()
    def work(n: int, fail: bool = False) -> None:
        if fail:
            raise ValueError(n)

    work(1, fail=True)
    drain(huey)
    work.schedule((2,), delay=60)
    work.schedule((3,), delay=30)
    work(4)
    huey.enqueue(work.s(5, priority=1))
    held = huey.dequeue()

    assert held is not None and held.args == (5,)
    assert [task.args[0] for task in huey.running()] == [5]
    assert [task.args[0] for task in huey.pending()] == [4]
    assert [task.args[0] for task in huey.scheduled()] == [3, 2]
    assert [task.args[0] for task in huey.scheduled(limit=1)] == [3]
    assert [row.errors[0]["message"] for row in huey.dead()] == ["1"]
    assert [huey.running_count(), huey.pending_count(), huey.scheduled_count()] == [1, 1, 2]
    assert (huey.dead_count(), len(huey), bool(huey)) == (1, 1, True)


@pytest.mark.feature("introspection")
def test_the_storage_answers_under_hueys_names(huey: Huey) -> None:
    """Seed 002 asks the storage itself."""

    @huey.task()
    def work() -> int:
        return 1

    work()
    drain(huey)
    for _ in range(2):
        work()
    for _ in range(3):
        work.schedule(delay=60)
    storage = huey.storage

    assert (storage.queue_size(), storage.scheduled_count(), storage.schedule_size()) == (2, 3, 3)
    assert storage.result_store_size() == 1
    storage.flush_all()
    assert (storage.queue_size(), storage.schedule_size()) == (0, 0)


def test_listing_leaves_out_what_cannot_be_read_and_counts_it(huey: Huey) -> None:
    @huey.task()
    def work(n: int) -> None: ...

    @huey.task()
    def forgotten() -> None: ...

    work(1)
    broken = work(2)
    forgotten()
    forgotten.unregister()
    lab_of(huey.storage).set_payload(broken.seq, b"\x01\x80")

    assert [task.args for task in huey.pending()] == [(1,)]
    assert huey.pending_count() == 3


def test_flush_deletes_everything(huey: Huey) -> None:
    @huey.task()
    def work() -> int:
        return 1

    handle = work()
    drain(huey)
    work.schedule(delay=60)
    huey.put("key", 1)
    huey.revoke_all(work)
    huey.flush()

    assert (jobs(huey), huey.result_count(), huey.is_revoked(work)) == ([], 0, False)
    assert huey.storage.job(handle.id) is None


# --- inside a run ---------------------------------------------------------------------------------


@pytest.mark.feature("context")
def test_context_passes_the_job_to_the_function(huey: Huey) -> None:
    @huey.task(context=True, retries=2, priority=3, name="named")
    def work(a: int, task: Any = None) -> tuple[Any, ...]:
        if task.attempt < 2:
            raise ValueError
        return (
            task.id, task.attempt, task.retries, task.name, task.args, task.kwargs, task.priority,
            task.seq, str(task),
        )  # fmt: skip

    handle = work(5)
    drain(huey)

    assert handle.get() == (
        handle.id,
        2,
        1,
        "named",
        (5,),
        {},
        3,
        handle.seq,
        f"{work.name}: {handle.id} p=3 1 retries",
    )


def test_a_job_without_context_gets_no_task_argument(huey: Huey) -> None:
    @huey.task()
    def work(**kwargs: Any) -> list[str]:
        return sorted(kwargs)

    handle = work(a=1)
    drain(huey)

    assert handle.get() == ["a"]


@pytest.mark.feature("key/value")
def test_progress_is_written_while_the_job_runs(huey: Huey) -> None:
    @huey.task(context=True)
    def work(task: Any = None) -> None:
        for report, shown in (((1, 4, "lines"), "25% lines"), ((3, None, ""), "3")):
            task.progress(*report)
            wait_until(lambda: job(huey, task.id).progress == shown)  # noqa: B023
        task.progress(4, 4)

    handle = work()
    drain(huey)

    assert (job(huey, handle).state, job(huey, handle).progress) == ("done", "100%")


def test_a_task_may_enqueue_others(huey: Huey) -> None:
    @huey.task()
    def child(n: int) -> int:
        return n

    @huey.task()
    def parent() -> list[str]:
        return [child(n).id for n in range(3)]

    handle = parent()
    drain(huey)

    ids = handle.get()
    assert ids is not None
    assert [huey.result(id_) for id_ in ids] == [0, 1, 2]


def test_threads_that_use_a_queue_first_at_the_same_time_share_one_storage(path: str) -> None:
    for _ in range(20):
        huey = Huey("app", url=path)
        barrier = threading.Barrier(4)
        seen: list[int] = []

        def first_use(
            huey: Huey = huey, barrier: threading.Barrier = barrier, seen: list[int] = seen
        ) -> None:
            barrier.wait()
            seen.append(id(huey.storage))

        threads = [threading.Thread(target=first_use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(set(seen)) == 1
        huey.close()


@pytest.mark.feature("calling")
def test_a_signature_twice_in_one_call_is_two_jobs_with_handles_of_their_own(
    huey: Huey,
) -> None:
    @huey.task()
    def work(n: int) -> int:
        return n

    signature = work.s(1)
    first, second = huey.enqueue_many([signature, signature])

    assert first.id != second.id
    assert [row.id for row in jobs(huey)] == [first.id, second.id]
    drain(huey)
    assert (first.get(), second.get()) == (1, 1)
