"""System checks: what is wrong in ``settings.HUEY`` and ``TASKS``, before a consumer says it."""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from hueycore.api import Huey
from hueycore.contrib.djhuey import CONSUMER, HUEY
from hueycore.contrib.djhuey.configuration import (
    FOR_LOGGING,
    OWN,
    Misconfigured,
    class_of,
    options_of,
)
from hueycore.contrib.djhuey.queues import DEFAULT
from hueycore.exceptions import ConfigurationError
from hueycore.storage.location import (
    MEMORY,
    PostgresLocation,
    RedisLocation,
    SqliteLocation,
    without_driver,
    without_redis,
)
from hueycore.tasks.options import Settings

#: Keys of an entry of ``TASKS``, and of its ``OPTIONS``.
_KEYS = {"BACKEND", "QUEUES", "OPTIONS", "ENQUEUE_ON_COMMIT"}
TASK_OPTIONS = {
    *("retries", "retry_delay", "retry_backoff", "expires", "enqueue_on_commit"),
    *Settings.__annotations__,
}


def register() -> None:
    """Have Django run the checks."""
    checks.register(check_huey, "huey")


def check_huey(**_: Any) -> list[CheckMessage]:
    """``djhuey.E001`` to ``W007``."""
    found = [*_names(getattr(settings, "HUEY", None)), *_consumer()]
    if found:
        return found
    if isinstance(HUEY, Misconfigured):
        return [Error(str(HUEY.error), hint=getattr(HUEY.error, "hint", None), id="djhuey.E001")]
    return [*_engine(HUEY), *_immediate(HUEY), *_admin()]


def check_tasks(alias: str, params: dict[str, Any], fault: str | None) -> Iterator[CheckMessage]:
    """Of ``TASKS`` with our backend, ``djhuey.E010`` to ``W013``. ``fault``: what is wrong with the
    values of its options."""
    for name in params.keys() - _KEYS:
        hint = near(name, _KEYS, f"It may have {', '.join(sorted(_KEYS))}.")
        yield Error(f'TASKS["{alias}"] has no key {name!r}.', hint=hint, id="djhuey.E010")
    options = params.get("OPTIONS") or {}
    unknown = options.keys() - TASK_OPTIONS
    for name in unknown:
        hint = near(name, TASK_OPTIONS, "They are options of Huey.task, as retries and timeout.")
        message = f'TASKS["{alias}"]["OPTIONS"] has no option {name!r}.'
        yield Error(message, hint=hint, id="djhuey.E011")
    if fault and not unknown:
        yield Error(f"{fault}.", id="djhuey.E011")
    if {DEFAULT, HUEY.name} <= {*params.get("QUEUES", ())} and HUEY.name != DEFAULT:
        yield checks.Warning(
            f'TASKS["{alias}"]["QUEUES"] names one queue twice: {HUEY.name!r}, that of '
            f"settings.HUEY, is {DEFAULT!r} here.",
            hint="Leave one of them out.",
            id="djhuey.W012",
        )
    if not HUEY.results:
        yield checks.Warning(
            "The queue keeps no results: return_value is None of every task.",
            hint="Leave settings.HUEY['results'] out.",
            id="djhuey.W013",
        )


def near(name: str, known: Collection[str], what: str) -> str:
    """A hint for a name that there is not."""
    meant = get_close_matches(name, known, 1)
    return f"Did you mean {meant[0]!r}?" if meant else what


def _names(found: Any) -> Iterator[CheckMessage]:
    if not isinstance(found, dict):
        return
    try:
        known = {*options_of(class_of(found.get("huey_class", Huey))), *OWN}
    except (ConfigurationError, TypeError, ValueError):
        return  # E001 says it
    for name in found.keys() - known:
        hint = near(str(name), known, "`hueyctl help django` has what it may have.")
        yield Error(f"settings.HUEY has no option {name!r}.", hint=hint, id="djhuey.E002")


def _consumer() -> Iterator[CheckMessage]:
    # Imported here: who serves pages needs no consumer.
    from hueycore.consumer.base import BaseConsumer

    known = {*inspect.signature(BaseConsumer).parameters, *FOR_LOGGING} - {"huey"}
    for name in CONSUMER.keys() - known:
        hint = near(str(name), known, "`manage.py run_huey --help` lists what a consumer takes.")
        message = f'settings.HUEY["consumer"] has no option {name!r}.'
        yield Error(message, hint=hint, id="djhuey.E003")


def _engine(huey: Huey) -> Iterator[CheckMessage]:
    where = huey.location
    if isinstance(where, PostgresLocation) and find_spec("psycopg") is None:
        yield _driver(without_driver(ImportError(name="psycopg")))
    elif isinstance(where, RedisLocation) and find_spec("redis") is None:
        yield _driver(without_redis(ImportError(name="redis")))
    elif isinstance(where, SqliteLocation) and where.filename != MEMORY:
        yield from _file(os.path.realpath(where.filename))


def _driver(error: Exception) -> CheckMessage:
    what, _, how = str(error).partition(": ")
    return Error(f"{what[0].upper()}{what[1:]}.", hint=how, id="djhuey.E004")


def _file(path: str) -> Iterator[CheckMessage]:
    """SQLite writes files beside its own, so that the folder has to be writable as well."""
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        hint = f"mkdir -p {folder}"
        yield Error(f"There is no folder {folder} for the queue.", hint=hint, id="djhuey.E005")
        return
    for place in (folder, path):
        if os.path.exists(place) and not os.access(place, os.W_OK):
            yield Error(
                f"{place} cannot be written by this user, who enqueues.",
                hint="Let the users of the web server and of run_huey write the file of the queue "
                "and its folder, or name another one in settings.HUEY['filename'].",
                id="djhuey.E005",
            )
            return


def _admin() -> Iterator[CheckMessage]:
    if apps.is_installed("django.contrib.admin") and find_spec("jinja2") is None:
        yield checks.Warning(
            "The admin does not show the queue: what draws its pages is not installed.",
            hint="pip install 'hueyctl[dashboard]', or silence this in SILENCED_SYSTEM_CHECKS.",
            id="djhuey.W007",
        )


def _immediate(huey: Huey) -> Iterator[CheckMessage]:
    if huey.immediate and not settings.DEBUG:
        yield checks.Warning(
            "The queue is in immediate mode: each call runs its job itself, in the request.",
            hint="Leave settings.HUEY['immediate'] out: it is DEBUG then. Where calls are to run "
            "at once, as in tests, silence this in SILENCED_SYSTEM_CHECKS.",
            id="djhuey.W006",
        )
