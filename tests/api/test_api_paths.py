"""Path tasks: functions by their dotted path, who may run them, and names that nobody knows."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hueycore import (
    ConfigurationError,
    Huey,
    JSONSerializer,
    Serializer,
    SignedSerializer,
    SqliteHuey,
    State,
    TaskException,
    UnknownTask,
)
from hueycore.model.jobs import Selector, Want
from tests.helpers import Clock, consuming, drain, job, run_one, wait_until

MODULES = {
    "shop/__init__.py": "from shop.utils import reindex",
    "shop/utils.py": """
        from os import getpid
        from functools import partial, wraps

        def reindex(name, kw=None, priority=None):
            return f"{name} {kw} {priority}"

        def boom():
            raise LookupError("out of stock")

        def logged(f):
            @wraps(f)
            def wrapper(*args):
                return f(*args)
            return wrapper

        @logged
        def polite(name):
            return f"dear {name}"

        class Stock:
            def __init__(self, n):
                self.n = n

            @staticmethod
            def count():
                return 5

        async def wait_for_it(name):
            return f"{name} at last"

        both = partial(reindex, kw="both")
        NUMBER = 7
        """,
    "shop/broken.py": "raise RuntimeError('no licence')",
    "shop/needy.py": "import a_library_that_is_not_installed",
    "shop/leaving.py": "import sys; sys.exit(3)",
}


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of functions that nobody registered."""
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "shop"
    for name in list(sys.modules):
        if name.partition(".")[0] == "shop":
            del sys.modules[name]


@pytest.fixture
def opened(path: str) -> Iterator[Callable[..., Huey]]:
    made: list[Huey] = []

    def make(**options: Any) -> Huey:
        made.append(Huey("app", url=path, **options))
        return made[-1]

    yield make
    for huey in made:
        huey.close()


def error(handle: Any) -> str:
    with pytest.raises(TaskException) as caught:
        handle.get(preserve=True)
    return str(caught.value)


# --- calling --------------------------------------------------------------------------------------


@pytest.mark.feature("path tasks")
def test_any_function_runs_by_its_path(huey: Huey) -> None:
    handle = huey.call("shop.utils.reindex", "products", kw=1)
    assert handle is not None
    assert "shop" not in sys.modules  # it need only be where the consumer is

    with consuming(huey):
        assert handle.get(blocking=True, timeout=10) == "products 1 None"
    assert job(huey, handle).task == "shop.utils.reindex"


def test_keywords_of_call_are_the_functions_and_those_of_path_the_jobs(huey: Huey) -> None:
    called = huey.call("shop.utils.reindex", "a", priority=5)
    signed = huey.enqueue(huey.path("shop.utils.reindex").s("b", priority=5, retries=2))
    later = huey.path("shop.utils.reindex").schedule(("c",), {"priority": 1}, delay=60, priority=7)
    many = huey.path("shop.utils.reindex").map(["d", "e"])

    assert [job(huey, each).priority for each in (called, signed, later)] == [0, 5, 7]
    assert (job(huey, called).retries, job(huey, signed).retries) == (0, 2)
    assert job(huey, later).state is State.SCHEDULED
    drain(huey)
    assert called is not None and called.get() == "a None 5"
    assert many.get() == ["d None None", "e None None"]


def test_a_path_can_be_called_on_the_spot(huey: Huey) -> None:
    assert huey.path("shop.utils.reindex").call_local("here") == "here None None"
    assert repr(huey.path("shop.utils.reindex")) == "<task shop.utils.reindex>"


def test_immediate_mode_runs_paths_at_once(opened: Callable[..., Huey]) -> None:
    handle = opened(immediate=True, compression=True).call("shop.utils.reindex", "now")

    assert handle is not None and handle.get() == "now None None"


def test_a_registered_name_is_that_task_with_its_options(huey: Huey) -> None:
    @huey.task(retries=4, context=True, name="registered")
    def work(task: Any) -> Any:
        return task.retries

    handle = huey.call(work.name)

    assert huey.path(work.name) is work
    assert run_one(huey) == 4
    assert job(huey, handle).retries == 4


