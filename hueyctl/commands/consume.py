"""``hueyctl consume``: run workers. The letters are those of huey_consumer."""

from __future__ import annotations

from typing import Any

import click

from hueyctl import errors, exits
from hueyctl.choosing.params import ADDRESS, DURATION
from hueyctl.command import command
from hueyctl.context import Session

KINDS = ("thread", "process", "greenlet", "asyncio")

#: Our option names and those of ``Huey.create_consumer``; what was not said is not passed, so
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


def _factor_of_a_minute(
    ctx: click.Context, param: click.Parameter, value: int | None
) -> int | None:
    if value is not None and 60 % value:
        raise click.BadParameter(f"{value} is not a factor of 60")
    return value


@command(
    "consume",
    examples=[
        "hueyctl consume app.huey -w 8",
        "hueyctl consume app.huey --burst --max-time 10m --log-format json 2>>worker.jsonl",
        "hueyctl consume app:huey other:huey -w 4 --pidfile worker.pid",
        "hueyctl consume app.huey --preflight -o json",
    ],
    arguments=[("APP", "MODULE:ATTR or MODULE.ATTR, before --app. Several get a process each.")],
    codes=[
        exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG,
        exits.INTERRUPTED, exits.TERMINATED,
    ],
)  # fmt: skip
@click.argument("apps", nargs=-1, metavar="[APP]...")
@click.option(
    "-w", "--workers", type=click.IntRange(1, 1000), metavar="N", help="Workers (the app's, or 1)."
)
@click.option(
    "-k", "--worker-type", type=click.Choice(KINDS), help="Kind of worker (the app's, or thread)."
)
@click.option("-d", "--delay", type=DURATION, metavar="S", help="Shortest pause when idle (0.1).")
@click.option("-m", "--max-delay", type=DURATION, metavar="S", help="Longest pause (10).")
@click.option(
    "-b", "--backoff", type=click.FloatRange(min=1), metavar="F", help="Growth of the pause (1.15)."
)
@click.option(
    "-c",
    "--health-check-interval",
    type=DURATION,
    metavar="S",
    help="Between health checks; a loop this late hangs (10).",
)
@click.option("-C", "--disable-health-check", is_flag=True, help="Do not replace dead workers.")
@click.option(
    "-s", "--scheduler-interval", type=click.IntRange(1, 60), callback=_factor_of_a_minute,
    metavar="S", help="Between looks of the scheduler (1); a factor of 60.",
)  # fmt: skip
@click.option("--periodic/--no-periodic", " /-n", default=None, help="Run periodic tasks (yes).")
@click.option("-f", "--flush-locks", is_flag=True, help="Free all locks at the start.")
@click.option("-L", "--extra-locks", metavar="A,B", help="With -f: free these locks as well.")
@click.option(
    "-M",
    "--max-tasks",
    type=click.IntRange(min=1),
    metavar="N",
    help="Replace a worker after so many.",
)
@click.option(
    "-t", "--shutdown-timeout", type=DURATION, metavar="S", help="How long a stop waits for jobs."
)
@click.option(
    "-g", "--graceful-signal", type=click.Choice(("INT", "TERM")),
    help="Only this signal stops gently, the other one at once (default: both gently).",
)  # fmt: skip
@click.option("-l", "--logfile", metavar="FILE", help="Log here instead of on stderr.")
@click.option("-S", "--simple", is_flag=True, help="Log just the time and the message.")
@click.option(
    "--log-format", type=click.Choice(("text", "json")), default="text", show_default=True,
    help="Lines for people or JSON lines.",
)  # fmt: skip
@click.option("--burst", is_flag=True, help="End when nothing is pending, blocked, running or due.")
@click.option("--max-time", type=DURATION, metavar="DUR", help="End after this long.")
@click.option("--pidfile", metavar="FILE", help="Write the pid here; refuse if it is alive.")
@click.option("--name", metavar="NAME", help="Name of the consumer in listings.")
@click.option("--import", "imports", multiple=True, metavar="MODULE", help="Import this as well.")
@click.option(
    "--http", type=ADDRESS, metavar="HOST:PORT",
    help="Answer /healthz, /readyz and /metrics here; port 0 takes a free one.",
)  # fmt: skip
@click.option("--notify", is_flag=True, help="Tell systemd what it does (sd_notify, watchdog).")
@click.option("--preflight", is_flag=True, help="Import, connect, count tasks; then exit.")
def consume(session: Session, apps: tuple[str, ...], **given: Any) -> int:
    """Run workers for an application until they are told to stop.

    TERM and INT stop gently: running jobs end, the rest stays in the queue. A second signal stops
    at once; what was running is then run again by the next consumer.
    """
    names = apps or ((session.settings.app,) if session.settings.app else ())
    if not names:
        raise errors.usage("say which application", "hueyctl consume MODULE:ATTR")
    if given["worker_type"] not in (None, "thread"):
        raise _comes_later(given["worker_type"])
    if given["extra_locks"] and not given["flush_locks"]:
        raise errors.usage("--extra-locks needs --flush-locks")
    if len(names) > 1 and (given["http"] or given["notify"]):
        option = "--http" if given["http"] else "--notify"
        raise errors.usage(
            f"{option} is about one consumer, and {len(names)} applications get one each",
            "run `hueyctl consume` once for each application",
        )
    if given["preflight"]:
        from hueyctl.running.preflight import preflight

        return preflight(session, names, given["imports"])
    return _run(session, names, given)


def _comes_later(kind: str) -> errors.CliError:
    return errors.CliError(
        f"workers of kind {kind} come with a later release", exits.UNAVAILABLE, "use -k thread"
    )


def _run(session: Session, names: tuple[str, ...], given: dict[str, Any]) -> int:
    from hueyctl.running.pidfile import Pidfile

    pidfile = Pidfile(given["pidfile"]) if given["pidfile"] else None
    if pidfile is not None:
        pidfile.take()
    try:
        if len(names) == 1:
            return _consume_one(session, names[0], given)
        from hueyctl.running.several import Children

        return Children(names, lambda name: _consume_one(session, name, given)).run()
    finally:
        if pidfile is not None:
            pidfile.drop()


def _consume_one(session: Session, name: str, given: dict[str, Any]) -> int:
    huey = session.app_to_write(name)
    import_more(session, given["imports"])
    kind = given["worker_type"] or huey.consumer_defaults.get("worker_type") or "thread"
    if kind != "thread":
        raise _comes_later(str(kind))
    from hueyctl.running import logs
    from hueyctl.running.watching import watched

    logs.set_up(
        logfile=given["logfile"],
        log_format=given["log_format"],
        simple=given["simple"],
        quiet=session.settings.quiet,
        verbose=session.settings.verbose,
        kept=huey.registry.kept_level(),
    )
    consumer = huey.create_consumer(**consumer_options(given))
    with watched(consumer, http=given["http"], notify=given["notify"]):
        code = consumer.run()
    if consumer.error is not None:
        raise consumer.error
    return code


def consumer_options(given: dict[str, Any]) -> dict[str, Any]:
    """The options of ``create_consumer`` that were said."""
    options = {
        theirs: given[ours]
        for ours, theirs in _PASSED.items()
        if given[ours] is not None and given[ours] is not False
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
    from hueyctl.finding.apps import import_module_of_app

    for module in modules:
        import_module_of_app(module, session.settings.app_dir)
