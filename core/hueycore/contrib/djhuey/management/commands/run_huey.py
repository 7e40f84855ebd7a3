"""``manage.py run_huey``: run the jobs of a Django project. The options are those of ``hueyctl
consume``, and its parts are used here: a command of Django's is a command line as well."""

from __future__ import annotations

import logging
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.utils.module_loading import autodiscover_modules

from hueycore.constants import WORKER_GREENLET
from hueycore.exceptions import HueyException
from hueycore.system import native
from hueycore.system.mask import masked
from hueyctl import files
from hueyctl.errors import CliError
from hueyctl.selection.params import ADDRESS, DURATION
from hueyctl.service import logs
from hueyctl.service.monitors import monitored
from hueyctl.service.options import KINDS
from hueyctl.service.pidfile import Pidfile

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueyctl.service.channel import Channel

#: The options that are those of ``create_consumer``, by the same names.
_PASSED = (
    "workers",
    "worker_type",
    "initial_delay",
    "max_delay",
    "backoff",
    "check_worker_health",
    "health_check_interval",
    "periodic",
    "scheduler_interval",
    "max_tasks",
    "shutdown_timeout",
    "graceful_signal",
    "flush_locks",
    "extra_locks",
    "name",
    "burst",
    "max_time",
)


def _as(kind: click.ParamType[Any]) -> Callable[[str], Any]:
    """A type of hueyctl's options for those of Django."""

    def convert(text: str) -> Any:
        try:
            return kind.convert(text, None, None)
        except click.UsageError as error:
            raise ArgumentTypeError(error.message) from None

    return convert