def test_a_job_of_a_path_fails_is_retried_and_revoked_like_any(huey: Huey) -> None:
    plain = huey.call("shop.utils.boom")
    again = huey.enqueue(huey.path("shop.utils.boom").s(retries=1))
    drain(huey)

    assert [(job(huey, each).state, job(huey, each).attempt) for each in (plain, again)] == [
        (State.DEAD, 1), (State.DEAD, 2),
    ]  # fmt: skip
    assert error(plain) == "LookupError('out of stock')"
    huey.path("shop.utils.boom").revoke()
    revoked = huey.call("shop.utils.boom")
    drain(huey)
    assert job(huey, revoked).state is State.REVOKED


def test_pending_shows_jobs_of_paths(huey: Huey) -> None:
    huey.call("shop.utils.reindex", "a")
    huey.call("shop.nowhere.reindex", "b")

    assert [(task.task_name, task.args) for task in huey.pending()] == [
        ("shop.utils.reindex", ("a",))
    ]
    task = huey.dequeue()
    assert task is not None
    assert huey.execute(task) == "a None None"


# --- what a path can be ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "value"),
    [
        ("shop.reindex", ("x",), "x None None"),  # reexported
        ("shop.utils.polite", ("ann",), "dear ann"),
        ("shop.utils.both", ("x",), "x both None"),
        ("shop.utils.wait_for_it", ("ann",), "ann at last"),
        ("builtins.len", ("four",), 4),
        ("math.sqrt", (9,), 3.0),
        ("decimal.Decimal", ("1.5",), __import__("decimal").Decimal("1.5")),
    ],
)
def test_whatever_can_be_called_by_a_name_in_a_module(
    huey: Huey, name: str, args: tuple[Any, ...], value: Any
) -> None:
    huey.call(name, *args)

    assert run_one(huey) == value


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shop.utils.reindx", "module 'shop.utils' has no function 'reindx'"),
        ("shop.utils.NUMBER", "has no function 'NUMBER'"),
        ("shop.util.reindex", "there is no module 'shop.util'"),
        ("nowhere.at.all", "there is no module 'nowhere'"),
        ("shop.utils.Stock.count", "there is no module 'shop.utils.Stock'"),
        ("shop.utils.getpid.__call__", "there is no module 'shop.utils.getpid'"),
        ("shop..reindex", "it is no path of a function"),
        (".reindex", "it is no path of a function"),
        ("shop.<lambda>", "it is no path of a function"),
        ("reindex", "it is no path of a function"),
    ],
)
def test_what_is_not_there_is_an_unknown_task_that_says_why(
    huey: Huey, name: str, said: str
) -> None:
    with pytest.raises(UnknownTask) as caught:
        huey.load_path(name)

    assert str(caught.value).startswith(f"no task {name!r}")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("shop.broken.task", "RuntimeError('no licence')"),
        ("shop.needy.task", "No module named 'a_library_that_is_not_installed'"),
        ("shop.leaving.task", "SystemExit(3)"),
    ],
)
def test_a_module_that_raises_fails_the_job_like_any_error(
    huey: Huey, name: str, said: str
) -> None:
    handle = huey.enqueue(huey.path(name).s(retries=1))

    assert len(huey.pending()) == 1
    drain(huey)
    row = job(huey, handle)
    assert (row.state, row.reason, row.attempt) == (State.DEAD, "failed", 2)
    assert said in error(handle)
    assert name.rpartition(".")[0].replace(".", "/") in row.errors[-1]["traceback"]


def test_a_module_that_is_mended_meanwhile_runs(huey: Huey, shop: Path) -> None:
    handle = huey.enqueue(huey.path("shop.broken.task").s(retries=1))
    run_one(huey)
    (shop / "broken.py").write_text("def task(): return 'mended at last'")

    assert run_one(huey) == "mended at last"
    assert job(huey, handle).state is State.DONE


def test_the_import_may_register_the_task(huey: Huey, shop: Path) -> None:
    (shop / "__init__.py").write_text("huey = None")
    (shop / "tasks.py").write_text(
        textwrap.dedent("""
        import shop

        @shop.huey.task(context=True)
        def declared(task): return task.id

        @shop.huey.task(name="renamed", context=True)
        def other(task): return task.id
        """)
    )
    import shop as package  # type: ignore[import-not-found]

    package.huey = huey
    for name in ("declared", "other"):
        handle = huey.call(f"shop.tasks.{name}")
        assert handle is not None and run_one(huey) == handle.id
    package.tasks.other.unregister()
    with pytest.raises(UnknownTask):
        huey.load_path("shop.tasks.other")


