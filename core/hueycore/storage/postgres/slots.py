"""What a worker has started, in its memory: it is written to the worker's row with each exchange,
and by the thread of the session when a run lasts and no exchange comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

#: Seconds from one look of the session's thread to the next, while runs are not written down.
LOOK = 0.05

_Runs = list[tuple[int, int] | None]


class Note(NamedTuple):
    """Runs by their slots, and how they are written down."""

    runs: _Runs
    text: str


class Slots:
    """``on_start`` is called when a run begins and nobody is about to look."""

    def __init__(self, count: int, on_start: Callable[[], None]) -> None:
        self._runs: _Runs = [None] * count
        self._seen: _Runs = self._runs[:]
        self._noted: _Runs = self._runs[:]
        self._on_start = on_start
        self._watched = False

    def start(self, slot: int, seq: int, claim: int) -> None:
        self._runs[slot] = (seq, claim)
        if not self._watched:
            self._watched = True
            self._on_start()

    def clear(self, slot: int) -> None:
        self._runs[slot] = None

    def pairs(self) -> list[tuple[int, int, int]]:
        """(slot, seq, claim) of every run."""
        return list(_numbered(self._runs))

    def note(self) -> Note | None:
        """The runs, to be written down now; None when they are written as they are."""
        now = self._runs[:]
        if now == self._noted:
            return None
        return Note(now, json.dumps(list(_numbered(now)), separators=(",", ":")))

    def confirm(self, note: Note) -> None:
        """It is written down."""
        self._noted = note.runs

    def look(self) -> tuple[bool, bool]:
        """Whether a run has lasted since the last look and is not written down, and whether to look
        again in a moment. If not, ``on_start`` tells when."""
        self._watched = False
        now, before, noted = self._runs[:], self._seen, self._noted
        self._seen = now
        fresh = [run is not None and run != old for run, old in zip(now, noted, strict=True)]
        lasting = any(new and now[slot] == before[slot] for slot, new in enumerate(fresh))
        if any(fresh):
            self._watched = True
        return lasting, self._watched


def _numbered(runs: Sequence[tuple[int, int] | None]) -> Iterator[tuple[int, int, int]]:
    return ((slot, *run) for slot, run in enumerate(runs) if run is not None)


def read(text: str | None) -> list[tuple[int, int, int]]:
    """What ``note`` has written."""
    return [(slot, seq, claim) for slot, seq, claim in json.loads(text or "[]")]
