"""What TAB offers as a value: queues, tasks, locks and ids, as they are in the storage right now;
columns, and what conditions ask for.

The storage is opened for reading, no application is imported, and after half a second, of a clock
or of computing, there is no answer.
"""

from __future__ import annotations

import _thread
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from hueycore.model.states import LIVE, WAITING, State

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

    Items = list[CompletionItem[str]]
    Offer = Callable[[Storage, click.Context], Iterable[CompletionItem[str]]]

#: Seconds, of the clock and of this process's computing: that of its start is in it.
BUDGET = 0.5
#: The newest jobs are what somebody types.
_JOBS = 200
_LOOKED_AT = 500

#: The states of jobs that a command can be about, where not all.
_OF_COMMAND: dict[str, tuple[State, ...]] = {
    "dead": (State.DEAD,),
    "revoke": LIVE,
    "reschedule": WAITING,
    "restore": (State.REVOKED,),
    "result": (State.DONE, State.DEAD),
}


def values_of(
    ctx: click.Context, param: click.Parameter, incomplete: str, args: Sequence[str]
) -> Items | None:
    """The values for a parameter, None where the parameter itself knows."""
    name = param.name or ""
    _thread.start_new_thread(_give_up, (BUDGET,))
    if name in _WORDS:
        return [CompletionItem(word) for word in _WORDS[name](ctx, incomplete, args)]
    if name in ("app", "apps"):
        from hueyctl.docs.nearby import applications

        return [CompletionItem(found) for found in applications(incomplete)]
    offer = _OFFERS.get(name)
    return None if offer is None else _offered(offer, ctx, incomplete, args)


def _offered(offer: Offer, ctx: click.Context, incomplete: str, args: Sequence[str]) -> Items:
    """What the storage has that begins so."""
    storage = _storage(args)
    if storage is None:
        return []
    try:
        items = offer(storage, ctx)
    finally:
        storage.close()
    return [item for item in items if item.value.startswith(incomplete)]


def _give_up(budget: float) -> None:
    """A thread: no signal is heard while a library computes or waits."""
    deadline = time.monotonic() + budget
    while time.monotonic() < deadline and time.process_time() < budget:
        time.sleep(0.02)
    os._exit(0)


def _storage(args: Sequence[str]) -> Storage | None:
    """What the words before the cursor, the environment or a config file name."""
    url = _said(args) or os.environ.get("HUEYCTL_URL") or _configured()
    if not url and os.path.isfile("huey.db"):
        url = "huey.db"
    if not url:
        return None
    from hueycore.storage.open import open_storage
    from hueyctl.urls import parse_url

    return open_storage(parse_url(url), create=False, read_only=True)


def _said(args: Sequence[str]) -> str | None:
    found = None
    for word, following in zip(args, [*args[1:], ""], strict=True):
        if word in ("-u", "--url"):
            found = following
        elif word.startswith("--url="):
            found = word.partition("=")[2]
        elif word.startswith("-u") and len(word) > 2:
            found = word[2:].removeprefix("=")
    return found


def _configured() -> str | None:
    from hueyctl import config

    for path in config.candidates():
        found = (config.read(path) or {}).get("url")
        if isinstance(found, str):
            return found
    return None


def _queues(storage: Storage, ctx: click.Context) -> Iterable[CompletionItem[str]]:
    return [CompletionItem(row.queue) for row in storage.queues()]


def _tasks(storage: Storage, ctx: click.Context) -> Iterable[CompletionItem[str]]:
    from hueycore.model.jobs import Selector

    names = {job.task for job in storage.jobs(Selector(sort="-seq", limit=_LOOKED_AT))}
    names |= {row.task for row in storage.periodic()}
    return [CompletionItem(name) for name in sorted(names)]


def _schedules(storage: Storage, ctx: click.Context) -> Iterable[CompletionItem[str]]:
    return [CompletionItem(row.name) for row in storage.periodic(whole=True)]


def _ids(storage: Storage, ctx: click.Context) -> Iterable[CompletionItem[str]]:
    from hueycore.model.jobs import Selector

    command = _command(ctx).partition(" ")[0]
    if command == "enqueue":
        return []  # its --id is a new one
    chosen = _OF_COMMAND.get(command, ())
    found = storage.jobs(Selector(states=chosen, sort="-seq", limit=_JOBS))
    return [CompletionItem(str(job.seq), help=f"{job.state} {job.task}") for job in found]


def _locks(storage: Storage, ctx: click.Context) -> Iterable[CompletionItem[str]]:
    return [CompletionItem(lock.name, help=lock.holder) for lock in storage.locks()]


def _keys(storage: Storage, ctx: click.Context) -> Iterable[CompletionItem[str]]:
    """Locks that are held, and the keys that hold jobs back."""
    names = {lock.name for lock in storage.locks()}
    names |= {limit.key for limit in storage.limits() if limit.key}
    return [CompletionItem(name) for name in sorted(names)]


def _command(ctx: click.Context) -> str:
    return ctx.command_path.partition(" ")[2]


def _states(ctx: click.Context, incomplete: str, args: Sequence[str]) -> list[str]:
    return [state for state in (*State, "all") if state.startswith(incomplete)]


def _columns(ctx: click.Context, incomplete: str, args: Sequence[str]) -> list[str]:
    """The last of several with commas."""
    from hueyctl.docs.columns import columns

    before, comma, last = incomplete.rpartition(",")
    there = before.split(",")
    names = columns(_command(ctx), ctx.params.get("by"))
    return [
        f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in there
    ]


def _sorts(ctx: click.Context, incomplete: str, args: Sequence[str]) -> list[str]:
    from hueyctl.docs.columns import sorts

    names = sorts(_command(ctx), ctx.params.get("by"))
    return [name for name in names if name.startswith(incomplete)]


def _conditions(ctx: click.Context, incomplete: str, args: Sequence[str]) -> list[str]:
    """A field; after ``=`` what there is of states, tasks and queues."""
    from hueyctl.docs.columns import fields

    field, equals, begun = incomplete.partition("=")
    if not equals:
        return [
            name if name.endswith(".") else f"{name}="
            for name in fields()
            if name.startswith(incomplete)
        ]
    if field == "state":
        found = [str(state) for state in State if state.startswith(begun)]
    elif field in ("task", "queue"):
        found = [item.value for item in _offered(_OFFERS[field], ctx, begun, args)]
    else:
        found = []
    return [f"{field}={value}" for value in found]


#: By the name of the parameter, which means the same in every command.
_OFFERS: dict[str, Offer] = {
    "queue": _queues,
    "queues": _queues,
    "task": _tasks,
    "periodic": _schedules,
    "locks": _locks,
    "lock": _keys,
    "extra_locks": _locks,
    "ids": _ids,
    "id_": _ids,
    "copy": _ids,
    "job_id": _ids,
}
#: Where no storage has to be asked, or only for a part of the word.
_WORDS: dict[str, Callable[[click.Context, str, Sequence[str]], list[str]]] = {
    "state": _states,
    "columns": _columns,
    "sort": _sorts,
    "where": _conditions,
}
