"""Enqueueing: a call becomes a row, a composition becomes rows and the edges between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from hueycore import signals as S
from hueycore.api import script
from hueycore.api.batch import Calls, taken
from hueycore.calendar.durations import seconds
from hueycore.exceptions import PayloadTooLarge
from hueycore.model.jobs import Enqueued, NewJob
from hueycore.model.pack import pack
from hueycore.model.plan import Edge, Plan
from hueycore.serializer import PICKLE
from hueycore.tasks.canvas import Node, Pipeline, Stage, chord, flatten, group
from hueycore.tasks.result import ChordResult, Handle, Result, ResultGroup
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api.huey import Huey

_NOTHING_COMES = nullcontext()
#: What the names of the module that runs as a script end in.
_MAIN = b"main__"


def is_composed(whole: Stage) -> bool:
    """Whether it is more than one job. Raises TypeError for what is no job at all."""
    if not isinstance(whole, Stage):
        raise TypeError(_no_call(whole))
    if type(whole) is Task:
        raise TypeError(f"{whole!r} is the id of a job, and no call")
    return not isinstance(whole, Task) or whole._pipeline is not None or whole.on_error is not None


def _no_call(thing: object) -> str:
    if isinstance(thing, TaskWrapper):
        return f"{thing!r} is a task, and no call of it: enqueue {thing.short_name}.s(…)"
    if isinstance(thing, (Result, ResultGroup, ChordResult)):
        return f"{thing!r} is in the queue already: calling a task enqueues it, task.s(…) does not"
    return f"{thing!r} is no signature, pipeline, group or chord"


class Producer:
    """Enqueues for one ``Huey``: into the queue, or into the batch or transaction around a call."""

    def __init__(self, huey: Huey) -> None:
        self._huey = huey

    def enqueue(self, whole: Stage) -> Handle:
        """Store a job, or all of a composition in one transaction. Raises what ``Huey.enqueue``
        does."""
        if is_composed(whole):
            calls, handle = self.compose(whole)
            self.send(calls)
            return handle
        assert isinstance(whole, Task)
        job = self.new_job(whole)
        result: Result[Any] = Result(self._huey, whole)
        self.send(Calls((job,), (result,)))
        return result

    def enqueue_many(self, wholes: Iterable[Stage], chunk: int) -> list[Any]:
        """Store many, ``chunk`` per transaction; their handles, in order."""
        huey, handles = self._huey, []
        source = iter(wholes)
        while some := list(islice(source, chunk)):
            if any(map(is_composed, some)):
                calls, more = self._compose_all(some)
                self.send(calls)
                handles += more
                continue
            tasks = cast("list[Task]", some)
            jobs = [self.new_job(task) for task in tasks]
            results: list[Result[Any]] = [Result(huey, task) for task in tasks]
            self.send(Calls(jobs, results))
            handles += results
        return handles

    # --- rows ---------------------------------------------------------------------------------

    def new_job(self, task: Task, more: tuple[Any, ...] = (), complete: bool = True) -> NewJob:
        """The row of a call, with ``more`` arguments than the signature has. Raises TypeError when
        the call is ``complete`` and the function does not take it."""
        huey, wrapper = self._huey, task.wrapper
        args = task.args + more if more else task.args
        if complete and not task._unchecked:
            wrapper.check_call(args, task.kwargs)
        if wrapper.__module__ in script.MAINS and not huey.works_here:
            script.check_task(huey, wrapper.name)
        if task._claim is not None:
            huey._stepper.give_back(task)
        elif task._enqueued and task._generated:
            task.renew_id()
        payload = self.pack(wrapper.name, args, task.kwargs)
        task._enqueued = True
        if task.expires is not None:
            task.resolve_expires()
        if wrapper.options.limit is not None:
            huey._limits.declare(wrapper)
        return wrapper.new_job(task, payload, huey.serializer.preview(args, task.kwargs))

    def pack(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """The arguments of a call of task ``name`` as bytes. Raises ``PayloadTooLarge``,
        ``SerializationError``."""
        huey = self._huey
        payload = huey.serializer.serialize((args, kwargs))
        if payload[0] == PICKLE and _MAIN in payload:
            script.check_arguments(huey, name, payload[1:])
        if len(payload) > huey.max_payload:
            raise PayloadTooLarge(
                f"the arguments of {name} take {len(payload):,} bytes; the limit is "
                f"{huey.max_payload:,} (max_payload=). Store them elsewhere and pass a reference"
            )
        return payload

    # --- storing ------------------------------------------------------------------------------

    def send(self, calls: Calls) -> None:
        """Store jobs, or hand them to the batch or transaction around the caller."""
        if not taken(self._huey, calls):
            self.store(calls)

    def store(self, calls: Calls) -> None:
        """Store jobs, and in immediate mode run them."""
        huey = self._huey
        coming = [job.id for job in calls.jobs] if huey.listening else []
        with huey.signals.ahead_of(*coming) if coming else _NOTHING_COMES:
            stored = huey.storage.enqueue(calls.jobs, calls.plan) if calls.jobs else []
            self.on_stored(calls, stored)
        if huey._immediate:
            huey._stepper.run_now(stored)

    def on_stored(self, calls: Calls, stored: Sequence[Enqueued]) -> None:
        """Jobs are in the queue: their handles get the numbers, receivers get the signals."""
        huey = self._huey
        wanted = huey.wants(S.SIGNAL_ENQUEUED, S.SIGNAL_SCHEDULED)
        for result, answer in zip(calls.results, stored, strict=True):
            result.found(answer)
            if wanted and answer.fresh and result.task is not None:
                huey._emit(S.SIGNAL_ENQUEUED, result.task)
                if answer.state == "scheduled":
                    huey._emit(S.SIGNAL_SCHEDULED, result.task)

    # --- compositions -------------------------------------------------------------------------

    def compose(self, whole: Stage) -> tuple[Calls, Handle]:
        """The jobs of a composition, to be stored in one transaction, and the handle of it."""
        if isinstance(whole, group):
            calls, handles = self._compose_all(whole.tasks)
            return calls, ResultGroup(handles)
        calls, handles = self._compose_all([whole])
        return calls, handles[0]

    def _compose_all(self, parts: Sequence[Stage]) -> tuple[Calls, list[Handle]]:
        """The same of several, with a handle for each."""
        flat = [flatten(part) for part in parts]
        nodes = [node for some, _ in flat for node in some]
        for place, node in enumerate(nodes):
            node.place = place
        jobs, plan = self._plan(nodes)
        results: list[Result[Any]] = []
        for node, job in zip(nodes, jobs, strict=True):
            result: Result[Any] = Result(self._huey, node.task)
            result.id = job.id  # a signature that is there twice has only the last one
            results.append(result)
        handles, begin = [], 0
        for part, (some, callback) in zip(parts, flat, strict=True):
            mine = results[begin : begin + len(some)]
            handles.append(_handle(part, some, callback, mine))
            begin += len(some)
        return Calls(jobs, results, plan), handles

    def _plan(
        self, nodes: Sequence[Node], handling: tuple[Stage, ...] = ()
    ) -> tuple[list[NewJob], Plan]:
        """Rows and edges. ``handling``: the stages whose error handlers these jobs are, innermost
        last."""
        # ``flatten`` lists the nodes after one from last to first.
        edges = [
            Edge(node.place, child.place, node.slot)
            for node in nodes
            for child in reversed(node.after)
        ]
        later = {edge.child for edge in edges} | ({0} if handling else set())
        jobs = []
        delays: dict[int, float] = {}
        expiries: dict[int, float] = {}
        handlers: dict[int, str] = {}
        packed: dict[int, str] = {}
        for place, node in enumerate(nodes):
            task = node.task
            # What a stage, or a handler, is called with is not known before its turn.
            job = self.new_job(task, ([],) if node.alone else (), complete=place not in later)
            if place in later:
                # The durations of a stage begin at its turn.
                if task._delay is not None:
                    delays[place], job = task._delay, job._replace(run_at=None)
                if task.expires is not None and not isinstance(task.expires, datetime):
                    expiries[place] = seconds(task.expires)
                    job = job._replace(expires_in=None)
            if node.handler is not None:
                key = id(node.handler)
                if key not in packed:
                    packed[key] = self._pack_handler(node.handler, handling)
                handlers[place] = packed[key]
            jobs.append(job)
        return jobs, Plan(edges, delays, expiries, handlers)

    def _pack_handler(self, handler: Stage, handling: tuple[Stage, ...]) -> str:
        if handler in handling:
            raise ValueError("an error handler cannot be the handler of itself")
        nodes, _ = flatten(handler)
        later = {id(child) for node in nodes for child in node.after}
        if len(nodes) - len(later) != 1:
            raise ValueError("an error handler is one call: a signature or a pipeline")
        return pack(*self._plan(nodes, (*handling, handler)))


def _handle(
    part: Stage, nodes: Sequence[Node], callback: Node | None, results: list[Result[Any]]
) -> Handle:
    if isinstance(part, chord):
        assert callback is not None
        begin = callback.place - nodes[0].place
        members = [
            result
            for node, result in zip(nodes, results, strict=True)
            if node.slot is not None and node.after[:1] == [callback]
        ]
        after = results[begin:]
        line = ResultGroup(after) if len(after) > 1 else None
        return ChordResult(ResultGroup(members), results[begin], line, results)
    if isinstance(part, Pipeline | group) or len(results) > 1:
        return ResultGroup(results)
    return results[0]
