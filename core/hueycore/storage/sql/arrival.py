"""Jobs that come in from elsewhere, in one transaction."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from hueycore.model import rest
from hueycore.model.jobs import Cargo, Job, JobRef, Loaded
from hueycore.model.states import LIVE, State
from hueycore.model.ties import Ends
from hueycore.storage.sql.dialect import Connection
from hueycore.storage.sql.edges import follow
from hueycore.storage.sql.enqueue import delete_jobs, describe_queue
from hueycore.storage.sql.keys import settle_all, settle_keys_of
from hueycore.storage.sql.selector import COLUMNS
from hueycore.storage.sql.stages import keep_inputs
from hueycore.storage.sql.ties import in_need, neighbours
from hueycore.storage.sql.unique import holders

#: Columns that mean something only in the storage that they come from.
_LOCAL = frozenset(("seq", "worker", "claimed_at", "cancel_requested"))
_CARRIED = tuple(name for name in COLUMNS if name not in _LOCAL)


def bring_in(
    con: Connection, cargo: Sequence[Cargo], if_exists: str, pending: bool
) -> list[Loaded]:
    """What ``Transfer.load`` says, in the caller's transaction."""
    for queue in sorted({one.job.queue for one in cargo}):
        describe_queue(con, queue, None)
    return [
        loaded
        for part in _without_repeats(cargo)
        for loaded in _Arrival(con, part, if_exists, pending).carry_out()
    ]


def _without_repeats(cargo: Sequence[Cargo]) -> Iterator[Sequence[Cargo]]:
    """Pieces in which no id is there twice."""
    begun, seen = 0, set[tuple[str, str]]()
    for place, one in enumerate(cargo):
        key = (one.job.queue, one.job.id)
        if key in seen:
            yield cargo[begun:place]
            begun, seen = place, set()
        seen.add(key)
    yield cargo[begun:]


#: Number, state, key, ``next``, ``source`` and ``inputs`` of a job that is there already.
_Known = tuple[int, str, str | None, int | None, int | None, int]


