"""Log lines kept with a job, the job on every record, and progress that costs little."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hueycore import (
    CancelExecution,
    ConfigurationError,
    Huey,
    JobFilter,
    RetryTask,
    SqliteHuey,
    StorageError,
    TaskTimeout,
)
from hueycore.exceptions import RateLimitExceeded
from hueycore.model.events import EventQuery, LogLine
from hueycore.model.jobs import Selector
from hueycore.runs import notebook
from hueycore.storage.location import PostgresLocation
from tests.helpers import Gate, Signals, consuming, drain, job, run_python, wait_until

log = logging.getLogger("app.of.the.tests")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """As an application that wants to see INFO."""
    log.setLevel(logging.DEBUG)
    yield
    log.setLevel(logging.NOTSET)
    assert not [each for each in logging.getLogger().handlers if type(each) is notebook._Keeper]


def lines(huey: Huey, handle: Any) -> list[LogLine]:
    return huey.storage.log(job(huey, handle).seq)


def messages(huey: Huey, handle: Any) -> list[str]:
    return [line.message for line in lines(huey, handle)]


# --- which lines are kept -------------------------------------------------------------------------


@pytest.mark.feature("logs")
def test_what_a_run_logs_is_kept_with_its_job(huey: Huey) -> None:
    @huey.task(keep_logs=True, retries=1)
    def work(name: str) -> None:
        log.debug("no")
        log.info("hello %s", name)
        logging.getLogger("another").warning("careful")
        try:
            raise LookupError("why")
        except LookupError:
            log.exception("it failed")
        raise ValueError(name)

    before = time.time()
    handle = work("ann")
    drain(huey)

    kept = lines(huey, handle)
    assert [(line.line, line.attempt, line.level) for line in kept] == [
        (1, 1, "INFO"), (2, 1, "WARNING"), (3, 1, "ERROR"),
        (4, 2, "INFO"), (5, 2, "WARNING"), (6, 2, "ERROR"),
    ]  # fmt: skip
    assert [line.message for line in kept[:2]] == ["hello ann", "careful"]
    assert kept[2].message.startswith("it failed\nTraceback (most recent call last):")
    assert kept[2].message.endswith("LookupError: why")
    assert before <= kept[0].at <= kept[-1].at <= time.time()


@pytest.mark.parametrize(
    ("instance", "own", "kept"),
    [
        (None, None, []),
        (None, True, ["info", "warning"]),
        (None, "debug", ["debug", "info", "warning"]),
        (None, logging.WARNING, ["warning"]),
        ("WARNING", None, ["warning"]),
        ("WARNING", "INFO", ["info", "warning"]),
        (True, False, []),
        (True, None, ["info", "warning"]),
    ],
)
def test_a_task_says_from_which_level_else_its_instance(
    path: str, instance: Any, own: Any, kept: list[str]
) -> None:
    huey = Huey("app", url=path, keep_logs=instance)

    @huey.task(keep_logs=own)
    def work() -> None:
        log.debug("debug")
        log.info("info")
        log.warning("warning")

    handle = work()
    drain(huey)

    assert messages(huey, handle) == kept
    huey.close()


def test_a_level_that_does_not_exist_is_refused_where_it_is_said(huey: Huey) -> None:
    with pytest.raises(ConfigurationError, match="keep_logs='LOUD'"):
        huey.task(keep_logs="LOUD")(print)
    with pytest.raises(ConfigurationError):
        SqliteHuey("app", "no.db", keep_logs="LOUD")


def test_runs_that_go_on_together_keep_their_own_lines(huey: Huey) -> None:
    gate = Gate()

    @huey.task(keep_logs=True)
    def work(n: int) -> None:
        log.info("begin %d", n)
        gate.pass_through()
        log.info("end %d", n)

    handles = [work(n) for n in range(4)]
    with consuming(huey, workers=4):
        gate.wait_entered(4)
        log.info("of nobody")
        gate.open.set()
        for handle in handles:
            handle.get(blocking=True, timeout=10)

    assert [messages(huey, handle) for handle in handles] == [
        [f"begin {n}", f"end {n}"] for n in range(4)
    ]


def test_coroutines_of_a_run_log_for_their_job(huey: Huey) -> None:
    async def child() -> None:
        log.info("inside")

    @huey.task(keep_logs=True)
    def work() -> None:
        asyncio.run(child())

    handle = work()
    drain(huey)

    assert messages(huey, handle) == ["inside"]


def test_async_tasks_log_for_their_job_and_say_how_far_they_are(huey: Huey) -> None:
    async def child() -> None:
        log.info("inside")

    @huey.task(keep_logs=True, context=True)
    async def work(task: Any = None) -> None:
        await asyncio.gather(child(), child())
        task.progress(1, 2)

    handle = work()
    with consuming(huey):
        handle.get(blocking=True, timeout=10)
        wait_until(lambda: job(huey, handle).state == "done")

    assert messages(huey, handle) == ["inside", "inside"]
    assert job(huey, handle).progress == "50%"


def test_a_job_that_runs_within_another_keeps_the_lines_apart(huey: Huey) -> None:
    @huey.task(keep_logs=True)
    def inner() -> None:
        log.info("inner")

    @huey.task(keep_logs=True)
    def outer() -> str:
        log.info("before")
        handle = inner()
        task = huey.dequeue()
        assert task is not None
        huey.execute(task)
        log.info("after")
        return handle.id

    handle = outer()
    drain(huey)

    assert messages(huey, handle) == ["before", "after"]
    assert messages(huey, handle.get()) == ["inner"]


# --- in time, and within bounds -------------------------------------------------------------------


def test_lines_can_be_read_while_the_job_runs(huey: Huey) -> None:
    @huey.task(keep_logs=True)
    def work() -> None:
        log.info("begun")
        wait_until(lambda: messages(huey, handle) == ["begun"], 2.0)

    handle = work()
    drain(huey)

    assert job(huey, handle).state == "done"


def test_a_talkative_run_is_written_a_few_times_a_second(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    spent: list[float] = []
    engine = type(huey.storage)
    note = engine.note

    def counted(self: Any, said: Any) -> None:
        written.append(sum(len(each.lines) for _, each in said))
        note(self, said)

    monkeypatch.setattr(engine, "note", counted)

    @huey.task(keep_logs=True, context=True)
    def work(task: Any = None) -> int:
        start = time.monotonic()
        reports = 0
        # Who writes needs the interpreter for each statement, and this run has it all the time.
        while time.monotonic() < start + (10 if not written else 0.7):
            reports += 1
            task.progress(reports)
            if reports % 100 == 0:
                log.info("still here")
        spent.append(time.monotonic() - start)
        return reports

    handle = work()
    drain(huey)

    reports = handle.get()
    assert reports > 1000
    assert 1 <= len(written) <= spent[0] / 0.25 + 1
    assert job(huey, handle).progress == str(reports)


@pytest.mark.parametrize(
    ("given", "shown"), [(1_234_567, "1234567"), (1e9, "1000000000"), (0.25, "0.25")]
)
def test_a_count_is_shown_whole(huey: Huey, given: float, shown: str) -> None:
    @huey.task(context=True)
    def work(task: Any = None) -> None:
        task.progress(given)

    handle = work()
    drain(huey)

    assert job(huey, handle).progress == shown


def test_a_run_without_bounds_is_cut_and_says_so(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "MOST_LINES", 5)
    monkeypatch.setattr(notebook, "MOST_CHARACTERS", 1000)

    @huey.task(keep_logs=True, retries=1)
    def work(text: str) -> None:
        for n in range(20):
            log.info("%d%s", n, text)
        raise ValueError

    short, long = work(""), work("x" * 400)
    drain(huey)

    first, second = messages(huey, short)[:5], messages(huey, short)[5:]
    assert first == second == ["0", "1", "2", "3", *first[4:]]
    assert first[4].startswith("more was logged: a run keeps 5 lines")
    assert [len(message) for message in messages(huey, long)[:2]] == [401, 401]
    assert messages(huey, long)[2].startswith("more was logged")
    assert len(messages(huey, long)) == 6


def test_a_long_line_is_cut(huey: Huey) -> None:
    @huey.task(keep_logs=True)
    def work() -> None:
        log.info("x" * 20_000)

    handle = work()
    drain(huey)

    assert [len(message) for message in messages(huey, handle)] == [notebook.LONGEST_LINE]


class Awkward:
    def __repr__(self) -> str:
        return "<Awkward>"

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("call", "kept"),
    [
        (lambda: log.info("%d things", "no"), "%d things (it cannot be formatted)"),
        (lambda: log.info("%s", Awkward()), "%s (it cannot be formatted)"),
        (lambda: log.info(Awkward()), "<Awkward> (it cannot be formatted)"),
        (lambda: log.info("half \ud800 a character"), "half \\ud800 a character"),
        (lambda: log.info("nul \0 inside"), "nul \0 inside"),
        (lambda: log.log(42, "odd"), "odd"),
    ],
)
def test_a_log_call_that_is_wrong_fails_no_job(
    huey: Huey, call: Callable[[], None], kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Those of pytest raise what a program's own handlers would print.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    @huey.task(keep_logs=True, context=True)
    def work(task: Any = None) -> int:
        call()
        task.progress(1, 2, "half \ud800")
        return 1

    handle = work()
    drain(huey)

    if isinstance(huey.location, PostgresLocation):
        kept = kept.replace("\0", "\\0")  # no text has one there
    assert (handle.get(), messages(huey, handle)) == (1, [kept])
    assert job(huey, handle).progress == "50% half \\ud800"


def test_lines_wait_while_the_storage_does_not_take_them(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "AFTER_ERROR", 0.01)
    refused = threading.Event()
    engine = type(huey.storage)
    note = engine.note

    def failing(self: Any, said: Any) -> None:
        if not refused.is_set():
            refused.set()
            raise StorageError("the disk is away")
        note(self, said)

    monkeypatch.setattr(engine, "note", failing)

    @huey.task(keep_logs=True, context=True)
    def work(task: Any = None) -> None:
        log.info("one")
        task.progress(1)
        assert refused.wait(5)
        log.info("two")
        wait_until(lambda: messages(huey, handle) == ["one", "two"], 5)

    handle = work()
    drain(huey)

    assert (messages(huey, handle), job(huey, handle).progress) == (["one", "two"], "1")


def test_the_lines_of_a_process_that_was_killed_are_there(path: str) -> None:
    code = f"""
        import logging, os, time
        from hueycore import Huey
        huey = Huey("app", url={path!r})

        @huey.task(keep_logs=True)
        def work():
            logging.warning("the last words")
            while not huey.storage.log(1):
                time.sleep(0.01)
            os.kill(os.getpid(), 9)

        work()
        huey.execute(huey.dequeue())
    """
    run_python(code, exits=-9)
    huey = Huey("app", url=path)

    assert messages(huey, huey.storage.jobs(Selector())[0].id) == ["the last words"]
    huey.close()


def test_a_child_process_writes_its_own_lines_only(path: str) -> None:
    code = f"""
        import logging, os, signal
        from hueycore import Huey
        huey = Huey("app", url={path!r})

        @huey.task(keep_logs=True)
        def work(name):
            logging.warning(name)

        work("parent"); work("child")
        huey.execute(huey.dequeue())
        with huey.notes._writing:  # as if the parent's thread were in the middle of it
            pid = os.fork()
            if not pid:
                signal.alarm(10)
                huey.execute(huey.dequeue())
                huey.close()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        print([[line.message for line in huey.storage.log(seq)] for seq in (1, 2)])
        huey.close()
    """
    assert run_python(code).splitlines()[-1] == "[['parent'], ['child']]"


def test_a_timeout_strikes_a_run_that_logs_without_end(
    huey: Huey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The handlers of the standard library, and those of pytest, swallow what strikes within them.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    @huey.task(keep_logs="DEBUG", timeout=0.3, context=True)
    def work(task: Any = None) -> None:
        while True:
            log.debug("on and on")
            task.progress(1, 2)

    @huey.task(keep_logs=True, context=True)
    def after(task: Any = None) -> int:
        log.info("fine")
        task.progress(2, 2)
        return 1

    with consuming(huey):
        handle, next_ = work(), after()
        assert next_.get(blocking=True, timeout=20) == 1

    assert (job(huey, handle).state, job(huey, handle).reason) == ("dead", "timeout")
    assert messages(huey, next_) == ["fine"]
    assert len(messages(huey, handle)) == notebook.MOST_LINES


# --- other logging goes on as if we were not there ------------------------------------------------


def test_a_program_without_logging_still_sees_its_warnings(path: str) -> None:
    code = f"""
        import logging
        from hueycore import Huey
        huey = Huey("app", url={path!r})

        @huey.task(keep_logs=True)
        def work():
            logging.getLogger("app").warning("seen once")

        work()
        huey.execute(huey.dequeue())
        logging.basicConfig(format="set up: %(message)s")
        logging.getLogger("app").warning("and after")
        huey.close()
    """
    assert run_python(code).splitlines() == ["seen once", "set up: and after"]


@pytest.mark.feature("logs")
def test_every_record_of_a_run_names_its_job(huey: Huey) -> None:
    seen: list[dict[str, Any]] = []

    class Catcher(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(vars(record))

    catcher = Catcher()
    catcher.addFilter(JobFilter())
    library = logging.getLogger("hueycore")
    before = library.level
    library.setLevel(logging.INFO)
    logging.getLogger().addHandler(catcher)
    try:

        @huey.task(retries=1)
        def work(fail: bool) -> None:
            log.info("inside")
            log.info("mine", extra={"job": "of my own"})
            if fail:
                raise ValueError("no")

        log.info("outside")
        handle, failing = work(False), work(True)
        drain(huey)
    finally:
        logging.getLogger().removeHandler(catcher)
        library.setLevel(before)

    fields = ("job", "job_id", "task", "attempt")
    told = {name: tuple(each[name] for name in fields) for name in ("outside", "inside")
            for each in reversed(seen) if each["msg"] == name}  # fmt: skip
    assert told["outside"] == (None, None, None, None)
    assert told["inside"] == (1, handle.id, f"{__name__}.work", 1)
    assert [each["job"] for each in seen if each["msg"] == "mine"] == ["of my own"] * 3
    ends = {each["msg"]: each for each in seen if each["duration"]}
    done = next(each for text, each in ends.items() if "is done" in text)
    assert (done["job"], done["attempt"]) == (1, 1)
    failed = next(each for text, each in ends.items() if "retries left" in text)
    assert (failed["job"], failed["job_id"]) == (2, failing.id)
    assert failed["duration"] > 0


def test_the_plain_way_of_a_task_that_nobody_watches_names_its_job(huey: Huey) -> None:
    seen: list[Any] = []

    @huey.task()
    def work() -> None:
        record = logging.makeLogRecord({})
        JobFilter().filter(record)
        seen.append(vars(record)["job"])

    work()
    drain(huey)
    record = logging.makeLogRecord({})
    JobFilter().filter(record)

    assert (seen, vars(record)["job"]) == ([1], None)


# --- why a run was put back -----------------------------------------------------------------------


def _failing(huey: Huey, error: BaseException, **options: Any) -> Any:
    @huey.task(**options)
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "state", "told"),
    [
        (RetryTask("later", delay=60, count=False), "scheduled", ("RetryTask", "later", False)),
        (RateLimitExceeded("api", 60), "scheduled", ("RateLimitExceeded", None, False)),
        (CancelExecution("not needed"), "revoked", ("CancelExecution", "not needed", True)),
        (CancelExecution("again", retry=True), "pending", ("CancelExecution", "again", True)),
        (TaskTimeout("late"), "dead", ("TaskTimeout", "late", True)),
    ],
)
def test_a_row_says_why_its_run_was_given_back(
    huey: Huey, error: BaseException, state: str, told: tuple[str, str | None, bool]
) -> None:
    handle = _failing(huey, error)()
    task = huey.dequeue()
    assert task is not None
    huey.execute(task)

    row = job(huey, handle)
    (entry,) = row.errors
    assert row.state == state
    type_, message, counted = told
    assert (entry["type"], entry["counted"]) == (type_, counted)
    assert message is None or entry["message"] == message
    if type_ in ("RetryTask", "RateLimitExceeded"):
        assert entry["traceback"] == ""


def test_a_run_that_a_hook_cancelled_says_why(huey: Huey) -> None:
    @huey.pre_execute()
    def never(task: Any) -> None:
        raise CancelExecution("Duplicate task, skipping")

    handle = _failing(huey, ValueError())()
    drain(huey)

    (entry,) = job(huey, handle).errors
    assert (entry["type"], entry["message"]) == ("CancelExecution", "Duplicate task, skipping")


def test_a_task_that_nobody_knows_says_so_while_it_waits(huey: Huey, path: str) -> None:
    work = _failing(huey, ValueError())
    handle = work()
    other = Huey("app", url=path)
    assert other.dequeue() is None
    other.close()

    (entry,) = job(huey, handle).errors
    assert (entry["type"], entry["counted"]) == ("TaskNotFound", False)
    assert job(huey, handle).state == "scheduled"


# --- signals follow what was committed ------------------------------------------------------------


@pytest.mark.feature("signals")
@pytest.mark.parametrize("by_hand", [True, False])
def test_a_job_that_was_asked_to_stop_and_fails_tells_of_no_retry(
    huey: Huey, by_hand: bool
) -> None:
    seen = Signals(huey)

    @huey.task(retries=3)
    def work() -> None:
        handle.revoke()
        raise ValueError("stopped")

    handle = work()
    if by_hand:
        drain(huey)
    else:
        with consuming(huey):
            wait_until(lambda: job(huey, handle).state == "revoked")
            wait_until(lambda: "revoked" in seen.names())

    assert seen.names() == ["enqueued", "executing", "error", "revoked"]
    assert seen.of("revoked") == [(handle.id, "revoked", ())]
    assert job(huey, handle).errors[0]["message"] == "stopped"


@pytest.mark.feature("revoke")
def test_restore_takes_back_the_request_to_stop(huey: Huey) -> None:
    @huey.task(retries=1)
    def work() -> None:
        handle.revoke()
        assert handle.is_revoked()
        assert handle.restore()
        assert not handle.is_revoked()
        raise ValueError

    handle = work()
    task = huey.dequeue()
    assert task is not None
    huey.execute(task)

    assert job(huey, handle).state == "pending"
    assert not huey.restore_by_id("nobody")


# --- events ---------------------------------------------------------------------------------------


def test_events_are_switched_on_where_the_queue_is_declared(path: str) -> None:
    huey = Huey("app", url=path, events=True)
    handle = _failing(huey, ValueError("no"))()
    drain(huey)

    found = huey.storage.events(EventQuery(key=handle.id))
    assert [event.signal for event in found] == ["enqueued", "claimed", "error"]
    workers = huey.storage.events(EventQuery(signals=("worker-started",)))
    assert [event.jobs for event in workers] == [None]
    huey.close()
