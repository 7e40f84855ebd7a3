"""The options that say which jobs, shared by every command that has a choice of jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hueyctl import errors, streams
from hueyctl.answers.jobs import COLUMNS
from hueyctl.selection import filters
from hueyctl.selection.params import DURATION, RANGE

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, Selector
    from hueycore.storage.base import Storage

F = TypeVar("F", bound=Callable[..., Any])

STATES = ("scheduled", "pending", "blocked", "running", "done", "dead", "revoked", "expired")
_PAGE = 2000


def _complete_state(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (*STATES, "all") if name.startswith(incomplete)]


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--state",
        "state",
        multiple=True,
        metavar="STATE",
        shell_complete=_complete_state,
        help="Only this state; repeatable, or several with commas; all for all.",
    ),
    click.option("--task", metavar="GLOB", help="Only tasks whose name matches, like 'mail.*'."),
    click.option(
        "--where",
        multiple=True,
        metavar="EXPR",
        help="FIELD OP VALUE with = != < > <= >= or ~ (contains), like 'attempt > 1', "
        "'kwargs.user = 7', 'error.type = TimeoutError'; repeatable.",
    ),
    click.option("--older-than", type=DURATION, metavar="DUR", help="In this state for longer."),
    click.option("--newer-than", type=DURATION, metavar="DUR", help="In this state for less."),
    click.option("--priority", type=RANGE, metavar="N..M", help="Only these priorities."),
    click.option(
        "-n", "--limit", type=click.IntRange(min=0), metavar="N", help="At most N; 0 for no limit."
    ),
    click.option(
        "--sort", metavar="[-]COLUMN", help="Order by a column, -COLUMN for the largest first."
    ),
    click.option("-a", "--all", "all_", is_flag=True, allow_from_autoenv=False, help="All states."),
    click.option("--utc", is_flag=True, help="Times without an offset are UTC, not local."),
    click.argument("ids", nargs=-1, metavar="[ID]..."),
)

ID_HELP = ("ID", "The number or the long id of a job; - reads them from stdin, one per line.")


def selector_options(function: F) -> F:
    """Add the options; the command gets them as one ``choice`` argument."""
    return selecting()(function)


def selecting(*, leave_out: Sequence[str] = (), all_help: str | None = None) -> Callable[[F], F]:
    """``selector_options`` without those that a command uses for something else; ``all_help`` says
    what --all means to it."""

    def decorate(function: F) -> F:
        def collect(*args: Any, **kwargs: Any) -> Any:
            # What was left out belongs to the command.
            values: dict[str, Any] = dict.fromkeys(leave_out)
            values |= {n: kwargs.pop(n) for n in Choice.FIELDS if n not in leave_out}
            return function(*args, choice=Choice(**values), **kwargs)

        collect.__doc__, collect.__name__ = function.__doc__, function.__name__
        collect.__dict__.update(function.__dict__)
        for option in reversed(_OPTIONS):
            collect = option(collect)
            params: list[click.Parameter] = collect.__click_params__  # type: ignore[attr-defined]
            if params[-1].name in leave_out:
                params.pop()
            elif all_help and isinstance(params[-1], click.Option) and params[-1].name == "all_":
                params[-1].help = all_help
        return collect  # type: ignore[return-value]

    return decorate


@dataclass(slots=True)
class Choice:
    """What the options said, not yet looked at."""

    FIELDS = (
        "ids", "state", "task", "where", "older_than", "newer_than", "priority", "limit", "sort",
        "all_", "utc",
    )  # fmt: skip

    ids: tuple[str, ...]
    state: tuple[str, ...]
    task: str | None
    where: tuple[str, ...]
    older_than: float | None
    newer_than: float | None
    priority: tuple[float | None, float | None] | None
    limit: int | None
    sort: str | None
    all_: bool
    utc: bool

    @property
    def narrows(self) -> bool:
        """Whether anything says which jobs, besides the queue."""
        return bool(
            self.ids or self.state or self.task or self.where or self.all_ or self.priority
            or self.older_than is not None or self.newer_than is not None
        )  # fmt: skip

    def selection(
        self,
        queues: Sequence[str],
        *,
        states: Sequence[str] = (),
        sort: str = "seq",
        limit: int | None = None,
    ) -> Selection:
        """The jobs that are meant. ``states``, ``sort`` and ``limit`` stand where nothing was
        said; ids and ``--all`` mean every state."""
        from hueycore.model.jobs import Selector
        from hueycore.model.states import State

        now = time.time()
        chosen = _states(self.state) if self.state else tuple(states)
        if self.all_ or (self.ids and not self.state):
            chosen = ()
        columns, deep = [], []
        for expression in self.where:
            parsed = filters.parse(expression, now, utc=self.utc)
            if isinstance(parsed, filters.Deep):
                deep.append(parsed)
            else:
                columns.append(parsed)
        selector = Selector(
            queues=tuple(queues),
            states=tuple(State(name) for name in chosen),
            keys=read_ids(self.ids),
            task=self.task,
            older_than=None if self.older_than is None else now - self.older_than,
            newer_than=None if self.newer_than is None else now - self.newer_than,
            priority=self.priority or (None, None),
            where=tuple(columns),
            sort=_sort(self.sort) if self.sort else sort,
        )
        most = limit if self.limit is None else (self.limit or None)
        return Selection(
            selector, tuple(deep), most, impossible=bool(self.ids) and not selector.keys
        )


@dataclass(slots=True)
class Selection:
    """A selector of the storage, and the conditions that only we can check."""

    selector: Selector
    deep: tuple[filters.Deep, ...]
    limit: int | None
    #: ``-`` was given and stdin held no id.
    impossible: bool = False
    undecodable: int = 0

    def jobs(self, storage: Storage) -> Iterator[Job]:
        """The jobs in order, read page by page where the order allows it."""
        if self.impossible:
            return
        left = self.limit
        for job in self._candidates(storage):
            if self.deep and not self.matches(
                job, storage.payload(job.seq) if self.needs_payload else None
            ):
                continue
            yield job
            if left is not None:
                left -= 1
                if left == 0:
                    return

    def count(self, storage: Storage) -> int:
        """How many match, whatever the limit."""
        if self.impossible:
            return 0
        if not self.deep:
            return storage.count(self.selector)
        unlimited = replace(self, limit=None)
        total = sum(1 for _ in unlimited.jobs(storage))
        self.undecodable = unlimited.undecodable
        return total

    def _candidates(self, storage: Storage) -> Iterable[Job]:
        limit = None if self.deep else self.limit
        if self.selector.sort != "seq":
            yield from storage.jobs(self.selector._replace(limit=limit))
            return
        after = self.selector.after
        while True:
            size = _PAGE if limit is None else min(_PAGE, limit)
            page = storage.jobs(self.selector._replace(limit=size, after=after))
            yield from page
            if len(page) < size:
                return
            after = page[-1].seq
            if limit is not None:
                limit -= len(page)
                if limit == 0:
                    return

    @property
    def needs_payload(self) -> bool:
        return any(condition.needs_payload for condition in self.deep)

    def matches(self, job: Job, payload: bytes | None) -> bool:
        """Whether a job that the selector found meets the deep conditions as well."""
        arguments = None
        if self.needs_payload:
            from hueyctl.answers.payloads import decode_arguments

            arguments = decode_arguments(payload)
            if arguments is None:
                self.undecodable += 1
                return False
        return all(condition.matches(job, arguments) for condition in self.deep)

    def say_undecodable(self) -> None:
        """What could not be decoded is left out, and that must not go unseen."""
        if self.undecodable:
            streams.say(f"hueyctl: {self.undecodable} jobs left out: their arguments are opaque")


def read_ids(words: Iterable[str]) -> tuple[str, ...]:
    """The ids on the command line; ``-`` stands for those on stdin."""
    found: list[str] = []
    for word in words:
        if word == "-":
            found.extend(line.strip() for line in sys.stdin if line.strip())
        else:
            found.append(word)
    return tuple(dict.fromkeys(found))


def _states(words: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for word in words for name in word.split(",") if name.strip()]
    if "all" in names:
        return ()
    for name in names:
        if name not in STATES:
            raise errors.usage(f"unknown state {name!r}", f"states are {', '.join(STATES)}, or all")
    return tuple(dict.fromkeys(names))


def _sort(text: str) -> str:
    if text == "running-order":
        return text
    name = text.removeprefix("-").lower().replace("-", "_")
    name = {"pri": "priority", "try": "attempt", "age": "enqueued_at", "in": "run_at"}.get(
        name, name
    )
    if name not in COLUMNS:
        raise errors.usage(
            f"cannot sort by {text!r}", f"columns are {', '.join(COLUMNS)}, or running-order"
        )
    # The oldest have the smallest times, but the largest ages.
    backwards = text.startswith("-") != (text.removeprefix("-") == "age")
    return f"-{name}" if backwards else name