class _Arrival:
    """Jobs of different ids on their way in."""

    def __init__(
        self, con: Connection, cargo: Sequence[Cargo], if_exists: str, pending: bool
    ) -> None:
        self._con, self._cargo, self._pending = con, cargo, pending
        self._replace = if_exists == "replace"
        self._now = con.now()
        #: By place in the cargo.
        self._refused: dict[int, Loaded] = {}
        self._parents: dict[int, list[int]] = defaultdict(list)
        #: Those that have somebody after them.
        self._tied: set[int] = set()
        self._rows: dict[int, dict[str, Any]] = {}
        #: Jobs that end with their arrival, by number: what waits for them is revoked.
        self._ended: list[int] = []

    def carry_out(self) -> list[Loaded]:
        replaced = self._make_room()
        self._refuse_doubles()
        self._tie()
        coming = [place for place in range(len(self._cargo)) if place not in self._refused]
        numbers = self._con.dialect.numbers(self._con, len(coming)) if coming else ()
        self._seqs = dict(zip(coming, numbers, strict=True))
        self._insert()
        follow(self._con, self._ended, delivered=False)
        settle_keys_of(
            self._con, [seq for place, seq in self._seqs.items() if self._rows[place]["key_name"]]
        )
        settle_all(self._con, replaced)
        return [self._outcome(place) for place in range(len(self._cargo))]

    def _outcome(self, place: int) -> Loaded:
        job = self._cargo[place].job
        return self._refused.get(place) or Loaded(
            JobRef(self._seqs[place], job.id, job.task), "loaded"
        )

    # --- who may come in --------------------------------------------------------------------------

    def _make_room(self) -> list[tuple[str, str]]:
        """Refuse what exists, or delete it where it is to be replaced: (queue, key) of those."""
        found = self._existing()
        stay = {seq for seq, *_ in found.values()}
        if self._replace:
            stay = self._fixed(found.values())
        exists = {key for key, row in found.items() if row[0] in stay}
        barred = {
            one.group for one in self._cargo if one.group and (one.job.queue, one.job.id) in exists
        }
        gone = []
        for place, one in enumerate(self._cargo):
            key = (one.job.queue, one.job.id)
            row = found.get(key)
            if key in exists or one.group in barred:
                ref = JobRef(row[0] if row else 0, one.job.id, one.job.task)
                self._refused[place] = Loaded(ref, "exists")
            elif row is not None:
                gone.append((row[0], one.job.queue, row[2]))
        if gone:
            delete_jobs(self._con, [seq for seq, *_ in gone])
        return [(queue, key) for _, queue, key in gone if key is not None]

    def _existing(self) -> dict[tuple[str, str], _Known]:
        d = self._con.dialect
        rows = self._con.execute(
            f"""
            select queue, id, seq, state, key_name, next, source, inputs from huey_job
            where {d.among("id")}
            """,
            (d.listed({one.job.id for one in self._cargo}),),
        ).fetchall()
        wanted = {(one.job.queue, one.job.id) for one in self._cargo}
        return {(row[0], row[1]): row[2:] for row in rows if (row[0], row[1]) in wanted}

    def _fixed(self, found: Collection[_Known]) -> set[int]:
        """Of jobs that are to be replaced those that run, and those that another job needs."""
        fixed = {row[0] for row in found if row[1] == State.RUNNING}
        tied: dict[int, Ends] = {
            seq: (after, source)
            for seq, _, _, after, source, inputs in found
            if inputs or after is not None or source is not None
        }
        if tied:
            edges = tied | neighbours(self._con, tied)
            others = in_need(self._con, [seq for seq in edges if seq not in tied])
            fixed |= {seq for seq, (after, _) in tied.items() if after in others}
            fixed |= {edges[seq][1] or 0 for seq in others}
        return fixed

    def _refuse_doubles(self) -> None:
        """Of those that would wait beside another one of their unique key."""
        waiting = [
            (place, one.job)
            for place, one in enumerate(self._cargo)
            if place not in self._refused and one.job.unique_until and self._will_live(one.job)
        ]
        taken = holders(self._con, [job for _, job in waiting])
        self._free: set[int] = set()
        for place, job in waiting:
            key = (job.queue, job.task, job.unique_key)
            lets_go = job.state is State.RUNNING and job.unique_until == "start"
            if key not in taken and not lets_go:
                taken[key] = job.id
            elif self._cargo[place].group or lets_go:
                self._free.add(place)
            else:
                self._refused[place] = Loaded(JobRef(0, job.id, job.task), "duplicate")

    def _will_live(self, job: Job) -> bool:
        return self._pending or job.state in LIVE

    def _tie(self) -> None:
        """Who waits, or has waited, for whom."""
        places = {
            (one.group, one.job.seq): place
            for place, one in enumerate(self._cargo)
            if one.group and place not in self._refused
        }
        self._places = places
        for (group, _), place in places.items():
            job = self._cargo[place].job
            child, parent = places.get((group, job.next or 0)), places.get((group, job.source or 0))
            if child is not None:
                self._parents[child].append(place)
                self._tied.add(place)
            if parent is not None:
                self._parents[place].append(parent)

    # --- their rows -------------------------------------------------------------------------------

    def _insert(self) -> None:
        for place, seq in self._seqs.items():
            self._rows[place] = self._row(place, seq)
        con = self._con
        columns = ", ".join(f'"{name}"' for name in _CARRIED)
        con.executemany(
            f"insert into huey_job (seq, {columns}) values (?{', ?' * len(_CARRIED)})",
            [
                (seq, *(self._rows[place][name] for name in _CARRIED))
                for place, seq in self._seqs.items()
            ],
        )
        coming = [(seq, self._cargo[place], self._rows[place]) for place, seq in self._seqs.items()]
        con.executemany(
            "insert into huey_payload (seq, payload) values (?, ?)",
            [(seq, one.payload or b"") for seq, one, _ in coming],
        )
        con.executemany(
            "insert into huey_result (seq, queue, result) values (?, ?, ?)",
            [
                (seq, one.job.queue, one.result)
                for seq, one, row in coming
                if one.result is not None
                and (row["taken"] == 0 or (row["next"] is not None and row["delivered"]))
            ],
        )
        keep_inputs(con, [(seq, given) for seq, one, _ in coming for given in one.inputs])
        con.executemany(
            "insert into huey_handler (seq, jobs) values (?, ?)",
            [(seq, one.handler) for seq, one, _ in coming if one.handler is not None],
        )
        con.executemany(
            """
            insert into huey_log (seq, line, queue, attempt, at, level, message)
            values (?, ?, ?, ?, ?, ?, ?)
            """,
            [
                (seq, number, one.job.queue, line.attempt, line.at, line.level, line.message)
                for seq, one, _ in coming
                for number, line in enumerate(one.log, 1)
            ],
        )

    def _row(self, place: int, seq: int) -> dict[str, Any]:
        one = self._cargo[place]
        job = one.job
        values = job._asdict()
        parents = [self._cargo[parent] for parent in self._parents[place]]
        waits = sum(not parent.delivered for parent in parents)
        if self._will_live(job):
            values.update(self._rest(job, waits))
            if len(one.inputs) + len(parents) < job.inputs or waits < job.waits:
                values.update(state=State.REVOKED, reason="upstream", finished_at=self._now)
        final = values["state"] not in LIVE
        if final and self._will_live(job):
            self._ended.append(seq)
        unread = final and one.result is not None and not job.taken
        tied = place in self._tied
        values.update(
            next=self._number(one, job.next),
            source=self._number(one, job.source),
            slot=job.slot if tied else None,
            waits=waits,
            delivered=one.delivered if tied else 0,
            errors=json.dumps(job.errors) if job.errors else None,
            taken=0 if unread else 1 if final and job.taken else None,
            at_most_once=int(job.at_most_once),
        )
        if place in self._free:
            values["unique_until"] = None
        return values

    def _rest(self, job: Job, waits: int) -> dict[str, Any]:
        """How a job waits here."""
        if job.state is State.RUNNING and job.cancel_requested and not self._pending:
            return {"state": State.REVOKED, "reason": "revoked", "finished_at": self._now}
        if not self._pending and job.state is State.BLOCKED:
            return {"state": State.BLOCKED if waits else rest.ready(job.key_name)}
        if not self._pending and job.state is not State.RUNNING:
            return {"state": State.BLOCKED if waits else _settled(job)}
        now = self._now
        expires_at = job.expires_at
        if job.expires_in is not None:
            expires_at = now + job.expires_in
        elif expires_at is not None and expires_at <= now:
            expires_at = None
        return {
            "state": State.BLOCKED if waits else rest.ready(job.key_name),
            "run_at": now,
            "finished_at": None,
            "taken": None,
            "reason": None,
            "crashes": 0 if self._pending else job.crashes,
            "expires_at": None if waits and job.expires_in is not None else expires_at,
        }

    def _number(self, one: Cargo, seq: int | None) -> int | None:
        place = self._places.get((one.group, seq or 0)) if one.group else None
        return None if place is None else self._seqs[place]


def _settled(job: Job) -> State:
    """A pending job of a key waits its turn."""
    return rest.ready(job.key_name) if job.state is State.PENDING else job.state
