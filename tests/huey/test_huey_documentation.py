"""What the Python blocks of Huey's documentation import, call and ask for is here.

Their names are in documentation.txt (from tests/tools/documentation.py)."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hueycore import (
    Huey,
    MemoryHuey,
    SqliteHuey,
    TaskException,
    TaskWrapper,
    chord,
    group,
)
from hueycore.api.moved import HueyOptions
from hueycore.consumer.base import BaseConsumer
from hueycore.tasks.options import Settings
from tests.helpers import PYTHONPATH

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

_MINI = "`MiniHuey`"
_STATS = "`enable_stats`, `HueyStats`, the panel `HueyPanel` for flask-admin"
#: What is not there or refuses to be called, and its row of the table in `hueyctl help moving`.
REASONS = {
    "huey.contrib.mini.MiniHuey": _MINI,
    "MiniHuey.task": _MINI,
    "MiniHuey.periodic_task": _MINI,
    "MiniHuey.start": _MINI,
    "huey.contrib.stats.enable_stats": _STATS,
    "HueyStats.window_counts": _STATS,
    "HueyStats.task_breakdown": _STATS,
    "HueyStats.throughput": _STATS,
    "HueyStats.recent_events": _STATS,
    "HueyStats.inflight": _STATS,
    "huey.contrib.flask_admin.HueyPanel": _STATS,
    "settings.HUEY_STATS": "`huey.contrib.djhuey.stats` in `INSTALLED_APPS`, and its `HUEY_STATS`",
}
#: Attributes that a block of the documentation sets itself.
OWN = {"Task.span"}

DJANGO = "huey.contrib.djhuey"
#: Who takes the keywords that another one hands on.
TAKES: dict[str, Callable[..., Any]] = {
    "TaskWrapper.__call__": TaskWrapper.schedule,
    "Huey.context_task": Huey.task,
    "Huey.create_consumer": BaseConsumer,
    f"{DJANGO}.task": Huey.task,
    f"{DJANGO}.periodic_task": Huey.periodic_task,
    f"{DJANGO}.db_task": Huey.task,
    f"{DJANGO}.db_periodic_task": Huey.periodic_task,
    f"{DJANGO}.on_commit_task": Huey.task,
    "huey.RedisHuey": SqliteHuey,
    "settings.HUEY": SqliteHuey,
    "settings.HUEY.consumer": BaseConsumer,
}
#: What a `**rest` takes, by its type.
OPTIONS = {
    "Unpack[HueyOptions]": HueyOptions.__annotations__,
    "Unpack[Settings]": Settings.__annotations__,
}
#: What the Django integration takes beside the options of the class.
SETTINGS = {"huey_class", "consumer"}


class Use(NamedTuple):
    """A name in a block, and what it is called with: `_` by position, or a keyword."""

    where: str
    name: str
    arguments: tuple[str, ...] | None

    @property
    def keywords(self) -> set[str]:
        return {*(self.arguments or ())} - {"_"}


def blocks() -> Iterator[tuple[str, list[Use]]]:
    for line in (HERE / "documentation.txt").read_text("utf-8").splitlines():
        document, number, *names = line.split()
        where = f"{document}:{number}"
        yield where, [_use(where, name) for name in names]


def _use(where: str, text: str) -> Use:
    name, called, arguments = text.rstrip(")").partition("(")
    return Use(where, name, tuple(arguments.split(",") if arguments else ()) if called else None)


USES = [use for _, uses in blocks() for use in uses]


@pytest.fixture
def objects() -> dict[str, Any]:
    """What the first word of a name stands for, by the calls of the documentation."""
    huey = MemoryHuey("app")

    @huey.task()
    def add(a: int, b: int) -> int:
        return a + b

    both = [add.s(1, 2), add.s(3, 4)]
    return {
        "Huey": huey,
        "TaskWrapper": add,
        "Task": add.s(1, 2),
        "Pipeline": add.s(1, 2).then(add, 3),
        "group": group(both),
        "chord": chord(both, add),
        "Result": add(1, 2),
        "ResultGroup": add.map([(1, 2)]),
        "ChordResult": huey.enqueue(chord(both, add).then(add, 3)),
        "Consumer": huey.create_consumer(),
        "TaskLock": huey.lock_task("name"),
        "TaskException": TaskException(),
    }


def _imported(path: str) -> Any:
    """What an import of the path with `hueycore` in place of `huey` gives."""
    words = path.replace("huey", "hueycore", 1).split(".")
    for end in range(len(words), 0, -1):
        try:
            found = importlib.import_module(".".join(words[:end]))
        except ModuleNotFoundError:
            continue
        for word in words[end:]:
            found = getattr(found, word)
        return found
    raise AssertionError(path)


def _found(name: str, objects: dict[str, Any]) -> Any:
    """What is behind a name. Raises AttributeError when nothing is."""
    first, _, rest = name.partition(".")
    if first == "huey":
        return _imported(name)
    if first == "settings" and name in TAKES:
        return TAKES[name]
    if first not in objects:
        raise AttributeError(f"there is no {first}")
    return getattr(objects[first], rest)


def _keywords(call: Callable[..., Any]) -> set[str]:
    """Those that a callable takes by name."""
    names = set()
    for each in inspect.signature(call).parameters.values():
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
            names.add(each.name)
        if each.kind is each.VAR_KEYWORD:
            names.update(OPTIONS.get(each.annotation, {}))
    return names


def _fault(use: Use, objects: dict[str, Any]) -> str | None:
    """What code that was written for Huey misses, None when nothing."""
    if use.name in OWN:
        return None
    try:
        found = _found(use.name, objects)
    except AttributeError as error:
        return str(error)
    if isinstance(found, type) and _refused(found):
        return "is refused when it is called"
    if use.arguments is None:
        return None
    try:
        if not use.name.startswith("settings."):
            placed = use.arguments.count("_")
            inspect.signature(found).bind(*range(placed), **dict.fromkeys(use.keywords))
    except TypeError as error:
        return str(error)
    taken = _keywords(found) | _keywords(TAKES.get(use.name, found))
    if use.name == "settings.HUEY":
        taken |= SETTINGS
    missing = use.keywords - taken
    return f"takes no {', '.join(sorted(missing))}" if missing else None


def _refused(found: type) -> bool:
    return getattr(vars(found).get("__init__"), "__module__", "") == "hueycore.absent"


def faults_in_django() -> dict[str, str]:
    """What is at fault among the names of the Django integration, in a process of its own."""
    import django
    from django.conf import settings

    settings.configure(
        HUEY={"huey_class": "huey.MemoryHuey", "name": "app"},
        INSTALLED_APPS=["hueycore.contrib.djhuey", "hueycore.contrib.djhuey.stats"],
    )
    django.setup()
    found = [(use, _fault(use, {})) for use in USES if use.name.startswith(DJANGO)]
    return {use.name: fault for use, fault in found if fault}


def test_each_of_the_blocks_is_read() -> None:
    found = [where for where, _ in blocks()]

    assert len(found) == len(set(found)) == 219
    assert len([where for where, uses in blocks() if uses]) == 210


@pytest.mark.feature("moving over")
def test_every_name_of_hueys_documentation_is_here_or_has_a_reason(objects: dict[str, Any]) -> None:
    others = [use for use in USES if not use.name.startswith(DJANGO)]
    faults = {use: _fault(use, objects) for use in others}

    new = {use: fault for use, fault in faults.items() if fault and use.name not in REASONS}
    assert new == {}
    there = {use.name for use, fault in faults.items() if not fault}
    assert sorted(there & REASONS.keys()) == [], "these are here: take their reasons out"


def test_every_name_of_the_django_integration_is_here_or_has_a_reason() -> None:
    code = (
        "import json\n"
        "from tests.huey.test_huey_documentation import faults_in_django\n"
        "print(json.dumps(faults_in_django()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert "hueycore.contrib.djhuey.stats and HUEY_STATS have no effect" in done.stderr
    expected = {name for name in REASONS if name.startswith(DJANGO)}
    assert json.loads(done.stdout).keys() == expected


def test_options_of_other_engines_are_taken_where_they_are_replaced() -> None:
    """Whoever writes ``SqliteHuey`` in place of ``RedisHuey`` keeps the rest of the line."""
    given = {word for use in USES if use.name == "huey.RedisHuey" for word in use.keywords}

    assert {"host", "url", "connection_pool"} < given
    assert given <= _keywords(SqliteHuey)


def test_every_reason_is_a_row_of_the_table_and_is_needed() -> None:
    text = (ROOT / "man" / "pages" / "moving.md").read_text("utf-8")
    rows = {line.split(" | ")[0].removeprefix("| ") for line in text.splitlines()}

    assert set(REASONS.values()) <= rows
    assert {*REASONS, *OWN} <= {use.name for use in USES}
