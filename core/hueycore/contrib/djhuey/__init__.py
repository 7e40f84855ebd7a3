"""Django: put ``hueycore.contrib.djhuey`` into ``INSTALLED_APPS`` and tasks into each app's
``tasks.py``; ``manage.py run_huey`` runs them. The names are those of ``huey.contrib.djhuey``.

``settings.HUEY`` is an instance, or a dictionary::

    HUEY = {
        "huey_class": "hueycore.Huey",         # the default
        "name": "shop",                        # default: the name of the default database
        "filename": BASE_DIR / "huey.db",      # the default, without a "url"
        "url": "postgresql://ann@db/shop",     # instead of a file
        "immediate": DEBUG,                    # the default, as in Huey
        "consumer": {"workers": 4},            # options of Huey.create_consumer, and for its
                                               # log: logfile, loglevel, verbose, simple_log
    }

Anything else in it goes to the class, as do the entries of ``connection``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections, transaction

from hueycore.contrib.djhuey.configuration import configured
from hueycore.tasks.result import Result

F = TypeVar("F", bound=Callable[..., Any])

#: Keys of ``settings.HUEY["consumer"]``, for ``manage.py run_huey``.
CONSUMER: dict[str, Any] = {}

HUEY = configured(getattr(settings, "HUEY", None), CONSUMER)

task = HUEY.task
periodic_task = HUEY.periodic_task
enqueue = HUEY.enqueue
result = HUEY.result
scheduled = HUEY.scheduled
revoke = HUEY.revoke
revoke_all = HUEY.revoke_all
revoke_by_id = HUEY.revoke_by_id
restore = HUEY.restore
restore_all = HUEY.restore_all
restore_by_id = HUEY.restore_by_id
is_revoked = HUEY.is_revoked
lock_task = HUEY.lock_task
on_startup = HUEY.on_startup
on_shutdown = HUEY.on_shutdown
pre_execute = HUEY.pre_execute
post_execute = HUEY.post_execute
signal = HUEY.signal
disconnect_signal = HUEY.disconnect_signal


def close_db(fn: F) -> F:
    """Decorator: before and after each call, close the connections that Django holds too long or
    that are broken, as it does around a request. Those of an ``async def`` function are in the
    thread to which Django takes its database."""
    if inspect.iscoroutinefunction(fn):
        close = sync_to_async(close_old_connections)

        @wraps(fn)
        async def ainner(*args: Any, **kwargs: Any) -> Any:
            if HUEY.immediate:
                return await fn(*args, **kwargs)
            await close()
            try:
                return await fn(*args, **kwargs)
            finally:
                await close()

        return ainner  # type: ignore[return-value]

    @wraps(fn)
    def inner(*args: Any, **kwargs: Any) -> Any:
        if HUEY.immediate:
            return fn(*args, **kwargs)  # the caller's own connection, perhaps in a transaction
        close_old_connections()
        try:
            return fn(*args, **kwargs)
        finally:
            close_old_connections()

    return inner  # type: ignore[return-value]


def db_task(*args: Any, **kwargs: Any) -> Any:
    """``task`` for functions that use Django's databases."""
    return _with_database(HUEY.task, args, kwargs)


def db_periodic_task(*args: Any, **kwargs: Any) -> Any:
    """``periodic_task`` for functions that use Django's databases."""
    return _with_database(HUEY.periodic_task, args, kwargs)


def _with_database(declare: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    def decorator(fn: Callable[..., Any]) -> Any:
        wrapper = declare(*args, **kwargs)(close_db(fn))
        wrapper.call_local = fn
        wrapper.judge_by(fn)
        return wrapper

    if declare == HUEY.task and args and inspect.isfunction(args[0]):
        fn, args = args[0], ()
        return decorator(fn)
    return decorator


def on_commit_task(*args: Any, **kwargs: Any) -> Any:
    """``db_task`` that is enqueued when the transaction of its caller commits, or at once outside
    of one. The handle comes back now; if the transaction rolls back, there is never such a job."""

    def decorator(fn: Callable[..., Any]) -> Any:
        wrapper = HUEY.task(*args, **kwargs)(close_db(fn))
        wrapper.judge_by(fn)

        @wraps(fn)
        def inner(*fn_args: Any, **fn_kwargs: Any) -> Result[Any]:
            job = wrapper.s(*fn_args, **fn_kwargs)
            wrapper.check_call(job.args, job.kwargs)  # after the commit would be too late
            transaction.on_commit(lambda: HUEY.enqueue(job) and None)
            return Result(HUEY, job)

        inner.call_local = fn  # type: ignore[attr-defined]
        inner.task = wrapper  # type: ignore[attr-defined]
        return inner

    return decorator
