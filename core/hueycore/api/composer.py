"""Pipelines, groups and chords enqueued: rows and the edges between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hueycore.api.producer import Parcel
from hueycore.calendar.durations import seconds
from hueycore.model.jobs import NewJob
from hueycore.model.pack import pack
from hueycore.model.plan import Edge, Plan
from hueycore.tasks.canvas import Node, Pipeline, Stage, chord, group, lay
from hueycore.tasks.result import ChordResult, Handle, Result, ResultGroup
from hueycore.tasks.task import Task

if TYPE_CHECKING:
    from hueycore.api import Huey


def is_composed(whole: Stage) -> bool:
    """Whether there is more to it than one job."""
    return not isinstance(whole, Task) or whole._pipeline is not None or whole._handler is not None


class Composing:
    """Part of ``Huey``."""

    if TYPE_CHECKING:

        def _new_job(self, task: Task, more: tuple[Any, ...] = ()) -> NewJob: ...
        def _huey(self) -> Huey: ...

    def _compose(self, whole: Stage) -> tuple[Parcel, Handle]:
        """The jobs of a composition, to be stored in one transaction, and the handle of it."""
        if isinstance(whole, group):
            parcel, handles = self._compose_all(whole.tasks)
            return parcel, ResultGroup(handles)
        parcel, handles = self._compose_all([whole])
        return parcel, handles[0]

    def _compose_all(self, parts: Sequence[Stage]) -> tuple[Parcel, list[Handle]]:
        """The same of several, with a handle for each."""
        laid = [lay(part) for part in parts]
        nodes = [node for some, _ in laid for node in some]
        for place, node in enumerate(nodes):
            node.place = place
        jobs, plan = self._plan(nodes)
        results: list[Result[Any]] = []
        for node, job in zip(nodes, jobs, strict=True):
            result: Result[Any] = Result(self._huey(), node.task)
            result.id = job.id  # a signature that is there twice has only the last one
            results.append(result)
        handles, begin = [], 0
        for part, (some, callback) in zip(parts, laid, strict=True):
            mine = results[begin : begin + len(some)]
            handles.append(_handle(part, some, callback, mine))
            begin += len(some)
        return Parcel(jobs, results, plan), handles

    def _plan(
        self, nodes: Sequence[Node], handling: tuple[Stage, ...] = ()
    ) -> tuple[list[NewJob], Plan]:
        """Rows and edges, of handlers of handlers too: ``handling`` is what these jobs are of."""
        # The nodes that come after one were told last to first.
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
            job = self._new_job(task, ([],) if node.alone else ())
            if place in later:
                # Durations of a stage begin when it is its turn.
                if task._delay is not None:
                    delays[place], job = task._delay, job._replace(run_at=None)
                if task.expires is not None and not isinstance(task.expires, datetime):
                    expiries[place] = seconds(task.expires)
                    job = job._replace(expires_at=None)
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
        nodes, _ = lay(handler)
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
