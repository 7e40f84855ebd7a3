"""``manage.py run_huey``: run the jobs of a Django project. The options are Huey's."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from django.utils.module_loading import autodiscover_modules

from hueycore.exceptions import HueyException


class Command(BaseCommand):
    help = "Run the jobs of the queue until told to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("-w", "--workers", type=int, metavar="N", help="Jobs at once.")
        add("-k", "--worker-type", metavar="KIND", help="Kind of worker.")
        add("-n", "--no-periodic", dest="periodic", action="store_false", default=None,
            help="Do not run periodic tasks.")  # fmt: skip
        add("-s", "--scheduler-interval", type=int, metavar="S", help="Between two looks.")
        add("-M", "--max-tasks", type=int, metavar="N", help="Replace a worker after so many.")
        add("-t", "--shutdown-timeout", type=float, metavar="S",
            help="How long a stop waits for running jobs.")  # fmt: skip
        add("-g", "--graceful-signal", choices=("INT", "TERM"), help="Only this one stops gently.")
        add("--burst", action="store_true", default=None, help="End when the queue is empty.")
        add("-A", "--disable-autoload", action="store_true",
            help="Do not import the module tasks of each app.")  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        from hueycore.contrib.djhuey import CONSUMER, HUEY

        if not options["disable_autoload"]:
            autodiscover_modules("tasks")
        if HUEY.immediate:
            raise CommandError(
                "the queue is in immediate mode, where calls run their jobs themselves; "
                'set HUEY["immediate"] = False (its default is DEBUG)'
            )
        _set_up_logging(options["verbosity"])
        given = {
            name: options[name]
            for name in (
                "workers", "worker_type", "periodic", "scheduler_interval", "max_tasks",
                "shutdown_timeout", "graceful_signal", "burst",
            )
            if options[name] is not None
        }  # fmt: skip
        try:
            consumer = HUEY.create_consumer(**{**CONSUMER, **given})
            connections.close_all()  # worker processes must not share them
            code = consumer.run()
        except (HueyException, TypeError, ValueError) as error:
            raise CommandError(str(error)) from error
        if consumer.error is not None:
            raise CommandError(str(consumer.error), returncode=code)
        sys.exit(code)


def _set_up_logging(verbosity: int) -> None:
    """Unless the project's LOGGING does."""
    library = logging.getLogger("hueycore")
    if library.hasHandlers():
        return
    library.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("[%(asctime)s] %(levelname)s:%(name)s:%(threadName)s:%(message)s")
    )
    library.addHandler(handler)