class Command(BaseCommand):
    help = "Run the jobs of the queue until told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        add, seconds = parser.add_argument, _as(DURATION)
        add("-w", "--workers", type=int, metavar="N", help="Jobs at once; 0 only schedules.")
        add("-k", "--worker-type", choices=KINDS, help="Kind of workers.")
        add(
            "-n",
            "--no-periodic",
            dest="periodic",
            action="store_false",
            default=None,
            help="Do not run periodic tasks.",
        )
        add("-s", "--scheduler-interval", type=int, metavar="S", help="Between two looks.")
        add(
            "-d",
            "--delay",
            dest="initial_delay",
            type=seconds,
            metavar="S",
            help="Huey's; workers are woken.",
        )
        add("-m", "--max-delay", type=seconds, metavar="S", help="Huey's; workers are woken.")
        add("-b", "--backoff", type=float, metavar="F", help="Huey's; workers are woken.")
        add(
            "-c",
            "--health-check-interval",
            type=seconds,
            metavar="S",
            help="Between health checks; a loop this late hangs.",
        )
        add(
            "-C",
            "--disable-health-check",
            dest="check_worker_health",
            action="store_false",
            default=None,
            help="Do not replace dead workers.",
        )
        add(
            "-f",
            "--flush-locks",
            action="store_true",
            default=None,
            help="Free all locks at the start.",
        )
        add("-L", "--extra-locks", metavar="A,B", help="Free these locks as well, as -f does.")
        add("-M", "--max-tasks", type=int, metavar="N", help="Replace a worker after so many.")
        add(
            "-t",
            "--shutdown-timeout",
            type=seconds,
            metavar="S",
            help="How long a stop waits for running jobs.",
        )
        add("-g", "--graceful-signal", choices=("INT", "TERM"), help="Only this one stops gently.")
        add("--burst", action="store_true", default=None, help="End when the queue is empty.")
        add("--max-time", type=seconds, metavar="DUR", help="End after this long.")
        add(
            "--queue",
            dest="queues",
            action="append",
            metavar="NAME",
            help="Only this queue; several may be given. Each has a process of its own.",
        )
        add("--name", help="Name of the consumer in listings.")
        add("--pidfile", metavar="FILE", help="Write the pid here; refuse if it is alive.")
        add(
            "--http",
            type=_as(ADDRESS),
            metavar="HOST:PORT",
            help="Answer /healthz, /readyz and /metrics here.",
        )
        add("--notify", action="store_true", help="Tell systemd what it does.")
        add("-l", "--logfile", metavar="FILE", help="Log here instead of on stderr.")
        add("-S", "--simple", action="store_true", help="Log just the time and the message.")
        add("--log-format", choices=("text", "json"), help="Lines for people or JSON lines.")
        add(
            "-V",
            "--huey-verbose",
            dest="verbose",
            action="store_true",
            default=None,
            help="Log more; -v is Django's.",
        )
        add("-q", "--quiet", dest="verbose", action="store_false", help="Log only warnings.")
        add(
            "-A",
            "--disable-autoload",
            action="store_true",
            help="Do not import the module tasks of each app.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from hueycore.contrib.djhuey import CONSUMER, HUEY
        from hueycore.contrib.djhuey.configuration import FOR_LOGGING

        if not options["disable_autoload"]:
            autodiscover_modules("tasks")
        if HUEY.immediate:
            raise CommandError(
                "the queue is in immediate mode, where calls run their jobs themselves; "
                'set HUEY["immediate"] = False (its default is DEBUG)'
            )
        given = {name: options[name] for name in _PASSED if options[name] is not None}
        chosen = {**CONSUMER, **given}
        log = _log_options(options, {name: chosen.pop(name, None) for name in FOR_LOGGING})
        _refuse_late_patching({**HUEY.consumer_defaults, **chosen}.get("worker_type"))
        hueys = _queues(options["queues"])
        try:
            with ExitStack() as stack:
                if options["pidfile"]:
                    pidfile = Pidfile(options["pidfile"])
                    pidfile.take()
                    stack.callback(pidfile.drop)
                connections.close_all()  # worker processes must not share them
                if len(hueys) == 1:
                    (huey,) = hueys.values()
                    code = _consume(huey, chosen, log, options)
                else:
                    code = _consume_all(hueys, chosen, log, options)
        except CliError as error:
            hint = f"\nhint: {error.hint}" if error.hint else ""
            raise CommandError(masked(f"{error}{hint}"), returncode=error.code) from error
        except (HueyException, TypeError, ValueError) as error:
            raise CommandError(masked(str(error))) from error
        sys.exit(code)


def _queues(names: list[str] | None) -> dict[str, Huey]:
    """The queues of these names; of none that of the settings, and those that ``TASKS`` names."""
    from hueycore.contrib.djhuey.queues import DEFAULT, huey_of

    chosen = names or [DEFAULT, *_queues_of_tasks()]
    return {huey.name: huey for huey in map(huey_of, chosen)}


def _queues_of_tasks() -> list[str]:
    if not getattr(settings, "TASKS", None):
        return []
    try:
        from hueycore.contrib.djhuey.framework import task_backends
    except ImportError:
        return []
    made = task_backends.all()
    # Not imported here: it hears of each job from then on, and a backend of ours has done so.
    module = sys.modules.get("hueycore.contrib.djhuey.tasks")
    ours = [one for one in made if module is not None and isinstance(one, module.HueyBackend)]
    return sorted({name for backend in ours for name in backend.queues})


def _consume(
    huey: Huey,
    chosen: dict[str, Any],
    log: dict[str, Any],
    options: dict[str, Any],
    channel: Channel | None = None,
) -> int:
    """Run a consumer to its end. Raises what has stopped it."""
    from hueycore.contrib.djhuey import HUEY

    if huey is not HUEY:
        chosen = {**chosen, "periodic": False}  # they would fire once in each queue
    with _set_up_logging(huey, log):
        missing = files.missing(huey)
        consumer = huey.create_consumer(**chosen)
        http, notify = options["http"], options["notify"]
        with monitored(consumer, http=http, notify=notify, channel=channel):
            logs.tell_of_file(huey, missing)
            code = consumer.run()
    if consumer.error is not None:
        raise consumer.error
    return code


def _consume_all(
    hueys: dict[str, Huey], chosen: dict[str, Any], log: dict[str, Any], options: dict[str, Any]
) -> int:
    """A process for each queue."""
    # Imported here: most projects have one queue.
    from hueyctl.service.children import Children

    own = {**options, "http": None, "notify": False}  # the parent answers for all

    def work(name: str, channel: Channel | None) -> int:
        return _consume(hueys[name], chosen, log, own, channel)

    http, notify = options["http"], options["notify"]
    return Children(list(hueys), work, http=http, notify=notify).run()


def _refuse_late_patching(kind: str | None) -> None:
    """By now Django is loaded, and with it most of what gevent would have to replace."""
    if kind == WORKER_GREENLET and not native.is_patched() and find_spec("gevent"):
        raise CommandError(
            "greenlet workers need gevent to patch before Django is loaded: "
            "run python -m gevent.monkey manage.py run_huey -k greenlet"
        )


def _log_options(options: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What the command line says of the log, else what the settings do."""
    verbose = settings["verbose"] if options["verbose"] is None else options["verbose"]
    if verbose is None and options["verbosity"] != 1:
        verbose = options["verbosity"] > 1
    return {
        "logfile": options["logfile"] or settings["logfile"],
        "log_format": options["log_format"],
        "simple": options["simple"] or bool(settings["simple_log"]),
        "verbose": verbose,
        "level": settings["loglevel"] if verbose is None else None,
    }


def _set_up_logging(huey: Huey, log: dict[str, Any]) -> AbstractContextManager[object]:
    """Unless the project's LOGGING does, and no option says how. To be left at the end."""
    context: AbstractContextManager[object] = nullcontext()
    library = logging.getLogger("hueycore")
    if not library.hasHandlers() or log["logfile"] or log["log_format"] or log["simple"]:
        handler = logs.set_up(
            huey,
            logfile=log["logfile"],
            log_format=log["log_format"] or "text",
            simple=log["simple"],
            quiet=log["verbose"] is False,
            verbose=log["verbose"] is True,
        )
        context = closing(handler)
    elif log["verbose"] is not None:
        library.setLevel(logging.DEBUG if log["verbose"] else logging.WARNING)
    if log["level"] is not None:
        library.setLevel(log["level"])
    return context
