"""Hooks and receivers whose call would run nothing of them."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest

from hueycore import ConfigurationError, Huey
from hueycore.consumer.workers.worker import call_hooks
from tests.helpers import run_one

WAYS = ["signal", "pre_execute", "post_execute", "on_startup", "on_shutdown"]


async def coroutine(*args: Any) -> None: ...


async def stream(*args: Any) -> Any:
    yield


def generator(*args: Any) -> Any:
    yield


class Called:
    async def __call__(self, *args: Any) -> None: ...


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", [coroutine, stream, generator, partial(coroutine), Called()])
def test_an_async_function_or_a_generator_is_refused(huey: Huey, way: str, hook: Any) -> None:
    with pytest.raises(ConfigurationError, match="plain functions"):
        getattr(huey, way)()(hook)
    with pytest.raises(ConfigurationError, match="plain functions"):
        huey.signal("complete", hook)


def test_a_coroutine_that_a_hook_returns_is_logged_as_its_failure(
    huey: Huey, caplog: pytest.LogCaptureFixture
) -> None:
    hook = lambda *args: coroutine()  # noqa: E731
    for way in WAYS:
        getattr(huey, way)(*[] if way == "signal" else [way])(hook)

    @huey.task()
    def work() -> int:
        return 3

    with caplog.at_level(logging.ERROR):
        handle = work()
        run_one(huey)
        call_hooks("startup", huey.startup_hooks.items())
        call_hooks("shutdown", huey.shutdown_hooks.items())

    assert handle.get() == 3
    failures = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    # The signals are enqueued, executing and complete.
    assert failures == ["it returned a coroutine: nothing of it has run"] * 7
