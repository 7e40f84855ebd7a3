"""The heart: one script that applies the endings of finished runs and claims the next jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from hueycore.exceptions import StorageError, StorageMoved
from hueycore.model.endings import Completed, Dead, Done, Failure
from hueycore.model.histogram import bucket
from hueycore.model.jobs import Claim, Ended, Exchange, JobRef, Want
from hueycore.storage.protocol import workers as protocol
from hueycore.storage.redis.errors import Refused
from hueycore.storage.redis.link import Link
from hueycore.storage.redis.messagepack import unpack_row
from hueycore.storage.redis.part import Part
from hueycore.storage.redis.scripts import COLUMNS, script
from hueycore.system import native

_PLACES = {name: place for place, name in enumerate(COLUMNS)}
#: The payload stands behind the columns.
_CLAIM = itemgetter(*(_PLACES.get(name, -1) for name in Claim._fields))
_CRASHES = Claim._fields.index("crashes")
_SUSPECT = _PLACES["suspect"]
#: Lua writes whole numbers as such.
_REALS = [
    Claim._fields.index(name) for name in ("retry_delay", "retry_backoff", "priority", "run_at")
]
_MAYBE_REALS = [Claim._fields.index(name) for name in ("expires_at", "scheduled_for", "timeout")]


class _Call(NamedTuple):
    """An exchange as it was asked for."""

    arg: dict[str, Any]
    data: Sequence[bytes]
    endings: Sequence[Ended]
    #: The places of those that no row can hold, and why.
    unwritable: dict[int, str]


class Exchanges(Part, protocol.Workers):
    #: By worker, how many exchanges it has asked for, and that whose answer has not come.
    _numbers: dict[int, int]
    _unanswered: dict[int, _Call]
    _door: native.Lock
    #: By worker, where it reads the answer to an exchange later.
    _links: dict[int, Link]
    #: By worker, its name, for the errors of its runs.
    _names: dict[int, str]

    def exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        if not endings and want.free <= 0 and worker not in self._unanswered:
            return Exchange([], [], [], [])
        # One after another: the script knows the last call of each worker, and no other.
        with self._door:
            return self._exchange_alone(worker, endings, want)

    def _exchange_alone(self, worker: int, endings: Sequence[Ended], want: Want) -> Exchange:
        before = self._unanswered.get(worker)
        if before is not None:
            return self._repeat(worker, before, endings)
        answer, again = self._exchange(worker, endings, want)
        while again and not answer.claims:
            try:
                more, again = self._exchange(worker, (), want)
            except StorageError:
                return answer  # that much is committed; the next exchange meets the error
            answer = answer._replace(
                claims=more.claims,
                revoked=answer.revoked + more.revoked,
                expired=answer.expired + more.expired,
                held=more.held,
            )
        return answer

    def send_exchange(
        self, worker: int, endings: Sequence[Ended], want: Want
    ) -> Callable[[], Exchange]:
        with self._door:
            if worker in self._unanswered:
                return partial(self.exchange, worker, endings, Want(0))
            call = self._call(worker, endings, want, ahead=True)
            words = self.words(call.arg, call.data)
            self._unanswered[worker] = call
            self.calls += 1
            link = self._links.get(worker)
            if link is None:
                link = self._links[worker] = Link(self.client, self.key("row"))
            with suppress(StorageError):  # then there is no answer, and it is asked for again
                link.send(script("exchange"), self.keys, words)
        return partial(self._receive, worker, call, link)

    def _receive(self, worker: int, call: _Call, link: Link) -> Exchange:
        with self._door:
            try:
                answer = link.receive()
            except StorageError:
                return self._answered(worker, call)[0]
            return self._understood(worker, call, answer)[0]

    def _repeat(self, worker: int, before: _Call, endings: Sequence[Ended]) -> Exchange:
        """The answer to the call before was lost: it is given once more, and then what has ended
        since is written."""
        if link := self._links.get(worker):
            link.drop()  # the answer may be on its way there
        answer, _ = self._answered(worker, before)
        known = {ended.claim[:2] for ended in before.endings}
        rest = [ended for ended in endings if ended.claim[:2] not in known]
        if not rest:
            return answer
        more, _ = self._exchange(worker, rest, Want(0))
        return answer._replace(
            lost=answer.lost + more.lost,
            stopped=answer.stopped + more.stopped,
            unwritable=answer.unwritable + more.unwritable,
        )

    def _exchange(self, worker: int, endings: Sequence[Ended], want: Want) -> tuple[Exchange, bool]:
        return self._answered(worker, self._call(worker, endings, want))

    def _call(
        self, worker: int, endings: Sequence[Ended], want: Want, *, ahead: bool = False
    ) -> _Call:
        told = _Told(self.client.now(), self._names.get(worker, ""))
        for ended in endings:
            told.add(ended)
        number = self._numbers[worker] = self._numbers.get(worker, 0) + 1
        arg = {
            "worker": worker,
            "endings": told.endings,
            "number": number,
            "want": {
                "free": want.free,
                "ahead": ahead,
                "quick": want.quick,
                "suspects": want.suspects,
                "last_chance": want.last_chance,
                "bytes": want.bytes,
                **({} if want.only is None else {"only": want.only}),
            },
        }
        return _Call(arg, told.data, endings, told.unwritable)

    def _answered(self, worker: int, call: _Call) -> tuple[Exchange, bool]:
        self._unanswered[worker] = call
        try:
            answer = self.run("exchange", call.arg, *call.data)
        except Refused as refusal:
            del self._unanswered[worker]
            if refusal.word != "MOVED":
                raise
            raise StorageMoved(f"worker {worker} was taken for dead; it must start again") from None
        return self._understood(worker, call, answer)

    def _understood(self, worker: int, call: _Call, answer: Any) -> tuple[Exchange, bool]:
        del self._unanswered[worker]
        endings = call.endings
        rows, payloads, lost, revoked, expired, held, stopped, unwritable, again = answer
        gone = set(lost)
        bad = {place: why.decode() for place, why in zip(*[iter(unwritable)] * 2, strict=True)}
        bad |= {place: why for place, why in call.unwritable.items() if place not in gone}
        found = Exchange(
            [to_claim(unpack_row(row), data) for row, data in zip(rows, payloads, strict=True)],
            [endings[place] for place in lost],
            _refs(revoked),
            _refs(expired),
            held=held.decode() or None,
            stopped=[endings[place] for place in stopped if place not in bad],
            unwritable=[(endings[place], bad[place]) for place in sorted(bad)],
        )
        return found, bool(again)


class _Told:
    """Endings as the script takes them; those that no row can hold become another one."""

    def __init__(self, now: float, worker: str) -> None:
        self._now, self._worker = now, worker
        self.endings: list[list[Any]] = []
        self.data: list[bytes] = []
        self.unwritable: dict[int, str] = {}

    def add(self, ended: Ended) -> None:
        claim, ending, started, run_s, said = ended
        if isinstance(ending, Completed):
            ending = ending.otherwise
        one: list[Any] = [claim.seq, claim.claim, False, run_s, 0, 0]
        if started is not None:
            one[2:] = started, run_s, bucket(run_s), bucket(started - claim.run_at)
        if type(ending) is Done and said is None:
            one += [self._place(ending.result), int(ending.private)]
        else:
            try:
                one.append(self._ending(ended, ending))
            except (TypeError, ValueError, ArithmeticError) as error:
                self.unwritable[len(self.endings)] = why = f"{type(error).__name__}: {error}"
                one.append(self._unwritable(ended, ending, why))
        self.endings.append(one)

    def _ending(self, ended: Ended, ending: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"kind": type(ending).__name__.lower()}
        for name in ("run_at", "retries", "retry_delay", "delay", "reason", "key"):
            value = getattr(ending, name, None)
            if value is not None:
                found[name] = value
        numbers = [found.get(name, 0) for name in ("run_at", "retries", "retry_delay", "delay")]
        if not all(isinstance(value, int | float) for value in numbers):
            raise TypeError(f"{type(ending).__name__} holds what is no number")
        if min(numbers[1:]) < 0:
            raise ValueError(f"{type(ending).__name__} has a number below 0")
        for name in ("result", "cause"):
            value = getattr(ending, name, None)
            if value is not None:
                found[name] = self._place(value)
        if getattr(ending, "private", False):
            found["private"] = 1
        failure = getattr(ending, "failure", None)
        if failure is not None:
            found["fault"] = self._entry(ended, failure, counted=found["kind"] != "snoozed")
        if ended.said is not None:
            found["said"] = to_said(ended.claim, ended.said)
        return found

    def _unwritable(self, ended: Ended, ending: Any, why: str) -> dict[str, Any]:
        known: Failure | None = getattr(ending, "failure", None)
        message = f"the ending {type(ending).__name__} cannot be written: {why}"
        if known is not None:
            message += f"; the run had failed with {known.type}: {known.message}"
        failure = Failure("Unwritable", message, known.traceback if known else "")
        return self._ending(ended._replace(said=None), Dead("unwritable", failure))

    def _entry(self, ended: Ended, failure: Failure, *, counted: bool) -> str:
        return json.dumps(
            {
                "at": self._now,
                "attempt": ended.claim.attempt,
                "type": failure.type,
                **({"class": failure.path} if failure.path else {}),
                "message": failure.message,
                "traceback": failure.traceback,
                "run_s": round(ended.run_s, 6),
                "worker": self._worker,
                "counted": counted,
            },
            separators=(",", ":"),
        )

    def _place(self, data: bytes | None) -> int:
        """Where some bytes are among those that go with the call; 0 for none."""
        if data is None:
            return 0
        self.data.append(data)
        return len(self.data)


def to_said(claim: Claim, said: Any) -> dict[str, Any]:
    """What a run said of itself, as the scripts take it."""
    progress, lines = said
    found: dict[str, Any] = {
        "lines": [json.dumps([one.at, one.level, one.message, claim.attempt]) for one in lines]
    }
    if progress is not None:
        found["progress"] = progress
    return found


def to_claim(row: list[Any], payload: bytes) -> Claim:
    values = list(_CLAIM([*row, payload]))
    for place in _REALS:
        values[place] = float(values[place])
    for place in _MAYBE_REALS:
        if values[place] is not None:
            values[place] = float(values[place])
    values[_CRASHES] = max(values[_CRASHES], row[_SUSPECT])
    return Claim._make(values)


def _refs(flat: Sequence[Any]) -> list[JobRef]:
    return [
        JobRef(seq, id_.decode(), task.decode())
        for seq, id_, task in zip(*[iter(flat)] * 3, strict=True)
    ]
