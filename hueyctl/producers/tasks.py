"""From a name on a command line to the task of an application, and from words to its call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from hueyctl import errors, exits
from hueyctl.producers.arguments import Call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hueycore import Huey, TaskWrapper
    from hueyctl.context import Session

    AnyTask = TaskWrapper[Any, Any]


def find_task(session: Session, huey: Huey, name: str) -> AnyTask:
    """The task registered under a name, else the function of this path. Exit 3 when there is
    neither, 78 when its module cannot be imported."""
    task = huey.registry.get(name)
    if task is not None:
        return task
    from hueycore.exceptions import UnknownTask
    from hueyctl.apps import load_path

    try:
        return load_path(huey, name, session.settings.app_dir)
    except UnknownTask as error:
        raise errors.CliError(str(error), exits.NOT_FOUND, _near(huey, name)) from None


def own_task(session: Session, huey: Huey, name: str) -> AnyTask:
    """As ``find_task``. Exit 6 for the task of an application that has another queue: its own
    consumers run it, with its own options."""
    try:
        task = find_task(session, huey, name)
    except errors.CliError as error:
        other = _registered_elsewhere(name) if error.code == exits.NOT_FOUND else None
        if other is None:
            raise
        task = other
    if task.huey is huey or _place(task.huey) == _place(huey):
        return task
    raise errors.CliError(
        f"{name} is a task of queue {task.huey.name!r}, not of {huey.name!r}",
        exits.REFUSED,
        f"say --app {_app_of(task)}",
    )


def _place(huey: Huey) -> tuple[str, Any]:
    return huey.name, huey.location._replace(queue=None)


def _instances() -> Iterator[tuple[str, Huey]]:
    """The applications of the modules that are imported, as --app names them."""
    from hueycore import Huey

    for module, contents in list(sys.modules.items()):
        for name, value in list(getattr(contents, "__dict__", {}).items()):
            if issubclass(type(value), Huey):  # to ask an object may start whatever it stands for
                yield f"{module}:{name}", value


def _registered_elsewhere(name: str) -> AnyTask | None:
    tasks = (huey.registry.get(name) for _, huey in _instances())
    return next((task for task in tasks if task is not None), None)


def _app_of(task: AnyTask) -> str:
    """The application of a task, in its own module if it can be: then its import declares it."""
    names = [name for name, huey in _instances() if huey is task.huey]
    home = f"{task.func.__module__}:"
    return min(names, key=lambda name: not name.startswith(home), default="MODULE:ATTR")


def fit_call(call: Call, task: AnyTask, *, convert: bool, check: bool) -> Call:
    """The call as the signature of a task wants it. Exit 2 when it does not fit."""
    from hueyctl.producers.coerce import fit

    if check:
        _check(call, task)
    # The worker passes the running job itself as `task` to those that ask for it.
    given = ("task",) if task.options.context else ()
    return fit(call, task.func, task.name, given=given) if convert else call


def _check(call: Call, task: AnyTask) -> None:
    if task.options.context and "task" in call.kwargs:
        raise errors.usage(f"{task.name}: got an unexpected keyword argument 'task': it is the job")
    try:
        task.check_call(tuple(call.args), call.kwargs)
    except TypeError as error:
        raise errors.usage(str(error), _near_keyword(call, task)) from None


def _near_keyword(call: Call, task: AnyTask) -> str | None:
    from difflib import get_close_matches
    from inspect import signature

    known = signature(task.func).parameters
    for key in call.kwargs:
        if key not in known:
            near = get_close_matches(key, known, 1)
            return f"did you mean {near[0]}=?" if near else None
    return None


def _near(huey: Huey, name: str) -> str:
    from difflib import get_close_matches

    tasks = huey.registry.names()
    module, _, short = name.rpartition(".")
    near = [each for each in tasks if each.rpartition(".")[2] == short][:3]
    near = near or get_close_matches(name, [*tasks, *_functions(module)], 1)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"tasks are {', '.join(tasks[:8])}" if tasks else "the application has no tasks"


def _functions(module: str) -> list[str]:
    """What could have been meant in a module that was imported to look for it."""
    found = vars(sys.modules[module]) if module in sys.modules else {}
    return [f"{module}.{name}" for name, value in found.items() if callable(value)]