# --- who may --------------------------------------------------------------------------------------


class Own(Serializer):
    def _serialize(self, data: Any) -> bytes:
        return repr(data).encode()


@pytest.mark.feature("path tasks")
@pytest.mark.parametrize("serializer", [JSONSerializer(), SignedSerializer("secret"), Own()])
def test_only_pickle_allows_every_path_by_itself(
    opened: Callable[..., Huey], serializer: Serializer
) -> None:
    assert opened(compression=True).path("shop.utils.reindex").name == "shop.utils.reindex"

    closed = opened(serializer=serializer)
    for refuse in (closed.path, closed.call, closed.load_path):
        with pytest.raises(UnknownTask, match="allow_paths= does not allow it"):
            refuse("shop.utils.reindex")
    assert opened(allow_paths=[]).allow_paths == ()


@pytest.mark.parametrize(
    ("allow", "name", "allowed"),
    [
        (["shop.*"], "shop.utils.reindex", True),
        (["shop.*"], "shop.utils.polite", True),
        (["shop.*"], "shop.reindex", True),
        (["shop.*"], "shop.utils.both", False),  # a partial is defined in functools
        (["shop.utils.both"], "shop.utils.both", True),
        (["shop.*"], "shop.utils.getpid", False),  # imported from elsewhere
        (["shop.*"], "shop.utils.partial", False),
        (["shop.utils.getpid"], "shop.utils.getpid", True),
        (["shop.*"], "shopping.utils.reindex", False),
        (["shop.utils.re*"], "shop.utils.boom", False),
        (["shop.utils.re*", "shop.utils.boom"], "shop.utils.boom", True),
        (["shop.*"], "os.getpid", False),
        (["shop.*"], "shop.utils.wraps.__globals__", False),
    ],
)
def test_a_pattern_allows_what_is_defined_there(
    opened: Callable[..., Huey], allow: list[str], name: str, allowed: bool
) -> None:
    huey = opened(serializer=JSONSerializer(), allow_paths=allow)

    if allowed:
        assert callable(huey.load_path(name).func)
    else:
        with pytest.raises(UnknownTask):
            huey.load_path(name)


def test_a_single_pattern_is_not_a_list_of_letters() -> None:
    with pytest.raises(ConfigurationError, match=r"\['shop\.\*'\]"):
        SqliteHuey("app", allow_paths="shop.*")


def test_a_job_of_a_path_that_the_consumer_does_not_allow_never_runs(
    opened: Callable[..., Huey],
) -> None:
    writer = opened(serializer=JSONSerializer(), allow_paths=["*"])
    handle = writer.call("shop.utils.boom")
    consumer = opened(serializer=JSONSerializer())

    assert consumer.dequeue() is None
    row = job(consumer, handle)
    assert (row.state, row.attempt) == (State.SCHEDULED, 0)
    assert "allow_paths" in row.errors[-1]["message"]


# --- unknown --------------------------------------------------------------------------------------


def search(huey: Huey, clock: Clock, handle: Any, limit: int = 100) -> int:
    """Look for the task until the job is dead; how many looks that took."""
    for looks in range(limit):
        row = job(huey, handle)
        if row.state is State.DEAD:
            return looks
        clock.jump(max(0.0, row.run_at - clock.now()))
        assert huey.dequeue() is None
    raise AssertionError("it never ends")


