"""From what Huey left in a file to what a storage takes in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from hueycore.api.messages import Message, Reader, to_datetime, to_message
from hueycore.calendar.durations import number, seconds, whole
from hueycore.canvas import SKIPPED, Error
from hueycore.exceptions import SerializationError, UnknownClass
from hueycore.model.flags import Revocation
from hueycore.model.jobs import NewJob
from hueycore.model.migration import Migration, OldFile, OldMessage, OldResult, Whole
from hueycore.model.pack import pack
from hueycore.model.plan import Edge, Input, Plan
from hueycore.model.states import State
from hueycore.serializer import describe
from hueycore.system import clock

if TYPE_CHECKING:
    from hueycore.api.huey import Huey

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class LeftOut(NamedTuple):
    """What did not come, where it stands in the old file, and why. ``id`` and ``task`` as far as
    they can be read."""

    where: str
    why: str
    id: str | None = None
    task: str | None = None


class _Tree:
    """A call with all that hangs on it; the calls of one chord are one tree."""

    def __init__(self) -> None:
        self.jobs: list[NewJob] = []
        self.edges: list[Edge] = []
        self.delays: dict[int, float] = {}
        self.expiries: dict[int, float] = {}
        self.handlers: dict[int, str] = {}
        self.sources: list[OldMessage] = []
        #: Of each chord the place of its callback, its size and the members that wait.
        self.chords: dict[str, tuple[int, int, set[int]]] = {}

    @property
    def plan(self) -> Plan:
        return Plan(self.edges, self.delays, self.expiries, self.handlers)


class Translation:
    """From an old file to what a storage takes in."""

    def __init__(self, huey: Huey, old: OldFile, plain: bool) -> None:
        self._huey, self._old = huey, old
        self._reader = Reader(huey.serializer, plain=plain)
        self.left_out: list[LeftOut] = []

    def migration(self) -> Migration:
        wholes = list(self._wholes())
        ids = {job.id for one in wholes for job in one.jobs}
        results, values = self._results(ids)
        return Migration(wholes, results, values, list(self._revocations(ids)))

    # --- jobs ---------------------------------------------------------------------------------

    def _wholes(self) -> Iterator[Whole]:
        trees: dict[str, _Tree] = {}
        broken: dict[str, str] = {}
        for row in self._old.messages:
            root = row.where
            try:
                message = self._reader.message(row.data)
                root = message.chord or root
                tree = trees.setdefault(root, _Tree())
                self._add(tree, message)
                tree.sources.append(row)
            except Exception as error:
                outline = self._reader.outline(row.data)
                root = (outline and outline.chord) or root
                broken[root] = outline.id if outline else row.where
                self._leave_out(row.where, error, outline)
        for root, tree in trees.items():
            if root in broken:
                why = f"job {broken[root]} of its chord cannot be read"
                self.left_out += [LeftOut(row.where, why) for row in tree.sources]
                continue
            try:
                given = {
                    place: self._given(cid, size, waiting)
                    for cid, (place, size, waiting) in tree.chords.items()
                }
            except Exception as error:
                for row in tree.sources:
                    self._leave_out(row.where, error, None)
                continue
            yield Whole(tree.jobs, tree.plan, given, [row.data for row in tree.sources])

    def _leave_out(self, where: str, error: Exception, outline: Message | None) -> None:
        why = str(error) if isinstance(error, SerializationError) else describe(error)
        if isinstance(error, UnknownClass):
            why = f"a class is not there: {why}"
        self.left_out.append(LeftOut(where, why, outline and outline.id, outline and outline.name))

    def _add(self, tree: _Tree, message: Message, *, later: bool = False) -> int:
        """Add a call, what comes after it and the chord that it is a member of; its place."""
        before: int | None = None
        first = len(tree.jobs)
        for one in message.line():
            place = len(tree.jobs)
            tree.jobs.append(self._job(one))
            if before is not None:
                tree.edges.append(Edge(before, place))
            expires_in = tree.jobs[place].expires_in
            if (before is not None or later) and expires_in is not None:
                # The durations of a stage begin at its turn.
                tree.expiries[place] = expires_in
                tree.jobs[place] = tree.jobs[place]._replace(expires_in=None)
            if one.handler is not None:
                tree.handlers[place] = self._handler(one.handler)
            before = place
            tail = one
        if tail.chord_config is not None:
            assert before is not None
            self._join(tree, before, *tail.chord_config)
        return first

    def _join(self, tree: _Tree, place: int, cid: Any, size: int, idx: int, callback: Any) -> None:
        name = str(cid)
        if name not in tree.chords:
            head = self._add(tree, to_message(callback), later=True)
            tree.chords[name] = (head, size, set())
        head, _, waiting = tree.chords[name]
        tree.edges.append(Edge(place, head, idx))
        waiting.add(idx)

    def _handler(self, message: Message) -> str:
        tree = _Tree()
        self._add(tree, message, later=True)
        return pack(tree.jobs, tree.plan)

    def _job(self, message: Message) -> NewJob:
        """Its options are those that it was enqueued with; what Huey has no word for is as the task
        says now."""
        expires = None if message.expires_resolved is not None else message.expires
        timeout = message.timeout
        return self._call(message)._replace(
            priority=number("priority", message.priority or 0),
            run_at=self._posix(message.eta),
            delay=0,
            expires_at=self._expires_at(message),
            expires_in=seconds(expires) if _is_duration(expires) else None,
            retries=whole("retries", message.retries or 0),
            retry_delay=number("retry_delay", seconds(message.retry_delay or 0), 0),
            retry_backoff=number("retry_backoff", message.retry_backoff or 0, 0),
            timeout=None if timeout is None else number("timeout", seconds(timeout), 0),
        )

    def _call(self, message: Message) -> NewJob:
        huey = self._huey
        args, kwargs = tuple(message.args or ()), dict(message.kwargs or {})
        payload = huey._producer.pack(message.name, args, kwargs)
        preview = huey.serializer.preview(args, kwargs)
        wrapper = huey.registry.get(message.name)
        if wrapper is None:
            return NewJob(message.id, message.name, payload, preview)
        return wrapper.new_job(wrapper.task_class(args, kwargs, id=message.id), payload, preview)

    def _expires_at(self, message: Message) -> float | None:
        if message.expires_resolved is not None:
            return self._posix(message.expires_resolved)
        if isinstance(message.expires, datetime | str):
            when = to_datetime(message.expires)
            # Not resolved yet: local time, as Huey reads it.
            return None if when is None else when.timestamp()
        return None

    def _posix(self, when: Any) -> float | None:
        moment = to_datetime(when)
        return None if moment is None else self._huey.posix_of(moment)

    # --- what was stored ------------------------------------------------------------------------

    def _given(self, cid: str, size: int, waiting: set[int]) -> list[Input]:
        """What the members of a chord gave that are over. One whose value is nowhere died with its
        consumer."""
        given = []
        for idx in range(size):
            if idx in waiting:
                continue
            data = self._old.values.get(f"chord:{cid}:{idx}")
            value = SKIPPED if data is None else self._reader.value(data)
            name, write = f"{cid}:{idx}", self._huey.serializer.serialize
            if value is SKIPPED:
                given.append(Input(idx, name, State.REVOKED))
            elif isinstance(value, Error):
                given.append(Input(idx, name, State.DEAD, write(value.metadata)))
            else:
                result = None if value is None else write(value)
                given.append(Input(idx, name, State.DONE, result))
        return given

    def _results(self, waiting: set[str]) -> tuple[list[OldResult], Mapping[str, bytes]]:
        """Results, and what else was stored under a name: which of both a name is that is no id
        of Huey's making, nobody can tell, so it becomes both."""
        results, values = [], {}
        for key, data in self._old.values.items():
            if key in waiting or self._is_own(key):
                continue
            try:
                value = self._reader.value(data)
                results.append(self._result(key, value))
                if not (_UUID.match(key) or isinstance(value, Error)):
                    values[key] = self._huey.serializer.serialize(value)
            except Exception as error:
                self._leave_out(f"kv {key}", error, None)
        return results, values

    def _is_own(self, key: str) -> bool:
        """Whether it is what Huey itself remembers: revocations, chords, locks, limits."""
        own = (f"{self._old.queue}.lock.", f"{self._old.queue}.rl.", "r:", "rt:", "chord:")
        return key.startswith(own)

    def _result(self, key: str, value: Any) -> OldResult:
        write = self._huey.serializer.serialize
        if not isinstance(value, Error):
            return OldResult(key, State.DONE, write(value))
        metadata = value.metadata
        kind, _, message = str(metadata.get("error", "")).partition("(")
        return OldResult(
            key,
            State.DEAD,
            write(metadata),
            {
                "type": kind or "TaskException",
                "message": message.removesuffix(")"),
                "traceback": str(metadata.get("traceback", "")),
            },
        )

    def _revocations(self, waiting: set[str]) -> Iterator[Revocation]:
        """Those in force: of tasks, and of jobs that come over."""
        now = clock.now()
        for key, data in self._old.values.items():
            kind, separator, name = key.partition(":")
            if kind not in ("r", "rt") or not separator or (kind == "r" and name not in waiting):
                continue
            try:
                until, once = self._reader.value(data)
                ends = self._posix(until)
            except Exception as error:
                self._leave_out(f"kv {key}", error, None)
                continue
            if ends is None or ends > now:
                sort = "revoked-id" if kind == "r" else "revoked-task"
                yield Revocation(self._huey.name, sort, name, ends, bool(once), now, "Huey")


def _is_duration(value: Any) -> bool:
    return isinstance(value, int | float | timedelta)
