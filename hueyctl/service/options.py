"""How a consumer is to run: options of ``consume``, and of ``scaffold``, which passes them on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hueyctl.selection.params import ADDRESS, DURATION, Integer

if TYPE_CHECKING:
    from hueyctl.context import Session

F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("thread", "process", "greenlet", "asyncio")


def _factor_of_a_minute(
    ctx: click.Context, param: click.Parameter, value: int | None
) -> int | None:
    if value is not None and 60 % value:
        raise click.BadParameter(f"{value} is not a factor of 60")
    return value


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-w",
        "--workers",
        type=Integer(0, 4096),
        metavar="N",
        help="Workers (the app's, or 1); 0 only schedules.",
    ),
    click.option(
        "-k",
        "--worker-type",
        type=click.Choice(KINDS),
        help="Kind of worker (the app's, or thread).",
    ),
    click.option(
        "-c",
        "--health-check-interval",
        type=DURATION,
        metavar="S",
        help="Between health checks; a loop this late hangs (10).",
    ),
    click.option(
        "-s",
        "--scheduler-interval",
        type=Integer(1, 60),
        callback=_factor_of_a_minute,
        metavar="S",
        help="Between looks of the scheduler (1); a factor of 60.",
    ),
    click.option(
        "--periodic/--no-periodic", " /-n", default=None, help="Run periodic tasks (yes)."
    ),
    click.option(
        "-M",
        "--max-tasks",
        type=Integer(min=0),
        metavar="N",
        help="Replace a worker after so many; 0 never.",
    ),
    click.option(
        "-t",
        "--shutdown-timeout",
        type=DURATION,
        metavar="S",
        help="How long a stop waits for jobs.",
    ),
    click.option(
        "-g",
        "--graceful-signal",
        type=click.Choice(("INT", "TERM")),
        help="Only this signal stops gently, the other one at once (default: both gently).",
    ),
    click.option("-S", "--simple", is_flag=True, help="Log just the time and the message."),
    click.option(
        "--log-format",
        type=click.Choice(("text", "json")),
        default="text",
        show_default=True,
        help="Lines for people or JSON lines.",
    ),
    click.option("--max-time", type=DURATION, metavar="DUR", help="End after this long."),
    click.option("--name", metavar="NAME", help="Name of the consumer in listings."),
    click.option(
        "--import", "imports", multiple=True, metavar="MODULE", help="Import this as well."
    ),
    click.option(
        "--http",
        type=ADDRESS,
        metavar="HOST:PORT",
        help="Answer /healthz, /readyz and /metrics here; port 0 takes a free one.",
    ),
)


def running_options(function: F) -> F:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


#: The names of options and those of ``Huey.create_consumer``. What was not said is not passed, so
#: that the application's own defaults stand.
_PASSED = {
    "workers": "workers",
    "worker_type": "worker_type",
    "delay": "initial_delay",
    "max_delay": "max_delay",
    "backoff": "backoff",
    "health_check_interval": "health_check_interval",
    "scheduler_interval": "scheduler_interval",
    "periodic": "periodic",
    "max_tasks": "max_tasks",
    "shutdown_timeout": "shutdown_timeout",
    "name": "name",
    "burst": "burst",
    "max_time": "max_time",
}


def consumer_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options of ``create_consumer`` that were said."""
    options = {
        parameter: given[option]
        for option, parameter in _PASSED.items()
        if given[option] is not None and given[option] is not False
    }
    if given["periodic"] is False:
        options["periodic"] = False
    if given["disable_health_check"]:
        options["check_worker_health"] = False
    if given["flush_locks"]:
        options["flush_locks"] = True
    if given["extra_locks"]:
        options["extra_locks"] = given["extra_locks"]
    if given["graceful_signal"]:
        options["graceful_signal"] = given["graceful_signal"]
    return options


def import_more(session: Session, modules: tuple[str, ...]) -> None:
    """``--import``: modules that register tasks when they are imported."""
    from hueyctl.apps import import_module_of_app

    for module in modules:
        import_module_of_app(module, session.settings.app_dir)