@pytest.mark.feature("unknown task")
def test_a_job_that_was_released_often_is_looked_for_as_long_as_any(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(1_900_000_000.0)
    handle = huey.call("shop.nowhere.task")
    for _ in range(40):
        huey.storage.exchange(huey._stepper.worker(), [], Want(free=1))
        huey._stepper.leave(huey.storage)
    assert job(huey, handle).claim == 40

    assert search(huey, clock, handle) == 16
    row = job(huey, handle)
    assert [entry["type"] for entry in row.errors] == ["TaskNotFound", "UnknownTask"]
    assert row.errors[1]["at"] - row.errors[0]["at"] == pytest.approx(603, abs=1)
    assert "there is no module 'shop.nowhere'" in error(handle)


def test_a_job_that_waited_for_days_is_looked_for_from_its_first_look(
    huey: Huey, clock: Clock
) -> None:
    clock.freeze(1_900_000_000.0)
    handle = huey.path("shop.nowhere.task").schedule(delay=3 * 86400)

    assert search(huey, clock, handle) == 16


def test_a_dead_job_that_is_tried_again_is_looked_for_anew(huey: Huey, clock: Clock) -> None:
    clock.freeze(1_900_000_000.0)
    handle = huey.call("shop.nowhere.task")

    for retries in (None, 3):
        assert search(huey, clock, handle) >= 16
        assert huey.retry_dead(retries=retries) == 1
        assert job(huey, handle).state is State.PENDING


def test_a_job_that_ran_in_between_is_looked_for_anew(huey: Huey, clock: Clock) -> None:
    clock.freeze(1_900_000_000.0)

    @huey.task()
    def late() -> None: ...

    handle = late()
    late.unregister()
    assert huey.dequeue() is None
    huey.registry.register(late)
    clock.jump(1)
    run_one(huey)
    huey.storage.requeue(Selector(keys=(handle.id,)))
    late.unregister()
    clock.jump(900)

    assert huey.dequeue() is None
    assert job(huey, handle).state is State.SCHEDULED


def test_a_job_that_was_put_off_is_looked_for_anew(huey: Huey, clock: Clock) -> None:
    clock.freeze(1_900_000_000.0)
    handle = huey.call("shop.nowhere.task")
    assert handle is not None and huey.dequeue() is None
    handle.reschedule(delay=86400)
    clock.jump(86400)

    assert huey.dequeue() is None
    assert job(huey, handle).state is State.SCHEDULED
    assert search(huey, clock, handle) == 15


def test_a_consumer_that_was_away_ends_the_search_when_it_is_back(huey: Huey, clock: Clock) -> None:
    clock.freeze(1_900_000_000.0)
    handle = huey.call("shop.nowhere.task")
    assert huey.dequeue() is None
    clock.jump(900)

    assert huey.dequeue() is None
    assert job(huey, handle).state is State.DEAD


def test_a_path_that_appears_while_it_is_looked_for_runs(
    huey: Huey, shop: Path, clock: Clock
) -> None:
    clock.freeze()
    handle = huey.call("shop.late.task")
    assert huey.dequeue() is None
    (shop / "late.py").write_text("def task(): return 'deployed'")
    clock.jump(1)
    import importlib

    importlib.invalidate_caches()

    assert run_one(huey) == "deployed"
    row = job(huey, handle)
    assert (row.state, row.attempt, row.claim) == (State.DONE, 1, 2)


def test_a_worker_goes_on_with_others_while_it_looks(huey: Huey) -> None:
    unknown = [huey.call(f"shop.nowhere.task{number}") for number in range(5)]
    known = huey.call("shop.utils.reindex", "x")
    assert known is not None

    with consuming(huey):
        assert known.get(blocking=True, timeout=10)
        wait_until(lambda: all(job(huey, each).errors for each in unknown))
    assert {job(huey, each).state for each in unknown} <= {State.SCHEDULED, State.PENDING}
    assert all(len(job(huey, each).errors) == 1 for each in unknown)


# --- context as options ---------------------------------------------------------------------------


@pytest.mark.feature("context")
def test_a_dictionary_as_context_is_options_and_passes_nothing(huey: Huey) -> None:
    @huey.task(retries=1, context={"retries": 2, "retry_delay": 5, "result_ttl": 9})
    def work() -> str:
        return "no job passed"

    assert (work.retries, work.retry_delay) == (2, 5)
    assert (work.options.result_ttl, work.options.context) == (9, False)
    handle = work()
    assert run_one(huey) == "no job passed"
    assert job(huey, handle).retries == 2

    @huey.periodic_task("* * * * *", context={"priority": 3})
    def tick() -> None: ...

    assert tick.options.priority == 3


def test_a_dictionary_with_an_option_that_does_not_exist_is_refused(huey: Huey) -> None:
    with pytest.raises(ConfigurationError, match="no option 'colour', 'max_size'"):
        huey.task(context={"retries": 1, "max_size": 2, "colour": "red"})


def test_context_passes_the_job_or_not(huey: Huey) -> None:
    @huey.task(context=True)
    def asks(task: Any = None) -> Any:
        return task and task.id

    @huey.task(context=False)
    def does_not(task: Any = None) -> Any:
        return task

    handle, other = asks(), does_not()
    assert (run_one(huey), run_one(huey)) == (handle.id, None)
    assert job(huey, other).state is State.DONE
