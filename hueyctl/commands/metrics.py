"""``hueyctl metrics``: figures for Prometheus, on stdout or in a file for node_exporter."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from hueyctl import exits, files, streams
from hueyctl.command import command
from hueyctl.context import Session

if TYPE_CHECKING:
    from hueycore.exceptions import StorageError


@command(
    "metrics",
    examples=[
        "hueyctl metrics",
        "hueyctl metrics | promtool check metrics",
        "hueyctl metrics --textfile /var/lib/node_exporter/huey.prom",
    ],
    codes=[exits.NOT_FOUND, exits.REFUSED, exits.UNAVAILABLE, exits.IO_ERROR, exits.CONFIG],
)
@click.option(
    "--textfile",
    metavar="PATH",
    help="Write this file, by rename, so that its reader never sees half of it.",
)
@click.option("--openmetrics", is_flag=True, help="Write OpenMetrics instead.")
def metrics(session: Session, textfile: str | None, openmetrics: bool) -> None:
    """Print figures in the text format of Prometheus.

    hueyctl_jobs, hueyctl_oldest_pending_seconds, hueyctl_workers and others are as they are now;
    hueyctl_runs_total, hueyctl_run_seconds and hueyctl_wait_seconds only grow, also when jobs are
    purged. When the storage cannot be read, all that is left is hueyctl_storage_up 0.
    """
    from hueycore.exceptions import StorageError
    from hueyctl.answers import prometheus
    from hueyctl.errors import CliError

    if textfile is not None:
        files.refuse_queue("--textfile", textfile)
    trouble: StorageError | CliError | None = None
    try:
        storage = session.looking()
        text = prometheus.render(storage, session.check_queues(storage))
    except (StorageError, CliError) as error:
        if isinstance(error, CliError) and error.code != exits.UNAVAILABLE:
            raise
        text, trouble = prometheus.DOWN, error
    if openmetrics:
        text = prometheus.openmetrics(text)
    if textfile is not None:
        replace(textfile, text)
    else:
        # Names of tasks are anybody's text: a terminal gets them spelled out.
        session.output.write(streams.visible_lines(text) if session.output.on_tty else text)
    if trouble is not None:
        raise trouble


def replace(path: str, text: str) -> None:
    """Put a whole file in the place of another; on failure the old one stays."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # of a process of this number that was killed
        # Exclusively: nobody's link in a shared folder is followed.
        with open(temporary, "x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except BaseException:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
