"""What TAB offers as a value: queues, tasks and ids, as they are in the storage right now.

It is opened for reading, no application is imported, and after a tenth of a second there is no
answer; of a server after a second.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from hueycore.model.states import LIVE, WAITING, State

if TYPE_CHECKING:
    from hueycore.storage.base import Storage

Items = list[CompletionItem[str]]

#: Seconds.
BUDGET, BUDGET_OF_SERVER = 0.1, 1.0
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
    if name == "state":
        return [CompletionItem(state) for state in (*State, "all") if state.startswith(incomplete)]
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, BUDGET)
    try:
        if name in ("app", "apps"):
            from hueyctl.docs.nearby import applications

            return [CompletionItem(found) for found in applications(incomplete)]
        offer = _OFFERS.get(name)
        if offer is None:
            return None
        storage = _storage(args)
        if storage is None:
            return []
        try:
            items = offer(storage, ctx)
        finally:
            storage.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return [item for item in items if item.value.startswith(incomplete)]


def _give_up(number: int, frame: Any) -> None:
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

    location = parse_url(url)
    if not location.is_file:
        signal.setitimer(signal.ITIMER_REAL, BUDGET_OF_SERVER)
    return open_storage(location, create=False, read_only=True)


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

    words = ctx.command_path.split(" ")[1:]
    chosen = _OF_COMMAND.get(words[0], ()) if words else ()
    found = storage.jobs(Selector(states=chosen, sort="-seq", limit=_JOBS))
    return [CompletionItem(str(job.seq), help=f"{job.state} {job.task}") for job in found]


#: By the name of the parameter, which means the same in every command.
_OFFERS: dict[str, Callable[[Storage, click.Context], Iterable[CompletionItem[str]]]] = {
    "queue": _queues,
    "queues": _queues,
    "task": _tasks,
    "periodic": _schedules,
    "ids": _ids,
    "copy": _ids,
    "job_id": _ids,
}
