"""Calls that depend on each other: pipelines, groups, chords. Data, until they are enqueued.

``flatten`` turns a composition of any depth into a flat list, with a stack of its own: a pipeline
may have thousands of stages, and chords may be nested to any depth.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.tasks.result import ChordResult, ResultGroup
    from hueycore.tasks.task import Task
    from hueycore.tasks.wrapper import TaskWrapper

__all__ = ["Pipeline", "Stage", "chord", "group"]

#: What can be a stage of a pipeline, or a member of a group.
Link: TypeAlias = "Stage | TaskWrapper[..., Any]"


class Stage:
    """What can be joined with ``then`` and ``|``: a signature, a pipeline, a group, a chord."""

    __slots__ = ()

    def __or__(self, other: Link) -> Pipeline:
        """A pipeline of this and what comes next. A new one: this stays as it is."""
        return Pipeline([self, stage(other)])

    def error(self, handler: Link, *args: Any, **kwargs: Any) -> Stage:
        """Call ``handler`` when it fails for good."""
        raise NotImplementedError


class Pipeline(Stage):
    """Stages that run one after the other, each with the result of the one before:
    ``a.s(1).then(b, 2).then(c)`` or ``a.s(1) | b.s(2) | c.s()``.

    As in Huey a tuple is spread over the next call, a dictionary gives keywords, None gives
    nothing, and any other value comes after the arguments that the stage has. A group in the
    middle runs its members with the same value, and the next stage gets the list of their results.
    (A serializer that knows no tuples, as JSON, has none to spread.)
    Calling the pipeline enqueues it; the answer has the handles of all stages.
    """

    __slots__ = ("handler", "stages")

    def __init__(self, stages: Iterable[Link]) -> None:
        self.stages = [stage(one) for one in stages]
        self.handler: Stage | None = None

    def then(self, task: Link, *args: Any, **kwargs: Any) -> Self:
        """Add a stage, with arguments of its own. Returns the pipeline."""
        self.stages.append(stage(task, args, kwargs))
        return self

    def __or__(self, other: Link) -> Pipeline:
        whole = Pipeline([*self.stages, stage(other)])
        whole.handler = self.handler
        return whole

    def error(self, handler: Link, *args: Any, **kwargs: Any) -> Self:
        """Call ``handler`` with the exception, after its own arguments, when a stage fails for
        good; stages with a handler of their own call that. (In Huey it is the first stage's.)"""
        self.handler = handled(self.handler, stage(handler, args, kwargs))
        return self

    @property
    def on_complete(self) -> Stage | None:
        """What follows the first stage: a signature, or a pipeline of all that follows."""
        rest = self.stages[1:]
        return Pipeline(rest) if len(rest) > 1 else rest[0] if rest else None

    def __getattr__(self, name: str) -> Any:
        """It stands for its first task, as in Huey: ``id``, ``args``, ``name`` and the rest."""
        if name.startswith("_") or name in Pipeline.__slots__:
            raise AttributeError(name)  # asked by copy and pickle before the stages are there
        return getattr(self.stages[0], name)

    def revoke(self, *args: Any, **kwargs: Any) -> None:
        """Revoke its first task, as ``Huey.revoke`` does; the stages after it go with it."""
        huey_of(self).revoke(self.stages[0], *args, **kwargs)  # type: ignore[arg-type]

    def __call__(self) -> ResultGroup | None:
        """Enqueue it."""
        return huey_of(self).enqueue(self)

    def __repr__(self) -> str:
        return " | ".join(repr(one) for one in self.stages)


class group(Stage):
    """Calls that run side by side; ``then`` makes them a chord. Enqueued, it answers with the
    handles of its members."""

    __slots__ = ("tasks",)

    def __init__(self, tasks: Iterable[Link]) -> None:
        self.tasks = [stage(one) for one in tasks]

    def then(self, task: Link, *args: Any, **kwargs: Any) -> chord:
        """A chord: ``task`` is called with the list of the results."""
        return chord(self.tasks, stage(task, args, kwargs))

    def __or__(self, other: Link) -> chord:  # type: ignore[override]
        return self.then(other)

    def error(self, handler: Link, *args: Any, **kwargs: Any) -> Self:
        """The handler of every member."""
        made = stage(handler, args, kwargs)
        for task in self.tasks:
            task.error(made)
        return self

    def __call__(self) -> ResultGroup | None:
        """Enqueue it."""
        return huey_of(self).enqueue(self)

    def __repr__(self) -> str:
        return f"group of {len(self.tasks)}"


class chord(Stage):
    """Calls that run side by side, and a callback that gets the list of their results, in order.
    A member that failed for good is an ``Error`` in it, one that was revoked or has expired
    ``SKIPPED``. Without members the callback runs at once, with an empty list.

    Members may be signatures, pipelines and chords. Enqueued, it answers with a ``ChordResult``.
    """

    __slots__ = ("callback", "tasks")

    def __init__(self, tasks: Iterable[Link], callback: Link) -> None:
        self.tasks = [stage(one) for one in tasks]
        self.callback = stage(callback)

    def then(self, task: Link, *args: Any, **kwargs: Any) -> Self:
        """Add a stage after the callback. Returns the chord."""
        added = stage(task, args, kwargs)
        if isinstance(self.callback, Pipeline):
            self.callback.then(added)
        else:
            self.callback = Pipeline([self.callback, added])
        return self

    def error(self, handler: Link, *args: Any, **kwargs: Any) -> Self:
        """The handler of the callback; members that fail are in its list."""
        self.callback.error(handler, *args, **kwargs)
        return self

    def __call__(self) -> ChordResult | None:
        """Enqueue it."""
        return huey_of(self).enqueue(self)

    def __repr__(self) -> str:
        return f"chord of {len(self.tasks)} → {self.callback!r}"


def stage(task: Link, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Stage:
    """A link as a stage; arguments extend those of a signature, as in Huey. Raises TypeError."""
    if not isinstance(task, Stage):
        if not hasattr(task, "s"):
            raise TypeError(f"{task!r} is no task, signature, pipeline, group or chord")
        return task.s(*args, **(kwargs or {}))
    if args or kwargs:
        if not hasattr(task, "extend_data"):
            raise TypeError(f"{task!r} takes no arguments: give them to its tasks")
        task.extend_data(args)
        task.extend_data(kwargs)
    return task


def handled(known: Stage | None, handler: Stage) -> Stage:
    """The handler of a stage that may have one. As in Huey a second one handles the first."""
    return handler if known is None or known is handler else known.error(handler)


def extended(
    args: tuple[Any, ...], kwargs: dict[str, Any], value: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call and the value that it is called with besides, as in Huey."""
    if value is None or value == ():
        return args, kwargs
    if isinstance(value, tuple):
        return args + value, kwargs
    if isinstance(value, dict):
        return args, {**value, **kwargs}
    return (*args, value), kwargs


# --- a flat list of jobs --------------------------------------------------------------------------


class Node:
    """One job of a composition: ``after`` are the jobs that are called with its result, which is
    element ``slot`` of a list if it has one. ``alone``: the callback of a chord without members."""

    __slots__ = ("after", "alone", "handler", "place", "slot", "task")

    def __init__(
        self, task: Task, after: list[Node], slot: int | None, handler: Stage | None
    ) -> None:
        self.task, self.after, self.slot, self.handler = task, after, slot, handler
        self.alone = False
        self.place = 0


#: Stands for the first nodes of a group without members.
_NO_MEMBERS: Any = object()

#: A composition, the nodes after it, its slot among those before them, the list to which its first
#: nodes are added, the handler of nodes that have none, the pipeline whose stage it is.
_Work = tuple[Stage, list[Node], int | None, list[Node], "Stage | None", "Pipeline | None"]


def flatten(whole: Stage) -> tuple[list[Node], Node | None]:
    """The jobs of a composition, first stages first, and the callback if it is a chord.

    Raises ValueError for what cannot be joined."""
    nodes: list[Node] = []
    callback: list[Node] = []
    work: list[_Work] = [(whole, [], None, [], None, None)]
    # Taken from the end: later stages first, because edges lead to them.
    while work:
        what, after, slot, heads, handler, line = work.pop()
        if isinstance(what, group):
            _check_group(what, after, slot, heads)
            for place, member in enumerate(what.tasks):
                work.append((member, after, place if after else None, heads, None, None))
        elif isinstance(what, Pipeline | chord):
            if isinstance(what, Pipeline):
                stages, handler = what.stages, what.handler or handler
            else:
                stages = [group(what.tasks), what.callback]
            firsts: list[list[Node]] = [heads, *([] for _ in stages[1:]), after]
            if what is whole and isinstance(what, chord):
                callback = firsts[1]
            last = len(stages) - 1
            for place, one in enumerate(stages):
                mine = slot if place == last else None
                inner = what if isinstance(what, Pipeline) else None
                # The failures of a chord's members are in its list.
                own = None if isinstance(one, group) else handler
                work.append((one, firsts[place + 1], mine, firsts[place], own, inner))
        else:
            task = cast("Task", what)
            if task._pipeline is not None and task._pipeline is not line:
                work.append((task._pipeline, after, slot, heads, handler, None))
                continue
            if _NO_MEMBERS in after:
                raise ValueError("a group without members cannot come after another stage")
            node = Node(task, after, slot, task.on_error or handler)
            nodes.append(node)
            heads.append(node)
    nodes.reverse()
    for place, node in enumerate(nodes):
        node.place = place
    return nodes, callback[0] if callback else None


def _check_group(what: group, after: list[Node], slot: int | None, heads: list[Node]) -> None:
    if slot is not None:
        raise ValueError("a group cannot be a member of a chord: then() makes it a chord itself")
    if len(after) > 1:
        raise ValueError("a group cannot come after a group: put a stage between them")
    if not what.tasks and after:
        if _NO_MEMBERS not in after:
            after[0].alone = True
        heads.append(_NO_MEMBERS)


def huey_of(whole: Stage) -> Huey:
    """The instance that the first task belongs to. Raises ValueError when there is none."""
    work = [whole]
    while work:
        what = work.pop()
        if isinstance(what, Pipeline):
            work.extend(reversed(what.stages))
        elif isinstance(what, group):
            work.extend(reversed(what.tasks))
        elif isinstance(what, chord):
            work.extend([what.callback, *reversed(what.tasks)])
        else:
            return cast("Task", what).wrapper.huey
    raise ValueError("there is no task in it")
