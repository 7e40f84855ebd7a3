"""The queue as a few dictionaries: what each verb must do, in plain Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hueycore.model.endings import (
    Blocked,
    Dead,
    Done,
    Ending,
    Expired,
    Released,
    Retry,
    Revoked,
    Snoozed,
)
from hueycore.model.jobs import Ended, NewJob, Want
from hueycore.model.plan import Plan
from hueycore.model.retention import Keeping
from hueycore.model.states import FINAL, WAITING, State

S = State


@dataclass
class ModelJob:
    seq: int
    id: str
    task: str
    state: State
    priority: float
    run_at: float
    expires_at: float | None
    retries: int
    max_crashes: int
    at_most_once: bool
    unique_key: str | None = None
    unique_until: str | None = None
    born: float = 0
    expires_in: float | None = None
    reason: str | None = None
    attempt: int = 0
    claim: int = 0
    crashes: int = 0
    delay: float = 0
    worker: int | None = None
    cancel_requested: bool = False
    finished_at: float | None = None
    key_name: str | None = None
    next: int | None = None
    slot: int | None = None
    source: int | None = None
    inputs: int = 0
    waits: int = 0
    delivered: bool = False
    #: Whether what it delivered was a value that is stored.
    told: bool = False
    taken: bool | None = None
    #: What is stored; a waiting stage may read it after everybody else has.
    blob: bytes | None = None


#: What the model and the engines must agree on.
SHOWN = (
    *("seq", "id", "task", "state", "priority", "run_at", "expires_at", "retries", "reason"),
    *("attempt", "claim", "crashes", "worker", "cancel_requested", "finished_at", "next", "slot"),
    *("source", "inputs", "expires_in", "waits", "delivered", "taken"),
    *("unique_key", "unique_until", "key_name"),
)


@dataclass
class Model:
    now: float
    jobs: dict[int, ModelJob] = field(default_factory=dict)
    workers: dict[int, bool] = field(default_factory=dict)  # number → stopping
    paused: bool = False
    paused_tasks: set[str] = field(default_factory=set)
    revoked_tasks: dict[str, bool] = field(default_factory=dict)  # task → once
    limits: dict[str, int] = field(default_factory=dict)  # task → how many at once
    locks: dict[str, int] = field(default_factory=dict)  # name → worker
    last_seq: int = 0

    # --- helpers ------------------------------------------------------------------------------

    def of(self, *states: State) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.state in states]

    def children(self, job: ModelJob) -> list[ModelJob]:
        return [c for c in self.jobs.values() if c.seq == job.next or c.source == job.seq]

    def parents(self, job: ModelJob) -> list[ModelJob]:
        return [p for p in self.jobs.values() if p.next == job.seq or p.seq == job.source]

    def needed(self, job: ModelJob) -> bool:
        """Whether a job has yet to read its result, or may have to once more."""
        return any(
            child.state not in FINAL or (child.state is not S.DONE and not child.waits)
            for child in self.children(job)
        )

    def holder(self, task: str, key: str | None) -> ModelJob | None:
        """The job that has a unique key."""
        found = [
            job for job in self.jobs.values()
            if (job.task, job.unique_key) == (task, key)
            and job.unique_until is not None and job.state not in FINAL
            and (job.unique_until == "end" or job.state is not S.RUNNING)
        ]  # fmt: skip
        assert len(found) <= 1, "two jobs have one key"
        return found[0] if found else None

    def leave(self, job: ModelJob, state: State, reason: str | None = None) -> None:
        let_go = state in WAITING and job.unique_until == "start" and job.state is S.RUNNING
        if let_go and self.holder(job.task, job.unique_key) is not None:
            job.unique_until = None
        job.worker, job.cancel_requested = None, False
        job.state, job.reason = state, reason
        job.finished_at = self.now if state in FINAL else None

    def follow(self, seqs: Iterable[int], delivered: bool) -> None:
        seqs = list(seqs)
        while seqs:
            broken = []
            for seq in seqs:
                job = self.jobs[seq]
                if job.next is None or job.delivered:
                    continue
                if delivered or job.slot is not None:
                    job.delivered, job.told = True, delivered and job.taken is not None
                    for child in self.children(job):
                        self.deliver(child)
                else:
                    broken += self.children(job)
            seqs, delivered = [], False
            for child in broken:
                if child.state is S.BLOCKED:
                    self.leave(child, S.REVOKED, "upstream")
                    seqs.append(child.seq)

    def deliver(self, child: ModelJob) -> None:
        if not child.waits:
            return
        child.waits -= 1
        if child.state is S.BLOCKED and not child.waits:
            eta = child.run_at if child.run_at > child.born else 0
            child.run_at = max(self.now + child.delay, eta)
            child.state = S.SCHEDULED if child.run_at > self.now else self.ready(child)
            self.count_expiry(child)
            self.settle([child])

    def revive(self, jobs: Sequence[ModelJob]) -> None:
        work = list(jobs)
        while work:
            job = work.pop()
            for child in self.children(job) if not job.delivered else []:
                if child.state is S.REVOKED and child.reason == "upstream" and child.waits:
                    self.leave(child, S.BLOCKED)
                    self.forgive(child)
                    work.append(child)

    def count_expiry(self, job: ModelJob) -> None:
        """A job that may begin expires so long after that."""
        if job.expires_in is not None:
            job.expires_at = max(job.run_at, self.now) + job.expires_in

    def forgive(self, job: ModelJob) -> None:
        if job.expires_at is not None and job.expires_at <= self.now:
            job.expires_at = None

    # --- keys ---------------------------------------------------------------------------------

    def ready(self, job: ModelJob) -> State:
        """Where a job waits that could run now; whether it may, ``settle`` says."""
        return S.PENDING if job.key_name is None else S.BLOCKED

    def settle(self, jobs: Iterable[ModelJob], *more: str) -> None:
        """After these jobs have moved: whoever their keys have room for is pending."""
        for key in sorted({job.key_name for job in jobs if job.key_name} | set(more)):
            if key not in self.locks:
                self.settle_key(key)

    def settle_key(self, key: str) -> None:
        awake = [j for j in self.of_key(key) if j.task not in self.paused_tasks]
        waiting = [j for j in awake if j.state is S.BLOCKED and not j.waits]
        pending = [j for j in awake if j.state is S.PENDING]
        used = len(pending) + sum(j.state is S.RUNNING for j in self.of_key(key))
        pending.sort(key=lambda j: (j.priority, -j.run_at, -j.seq))
        for job in sorted(waiting, key=lambda j: (-j.priority, j.run_at, j.seq)):
            limit = self.limits.get(job.task)
            if limit is not None and used >= limit:
                alike = [j for j in pending if self.limits.get(j.task) == limit]
                if used > limit or not alike or alike[0].priority >= job.priority:
                    break
                pending.remove(alike[0])
                alike[0].state = S.BLOCKED
                used -= 1
            job.state = S.PENDING
            used += 1

    def of_key(self, key: str) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.key_name == key]

    def limit(self, task: str, limit: int | None) -> None:
        if self.limits.get(task) == limit:
            return
        if limit is None:
            del self.limits[task]
        else:
            self.limits[task] = limit
        self.settle(j for j in self.of(S.BLOCKED) if j.task == task and not j.waits)

    def lock(self, name: str, worker: int) -> bool:
        if name in self.locks or any(j.state is S.RUNNING for j in self.of_key(name)):
            return False
        self.locks[name] = worker
        return True

    def unlock(self, name: str) -> bool:
        known = self.locks.pop(name, None) is not None
        if known:
            self.settle((), name)
        return known

    def pause_task(self, task: str, paused: bool) -> None:
        if paused:
            self.paused_tasks.add(task)
        else:
            self.paused_tasks.discard(task)
        self.settle(j for j in self.of(S.PENDING, S.BLOCKED) if j.task == task)

    def end_waiting(self, jobs: Sequence[ModelJob], state: State, reason: str | None) -> None:
        for job in jobs:
            self.leave(job, state, reason)
        self.follow([job.seq for job in jobs], delivered=False)
        self.settle(jobs)

    # --- verbs --------------------------------------------------------------------------------

    def enqueue(self, new: NewJob, seq: int) -> bool:
        """Whether the job is fresh; ``seq`` is the number that the engine gave it."""
        old = next((job for job in self.jobs.values() if job.id == new.id), None)
        if old is not None and (old.state not in FINAL or self.needed(old)):
            assert old.seq == seq
            return False
        if new.unique_until is not None:
            holder = self.holder(new.task, new.unique_key)
            if holder is not None and (new.on_conflict == "keep" or holder.state is not S.RUNNING):
                assert holder.seq == seq
                if new.on_conflict == "replace":
                    self.replace(holder, new)
                return False
            if holder is not None:
                holder.unique_until = None
        if old is not None:
            del self.jobs[old.seq]
        assert seq > self.last_seq
        self.last_seq = seq
        later = new.run_at is not None and new.run_at > self.now
        job = self.jobs[seq] = ModelJob(
            seq, new.id, new.task, S.SCHEDULED, new.priority,
            new.run_at if later and new.run_at is not None else self.now, new.expires_at,
            new.retries, new.max_crashes, new.at_most_once, new.unique_key, new.unique_until,
            self.now, key_name=new.key_name, expires_in=new.expires_in,
        )  # fmt: skip
        self.count_expiry(job)
        if not later:
            job.state = self.ready(job)
            self.settle([job])
        return True

    def replace(self, job: ModelJob, new: NewJob) -> None:
        """A waiting job becomes another call."""
        later = new.run_at is not None and new.run_at > self.now
        before, job.key_name = job.key_name, new.key_name
        if not job.waits:
            job.state = S.SCHEDULED if later else self.ready(job)
        job.run_at = new.run_at if later and new.run_at is not None else self.now
        job.priority, job.expires_at, job.retries = new.priority, new.expires_at, new.retries
        job.expires_in = new.expires_in
        if job.waits and job.expires_in is not None:
            job.expires_at = None
        else:
            self.count_expiry(job)
        job.max_crashes, job.at_most_once = new.max_crashes, new.at_most_once
        job.unique_until, job.reason, job.attempt, job.crashes = new.unique_until, None, 0, 0
        self.settle([job], *([before] if before else []))

    def join(self, seqs: Sequence[int], plan: Plan) -> None:
        for edge in plan.edges:
            parent, child = self.jobs[seqs[edge.parent]], self.jobs[seqs[edge.child]]
            if parent.next is None:
                parent.next, parent.slot = child.seq, edge.slot
            else:
                child.source = parent.seq
            child.state = S.BLOCKED
            child.waits += 1
            child.inputs += 1
            child.delay = plan.delays.get(edge.child, 0)
            child.expires_in = plan.expiries.get(edge.child)
        self.settle(self.jobs[seqs[edge.child]] for edge in plan.edges)

    def exchange(
        self, worker: int, endings: Sequence[Ended], want: Want
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """(claims, lost endings) as (seq, claim number)."""
        lost = self.end(endings)
        claims, waits_for_sync = self.claim(worker, want, durable=False)
        if waits_for_sync and not claims:
            claims, _ = self.claim(worker, want, durable=True)
        return claims, lost

    def end(self, endings: Sequence[Ended]) -> list[tuple[int, int]]:
        lost, stages = [], []
        # Results are written first, then the other endings in their order, then what follows.
        for ended in sorted(endings, key=lambda e: type(e.ending) is not Done):
            job = self.jobs.get(ended.claim.seq)
            if job is None or job.state is not S.RUNNING or job.claim != ended.claim.claim:
                lost.append(ended.claim[:2])
                continue
            if type(ended.ending) is Done:
                began = self.now if ended.started_at is None else ended.started_at
                self.store(job, ended.ending.result)
                self.leave(job, S.DONE)
                job.finished_at = began + ended.run_s
                stages.append(job.seq)
            else:
                self.end_one(job, ended)
        self.follow(stages, delivered=True)
        for seq in stages:
            for parent in self.parents(self.jobs[seq]):
                if parent.taken and not self.needed(parent):
                    parent.blob = None
        blocked = (e.ending.key for e in endings if isinstance(e.ending, Blocked))
        self.settle((), *(e.claim.key_name for e in endings if e.claim.key_name), *blocked)
        return lost

    def end_one(self, job: ModelJob, ended: Ended) -> None:
        ending: Ending = ended.ending
        started = ended.started_at is not None
        if job.cancel_requested and not isinstance(ending, Dead | Revoked | Expired):
            ending = Revoked()
        match ending:
            case Dead() | Revoked() | Expired():
                state = {Dead: S.DEAD, Revoked: S.REVOKED, Expired: S.EXPIRED}[type(ending)]
                job.attempt -= not started and type(ending) is not Dead
                self.store(job, ending.result)
                self.leave(job, state, None if isinstance(ending, Expired) else ending.reason)
                self.follow([job.seq], delivered=False)
            case Retry():
                job.run_at = self.now if ending.run_at is None else ending.run_at
                job.retries = ending.retries
                self.count_expiry(job)
                self.leave(job, self.ready(job) if ending.run_at is None else S.SCHEDULED)
            case Snoozed():
                job.run_at = ending.run_at
                self.count_expiry(job)
                job.attempt -= 1
                self.leave(job, S.SCHEDULED)
            case Released():
                job.attempt -= 1
                self.leave(job, self.ready(job))
            case _:
                job.key_name = ending.key
                job.attempt -= 1
                self.leave(job, S.BLOCKED)

    def store(self, job: ModelJob, result: bytes | None) -> None:
        job.taken = None if result is None else False
        if result is not None:
            job.blob = result

    def claim(self, worker: int, want: Want, durable: bool) -> tuple[list[tuple[int, int]], bool]:
        claims: list[ModelJob] = []
        if not want.free or self.paused:
            return [], False
        expired, revoked, parked, waits_for_sync = [], [], [], False
        for job in sorted(self.of(S.PENDING), key=lambda j: (-j.priority, j.run_at, j.seq)):
            if job.task in self.paused_tasks or (job.crashes and not want.suspects):
                continue
            if job.crashes and job.crashes >= job.max_crashes - 1 and not want.last_chance:
                continue
            if job.expires_at is not None and job.expires_at <= self.now:
                expired.append(job)
            elif job.task in self.revoked_tasks:
                revoked.append(job)
                if self.revoked_tasks[job.task]:
                    del self.revoked_tasks[job.task]
            elif job.crashes and claims:
                break
            elif job.at_most_once and not durable:
                waits_for_sync = True
                break
            elif len(claims) >= want.free:
                break
            elif not self.admits(job, claims):
                parked.append(job)
            else:
                claims.append(job)
                if job.crashes:
                    break
        for job in claims:
            job.state, job.worker = S.RUNNING, worker
            job.claim, job.attempt = job.claim + 1, job.attempt + 1
        for job in parked:
            job.state = S.BLOCKED
        self.settle(parked)
        self.end_waiting(revoked, S.REVOKED, "revoked")
        self.end_waiting(expired, S.EXPIRED, None)
        return [(job.seq, job.claim) for job in claims], waits_for_sync

    def admits(self, job: ModelJob, claims: Sequence[ModelJob]) -> bool:
        if job.key_name is None:
            return True
        mine = [j for j in self.of_key(job.key_name) if j.state is S.RUNNING or j in claims]
        return job.key_name not in self.locks and len(mine) < self.limits.get(job.task, 99)

    def promote(self) -> None:
        due = [job for job in self.of(S.SCHEDULED) if job.run_at <= self.now]
        for job in due:
            job.state = self.ready(job)
            self.count_expiry(job)
        self.settle(due)

    def expire(self) -> None:
        late = [
            job for job in self.of(*WAITING)
            if job.expires_at is not None and job.expires_at <= self.now
            and not (job.state is S.SCHEDULED and job.expires_in is not None)
        ]  # fmt: skip
        self.end_waiting(late, S.EXPIRED, None)

    def unregister(self, worker: int) -> None:
        stopped = []
        held = [job for job in self.of(S.RUNNING) if job.worker == worker]
        for job in held:
            job.attempt -= 1
            if job.cancel_requested:
                self.leave(job, S.REVOKED, "revoked")
                stopped.append(job.seq)
            else:
                self.leave(job, self.ready(job))
        self.follow(stopped, delivered=False)
        self.gone(worker, held)

    def gone(self, worker: int, held: Sequence[ModelJob]) -> None:
        """A worker takes its locks with it."""
        names = [name for name, owner in self.locks.items() if owner == worker]
        for name in names:
            del self.locks[name]
        self.settle(held, *names)
        self.workers.pop(worker)

    def recover(self, worker: int, started: set[int]) -> None:
        """The worker died while the runs ``started`` had begun."""
        stopping = self.workers[worker]
        held = [job for job in self.of(S.RUNNING) if job.worker == worker]
        for job in held:
            began = job.seq in started
            job.crashes += began and not stopping
            job.attempt -= not began
            if began and (job.at_most_once or job.crashes >= job.max_crashes):
                self.leave(job, S.DEAD, "interrupted" if stopping else "crashed")
            elif job.cancel_requested:
                self.leave(job, S.REVOKED, "revoked")
            else:
                self.leave(job, self.ready(job))
            if job.state in FINAL:
                self.follow([job.seq], delivered=False)
        self.gone(worker, held)

    def revoke(self, jobs: Sequence[ModelJob], reason: str) -> None:
        self.end_waiting([job for job in jobs if job.state in WAITING], S.REVOKED, reason)
        for job in jobs:
            if job.state is S.RUNNING:
                job.cancel_requested = True

    def orphan(self, job: ModelJob) -> bool:
        """Needs a stage that is gone, or a result."""
        parents = self.parents(job)
        coming = [p for p in parents if not p.delivered]
        gone = [
            p for p in parents if p.delivered and p.blob is None and (
                p.taken if p.state is S.DONE else p.state not in FINAL and p.told)
        ]  # fmt: skip
        return job.waits > len(coming) or len(parents) - len(gone) < job.inputs

    def requeue(self, jobs: Sequence[ModelJob], run_at: float | None) -> None:
        final = [
            job for job in jobs
            if job.state in FINAL and not self.orphan(job)
            and not (job.unique_until and self.holder(job.task, job.unique_key))
        ]  # fmt: skip
        for job in final:
            wanted = job.run_at if run_at is None else run_at
            later = S.SCHEDULED if wanted > self.now else self.ready(job)
            job.state = S.BLOCKED if job.waits else later
            job.run_at = max(wanted, self.now)
            job.reason = job.finished_at = job.taken = None
            job.crashes = 0
            if job.waits or job.expires_in is None:
                self.forgive(job)
            else:
                self.count_expiry(job)
        self.revive(final)
        for job in final:
            if not self.needed(job):
                job.blob = None
        self.settle(final)

    def reschedule(self, job: ModelJob, run_at: float | None, priority: float | None) -> None:
        if job.state not in WAITING:
            return
        job.run_at = job.run_at if run_at is None else run_at
        job.priority = job.priority if priority is None else priority
        if not job.waits:
            if run_at is not None:
                self.count_expiry(job)
            job.state = S.SCHEDULED if job.run_at > self.now else self.ready(job)
            self.settle([job])

    def purge(self, jobs: Sequence[ModelJob]) -> int:
        gone = [job for job in jobs if job.state in FINAL and not self.needed(job)]
        for job in gone:
            del self.jobs[job.seq]
        return len(gone)

    def keep(self, rules: Keeping) -> None:
        for state in (S.DONE, S.REVOKED, S.EXPIRED, S.DEAD):
            age = rules.dead_age if state is S.DEAD else rules.done_age
            before = self.now - age
            self.purge([j for j in self.of(state) if (j.finished_at or 0.0) < before])

    def take(self, job: ModelJob) -> bytes | None:
        """Read a result destructively."""
        if job.taken is not False:
            return None
        value, job.taken = job.blob, True
        if not self.needed(job):
            job.blob = None
        return value
