"""Pipelines, groups and chords enqueued: rows and the edges between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from hueycore.canvas import Node, Pipeline, Stage, chord, group, lay
from hueycore.result import ChordResult, Handle, Result, ResultGroup
from hueycore.storage.base import Edge, Enqueued, NewJob, Plan, Storage
from hueycore.storage.packing import pack
from hueycore.task import Task
from hueycore.times import seconds

if TYPE_CHECKING:
    from hueycore.api import Huey


def is_composed(whole: Stage) -> bool:
    """Whether there is more to it than one job."""
    return not isinstance(whole, Task) or whole._pipeline is not None or whole._handler is not None


class Composing:
    """Part of ``Huey``."""

    _immediate: bool

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...
        def _new_job(self, task: Task, more: tuple[Any, ...] = ()) -> NewJob: ...
        def _tell_enqueued(self, task: Task, stored: Enqueued) -> None: ...
        def _run_now(self, stored: Sequence[Enqueued]) -> None: ...
        def _huey(self) -> Huey: ...

    def _enqueue_composed(self, parts: Sequence[Stage]) -> list[Handle]:
        """Store everything in one transaction; a handle for each part."""
        laid = [lay(part) for part in parts]
        nodes = [node for some, _ in laid for node in some]
        for place, node in enumerate(nodes):
            node.place = place
        jobs, plan = self._plan(nodes)
        stored = self.storage.enqueue(jobs, plan) if jobs else []
        for node, answer in zip(nodes, stored, strict=True):
            self._tell_enqueued(node.task, answer)
        if self._immediate:
            self._run_now(stored)
        answers = iter(zip(nodes, stored, strict=True))
        return [
            _handle(part, some, callback, self._results(answers, len(some)))
            for part, (some, callback) in zip(parts, laid, strict=True)
        ]

    def _results(self, answers: Iterator[tuple[Node, Enqueued]], number: int) -> list[Result[Any]]:
        results = []
        for node, answer in islice(answers, number):
            result: Result[Any] = Result(self._huey(), node.task, answer.seq)
            result.id = answer.id  # a signature that is there twice has only the last one
            results.append(result)
        return results

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
