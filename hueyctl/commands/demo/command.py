"""``hueyctl demo``: nothing is lost, shown and not claimed."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import click

from hueyctl import errors, exits, streams
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.selection.params import POSITIVE, Integer

if TYPE_CHECKING:
    from hueyctl.commands.demo.account import Account
    from hueyctl.commands.demo.demonstration import Frame


@command(
    "demo",
    examples=[
        "hueyctl demo",
        "hueyctl demo --count 20000 --seconds 10 --db demo.db --keep",
    ],
    codes=[exits.FAILURE, exits.REFUSED, exits.UNAVAILABLE, exits.INTERRUPTED],
)
@click.option(
    "--count",
    type=Integer(50, 1_000_000),
    default=2000,
    show_default=True,
    metavar="N",
    help="Jobs to queue.",
)
@click.option(
    "--seconds",
    type=POSITIVE,
    default=8.0,
    show_default=True,
    metavar="S",
    help="How long it is about to take.",
)
@click.option("--db", metavar="FILE", help="Use this new file instead of a temporary one.")
@click.option("--keep", is_flag=True, help="Leave the file behind, to look at it.")
def demo(session: Session, count: int, seconds: float, db: str | None, keep: bool) -> int:
    """Queue a mixed load, run a consumer, kill it with -9, start another, and count.

    The load has fast and slow jobs, some that fail and are retried, some that fail for good, some
    for later and a periodic task. In the end every job is accounted for.
    """
    from hueyctl.commands.demo.demonstration import Demonstration

    if db is not None and os.path.exists(db):
        raise errors.CliError(f"{db} exists already", exits.REFUSED, "name a new file with --db")
    folder = tempfile.mkdtemp(prefix="hueyctl-demo-")
    path = os.path.abspath(db) if db else os.path.join(folder, "demo.db")
    keep_folder = False
    try:
        with _terminated_cleanly(), _view(session) as show:
            account = Demonstration(path, folder, count, seconds).run(show)
        if keep:
            session.notice(f"created {path}")
        _print_account(session, account, path if keep else None)
        keep_folder = keep and db is None
        return exits.OK if account.lost == 0 and account.wrong == 0 else exits.FAILURE
    finally:
        if not keep_folder:
            shutil.rmtree(folder, ignore_errors=True)
        if db is not None and not keep:
            _remove(path)


def _remove(path: str) -> None:
    for suffix in ("", "-wal", "-shm", "-huey"):
        try:
            os.unlink(path + suffix)
        except OSError:
            continue


@contextmanager
def _terminated_cleanly() -> Iterator[None]:
    """SIGTERM leaves through the finally clauses: the terminal and the consumer matter."""

    def leave(number: int, frame: Any) -> NoReturn:
        raise SystemExit(exits.TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _view(session: Session) -> Iterator[Any]:
    """How the run is shown: nothing for JSON, live on a terminal, else a line per second."""
    if session.output.is_json or session.settings.quiet:
        yield lambda frame: None
    elif session.output.on_tty and os.environ.get("TERM") != "dumb":
        from hueyctl.commands.demo.screen import live_view

        with live_view(session.output.colour) as show:
            yield show
    else:
        yield _Lines(session)


class _Lines:
    """A line per second, and one per event."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.second = -1

    def __call__(self, frame: Frame) -> None:
        if frame.event:
            self.session.output.line(f"{frame.at:5.1f}s  *** {frame.event}")
        if int(frame.at) != self.second:
            self.second = int(frame.at)
            counts = "  ".join(f"{state} {number}" for state, number in frame.counts.items())
            self.session.output.line(
                f"{frame.at:5.1f}s  {counts}  in/s {frame.in_s:.0f}  out/s {frame.out_s:.0f}"
            )


def _print_account(session: Session, account: Account, kept: str | None) -> None:
    output = session.output
    if output.is_json:
        output.document({"schema": "hueyctl.demo/1", **account._asdict(), "db": kept})
        return
    rows = (
        ("queued", account.queued, ""),
        ("done", account.done, "every result read back and checked"),
        ("dead", account.dead, "meant to fail; kept with arguments and errors"),
        ("lost", account.lost, "queued - done - dead"),
        ("run again", account.interrupted, "were running when the consumer was killed"),
        ("retried", account.retried, "needed more than one attempt"),
        ("ticks", account.ticks, "runs of the periodic task"),
    )
    from hueyctl.output.prose import wrapped

    width = streams.terminal_size()[0] if output.on_screen else 80
    output.line("")
    for name, number, note in rows:
        for line in wrapped(note, width, "      ", f"  {name:<10}{number:>8,}   "):
            output.line(line.rstrip())
    good = account.lost == 0 and account.wrong == 0
    if good:
        output.line(f"\nNothing was lost. ({account.seconds:.1f} s)")
    else:
        output.line(f"\n{account.lost} jobs are lost, {account.wrong} ended wrongly: a bug.")
    output.line("\nTry:")
    for line in _suggestions(kept):
        output.line(f"  {line}")


def _suggestions(kept: str | None) -> list[str]:
    if kept is None:
        return [
            "hueyctl demo --db demo.db --keep",
            "hueyctl list -u demo.db --state dead",
            "hueyctl depth -u demo.db --by state --state all",
        ]
    import shlex

    name = shlex.quote(os.path.relpath(kept) if os.path.dirname(kept) == os.getcwd() else kept)
    return [
        f"hueyctl list -u {name} --state dead",
        f"hueyctl list -u {name} -a --where 'crashes > 0'",
        f"hueyctl depth -u {name} --by state --state all",
    ]
