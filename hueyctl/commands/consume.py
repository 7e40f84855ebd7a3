"""``hueyctl consume``: run workers. The letters are those of huey_consumer."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import DURATION, NumberRange
from hueyctl.service.options import consumer_options, import_more, running_options

if TYPE_CHECKING:
    from hueyctl.service.channel import Channel

#: The number of the first process of a container. It inherits all orphans and has to reap them, so
#: the consumer, whose jobs wait for children of their own, is another one.
INIT = 1


@command(
    "consume",
    examples=[
        "hueyctl consume app.huey -w 8",
        "hueyctl consume app.huey -w 4 -k process --max-tasks 1000",
        "hueyctl consume app.huey -w 8 --http 127.0.0.1:9808",
        "hueyctl consume app.huey -w 500 -k greenlet",
        "hueyctl consume app.huey --burst --max-time 10m --log-format json 2>>worker.jsonl",
        "hueyctl consume app:huey other:huey -w 4 --pidfile worker.pid",
        "hueyctl consume app.huey --reload",
        "hueyctl consume app.huey --preflight -o json",
    ],
    arguments=[("APP", "MODULE:ATTR or MODULE.ATTR, before --app. Several get a process each.")],
    codes=[
        exits.FAILURE,
        exits.REFUSED,
        exits.UNAVAILABLE,
        exits.IO_ERROR,
        exits.CONFIG,
        exits.INTERRUPTED,
        exits.TERMINATED,
    ],
)
@click.argument("apps", nargs=-1, metavar="[APP]...")
@running_options
@click.option("-d", "--delay", type=DURATION, metavar="S", help="Shortest pause when idle (0.1).")
@click.option("-m", "--max-delay", type=DURATION, metavar="S", help="Longest pause (10).")
@click.option(
    "-b", "--backoff", type=NumberRange(min=1), metavar="F", help="Growth of the pause (1.15)."
)
@click.option("-C", "--disable-health-check", is_flag=True, help="Do not replace dead workers.")
@click.option("-f", "--flush-locks", is_flag=True, help="Free all locks at the start.")
@click.option("-L", "--extra-locks", metavar="A,B", help="Free these locks as well, as -f does.")
@click.option("-l", "--logfile", metavar="FILE", help="Log here instead of on stderr.")
@click.option("--burst", is_flag=True, help="End when nothing is pending, blocked, running or due.")
@click.option("--pidfile", metavar="FILE", help="Write the pid here; refuse if it is alive.")
@click.option("--notify", is_flag=True, help="Tell systemd what it does (sd_notify, watchdog).")
@click.option(
    "--reload", is_flag=True, help="For development: start anew when a .py file here has changed."
)
@click.option("--preflight", is_flag=True, help="Import, connect, count tasks; then exit.")
def consume(session: Session, apps: tuple[str, ...], **given: Any) -> int:
    """Run workers for an application until they are told to stop.

    TERM and INT stop gently: running jobs end, the rest stays in the queue. A second signal stops
    at once; what was running is then run again by the next consumer.

    Workers of kind thread suit most queues; process those whose jobs compute, or must be killed
    when they do not end. For hundreds of jobs that wait at the same time there are greenlet (plain
    tasks; gevent patches before the application is imported) and asyncio (async tasks).

    --reload watches the folder of the application (--app-dir, or this one) and starts the consumer
    anew when a Python file in it changes: running jobs end before. An application that cannot be
    imported is tried again after the next change.
    """
    names = apps or ((session.settings.app,) if session.settings.app else ())
    if not names:
        raise errors.usage("say which application", "hueyctl consume MODULE:ATTR")
    if given["preflight"]:
        if given["worker_type"] == "greenlet":
            patch()
        from hueyctl.service.preflight import preflight

        return preflight(session, names, given)
    if given["reload"]:
        from hueyctl.service import reloader

        if not reloader.is_child():
            return _reload(session, given)
    return _run(session, names, given)


def _reload(session: Session, given: dict[str, Any]) -> int:
    import signal

    from hueyctl.service.reloader import Reloader

    folder = os.path.abspath(session.settings.app_dir or os.getcwd())
    if not os.path.isdir(folder):
        raise errors.CliError(f"--app-dir {folder}: no such directory", exits.CONFIG)
    gentle = signal.SIGINT if given["graceful_signal"] == "INT" else signal.SIGTERM
    return Reloader(folder, gentle).run()


def _run(session: Session, names: tuple[str, ...], given: dict[str, Any]) -> int:
    from hueyctl.service.pidfile import Pidfile

    pidfile = Pidfile(given["pidfile"]) if given["pidfile"] else None
    if pidfile is not None:
        pidfile.take()
    try:
        alone = len(names) == 1
        if alone and os.getpid() != INIT:
            return _consume_one(session, names[0], given)
        from hueyctl.service.children import Children

        return Children(
            names,
            lambda name, channel: _consume_one(session, name, given, channel),
            http=None if alone else given["http"],
            notify=not alone and given["notify"],
        ).run()
    finally:
        if pidfile is not None:
            pidfile.drop()


def _consume_one(
    session: Session, name: str, given: dict[str, Any], channel: Channel | None = None
) -> int:
    if given["worker_type"] == "greenlet":
        patch()
    huey = session.app_to_write(name)
    import_more(session, given["imports"])
    from hueyctl import files
    from hueyctl.service import logs
    from hueyctl.service.monitors import monitored

    log = logs.set_up(
        huey,
        logfile=given["logfile"],
        log_format=given["log_format"],
        simple=given["simple"],
        quiet=session.settings.quiet,
        verbose=session.settings.verbose,
    )
    with closing(log):
        missing = files.missing(huey)
        consumer = huey.create_consumer(**consumer_options(given))
        with monitored(consumer, http=given["http"], notify=given["notify"], channel=channel):
            logs.tell_of_file(huey, missing)
            code = consumer.run()
    if consumer.error is not None:
        raise consumer.error
    return code


def patch() -> None:
    """For greenlets, before the application is imported: what it imports then is patched."""
    try:
        from gevent import monkey
    except ImportError:
        raise errors.CliError(
            "greenlet workers need gevent", exits.CONFIG, "pip install 'hueyctl[greenlet]'"
        ) from None
    monkey.patch_all()
