"""Random verbs on every engine, in step with a model: same answers, same rows, and no row
ever moves but along the transition table."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from hueycore.model.endings import Blocked, Dead, Done, Expired, Released, Retry, Revoked, Snoozed
from hueycore.model.jobs import Claim, Ended, NewJob, Selector, Want
from hueycore.model.limits import Limit
from hueycore.model.plan import Edge, Plan
from hueycore.model.retention import Keeping
from hueycore.model.states import FINAL, State
from hueycore.storage.base import Storage
from hueycore.system import clock
from tests.helpers import or_skip
from tests.storage.engines import ENGINES, FAMILIES, ONE
from tests.storage.kit import FAILURE, by_seq, new
from tests.storage.lab import Lab
from tests.storage.model import SHOWN, Model, ModelJob
from tests.storage.watch import allowed

START = 2_000_000_000.0
#: Thousands of commits: nobody cuts the power here, so no disk need be waited for.
FAST = "/dev/shm" if os.path.isdir("/dev/shm") else None
TASKS = ("a", "b", "c")
KEYS = (None, None, "k1", "k2")
#: Everything that an exchange may do to jobs beside the endings it is given.
CLAIMING = ("claim", "expire", "revoke")
FOLLOWING = ("promote", "park", "revoke")

endings = st.sampled_from(
    ["done", "none", "retry", "later", "dead", "snooze", "release", "revoke", "expire", "block"]
)


class Machine(RuleBasedStateMachine):
    #: The engines that go in step.
    names: tuple[str, ...]

    def __init__(self) -> None:
        super().__init__()
        self.plain_now = clock.now
        self.model = Model(START)
        clock.now = lambda: self.model.now
        self.folder = Path(tempfile.mkdtemp(prefix="huey-machine-", dir=FAST))
        self.storages: dict[str, Storage] = {}
        self.labs: dict[str, Lab] = {}
        self.seen: dict[str, int] = {}
        #: Claims that were handed out, also those that are lost by now.
        self.claims: list[tuple[int, Claim]] = []
        self.ids = 0
        self.guards = ExitStack()

    @initialize()
    def open(self) -> None:
        for name in self.names:
            engine = ENGINES[name]
            with or_skip():
                engine.find()
            self.guards.enter_context(engine.guard())
            folder = self.folder / name
            folder.mkdir()
            self.storages[name] = engine.open(folder)
            self.labs[name] = engine.lab(self.storages[name])
            self.labs[name].watch()
            self.seen[name] = 0
        self.register()
        self.each("declare_limits", [Limit("a", "k1", 1), Limit("b", None, 2)])
        self.model.limits.update(a=1, b=2)
        self.enqueue_stages(members=2, kind="chord", delay=0.0)
        self.enqueue_stages(members=1, kind="pipeline", delay=0.0)

    def teardown(self) -> None:
        clock.now = self.plain_now
        for storage in self.storages.values():
            storage.close()
        self.guards.close()
        shutil.rmtree(self.folder)

    # --- doing the same everywhere --------------------------------------------------------------

    def each(self, verb: str, *args: Any, **kwargs: Any) -> Any:
        """Call a verb on every engine; they must answer the same."""
        answers = [getattr(s, verb)(*args, **kwargs) for s in self.storages.values()]
        assert all(answer == answers[0] for answer in answers), (verb, answers)
        return answers[0]

    def check(self, *verbs: str, runs: dict[int, tuple[str, bool]] | None = None) -> None:
        """Every move since the last check is one that these verbs may make; ``runs`` says which
        ending a running job was given, and whether it had started."""
        runs = runs or {}
        for name, lab in self.labs.items():
            made = lab.moves(self.seen[name])
            born = {move.seq for move in made if move.before is None}
            gone = {move.seq for move in made if move.after is None}
            for move in made:
                self.seen[name] = move.n
                if move.seq in born & gone:
                    continue  # taken back in the same transaction
                if move.before is State.RUNNING and move.seq in runs:
                    verb, started = runs[move.seq]
                    assert allowed(move, [verb], started=started), (verb, started, move)
                else:
                    assert allowed(move, verbs), (verbs, move)

    def some(self, data: st.DataObject, *states: State) -> ModelJob:
        seqs = [job.seq for job in self.model.of(*(states or tuple(State)))]
        return self.model.jobs[data.draw(st.sampled_from(seqs), label="job")]

    # --- rules ----------------------------------------------------------------------------------

    @rule(
        data=st.data(),
        task=st.sampled_from(TASKS),
        again=st.booleans(),
        later=st.sampled_from([None, -5.0, 0.0, 5.0, 20.0]),
        expires=st.sampled_from([None, None, 3.0, 30.0]),
        relative=st.booleans(),
        priority=st.sampled_from([0.0, 0.0, 1.0, -1.0]),
        retries=st.integers(0, 2),
        once=st.sampled_from([False, False, True]),
        crashes=st.integers(1, 3),
        key=st.sampled_from([None, None, "k", "l"]),
        until=st.sampled_from(["start", "end"]),
        conflict=st.sampled_from(["keep", "replace"]),
        held=st.sampled_from(KEYS),
    )
    def enqueue(
        self, data: st.DataObject, task: str, again: bool, later: float | None,
        expires: float | None, relative: bool, priority: float, retries: int, once: bool,
        crashes: int, key: str | None, until: str, conflict: str, held: str | None,
    ) -> None:  # fmt: skip
        jobs = [
            NewJob(
                self.some(data).id if again and self.model.jobs else self.fresh_id(),
                task,
                b"payload",
                priority=priority,
                run_at=None if later is None else self.model.now + later,
                expires_at=None if expires is None or relative else self.model.now + expires,
                expires_in=expires if relative else None,
                retries=retries,
                at_most_once=once,
                max_crashes=crashes,
                unique_key=key,
                unique_until=until if key else None,
                on_conflict=conflict,
                key_name=held,
            )
            for _ in range(data.draw(st.integers(1, 3), label="number"))
        ]

        answers = self.each("enqueue", jobs)

        for job, answer in zip(jobs, answers, strict=True):
            assert answer.fresh == self.model.enqueue(job, answer.seq)
        for answer in answers if held is None else ():
            assert answer.state == self.model.jobs[answer.seq].state
        self.check("enqueue", "purge", "replace", "promote", "park")

    def fresh_id(self) -> str:
        self.ids += 1
        return f"id-{self.ids}"

    @rule(
        members=st.integers(1, 3),
        kind=st.sampled_from(["chord", "pipeline", "fan"]),
        delay=st.sampled_from([0.0, 0.0, 4.0]),
        expires=st.sampled_from([None, None, 30.0]),
    )
    def enqueue_stages(
        self, members: int, kind: str, delay: float, expires: float | None = None
    ) -> None:
        """A chord's members and callback, a pipeline, or a job that feeds the members of a chord;
        each with a stage behind it."""
        first = 1 if kind == "fan" else 0
        callback = first + members
        if kind == "pipeline":
            edges = [Edge(place, place + 1) for place in range(callback + 1)]
        else:
            edges = [Edge(0, place) for place in range(1, callback) if first]
            edges += [Edge(place, callback, place - first) for place in range(first, callback)]
            edges.append(Edge(callback, callback + 1))
        jobs = [new("a", id=self.fresh_id()) for _ in range(callback + 2)]
        plan = Plan(edges, {callback: delay}, {} if expires is None else {callback: expires})

        answers = self.each("enqueue", jobs, plan)

        for job, answer in zip(jobs, answers, strict=True):
            self.model.enqueue(job, answer.seq)
        self.model.join([answer.seq for answer in answers], plan)
        assert [answer.state for answer in answers] == [
            self.model.jobs[answer.seq].state for answer in answers
        ]
        for name, lab in self.labs.items():
            self.seen[name] = lab.moves()[-1].n

    def register(self) -> None:
        if len(self.model.workers) < 3:
            number = self.each("register", name="w", kind="thread", slots=256)
            assert number not in self.model.workers
            self.model.workers[number] = False
            self.check()

    # Three rules of the same kind, because this is what a queue does most of the time.

    @precondition(lambda self: self.model.workers and self.model.of(State.PENDING))
    @rule(
        data=st.data(),
        free=st.integers(1, 4),
        suspects=st.sampled_from([True, True, False]),
        last_chance=st.sampled_from([True, True, False]),
    )
    def claim(self, data: st.DataObject, free: int, suspects: bool, last_chance: bool) -> None:
        self.exchange(data, 0, Want(free, suspects=suspects, last_chance=last_chance))

    @precondition(lambda self: self.model.workers and self.claims)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.exchange(data, 5, Want(0))

    @precondition(lambda self: self.model.workers)
    @rule(data=st.data(), free=st.integers(0, 4), number=st.integers(0, 4))
    def end_and_claim(self, data: st.DataObject, free: int, number: int) -> None:
        self.exchange(data, number, Want(free))

    def exchange(self, data: st.DataObject, number: int, want: Want) -> None:
        """End up to ``number`` runs of a worker and claim; not every claim that it remembers still
        stands, so some endings must be refused."""
        holding = {owner for owner, _ in self.claims} if number else set()
        worker = data.draw(st.sampled_from(sorted(holding or self.model.workers)), label="worker")
        if worker not in self.model.workers:
            want = Want(0)  # the dead still send endings, and claim nothing
        mine = [claim for owner, claim in self.claims if owner == worker]
        ended = []
        if mine and number:
            some = st.lists(st.sampled_from(mine), min_size=1, max_size=number, unique=True)
            ended = [self.ending(data, claim) for claim in data.draw(some, label="ended")]
        runs = {
            e.claim.seq: (self.verb(e), e.started_at is not None) for e in ended
            if self.stands(worker, e.claim)
        }  # fmt: skip

        answer = self.each("exchange", worker, ended, want)

        claims, lost = self.model.exchange(worker, ended, want)
        assert [claim[:2] for claim in answer.claims] == claims
        assert sorted(e.claim[:2] for e in answer.lost) == sorted(lost)
        over = {e.claim[:2]: type(e.ending) is Done for e in ended}
        self.claims = [
            (owner, claim)
            for owner, claim in self.claims
            # Some are sent again; a `Done` that stands is told from a lost one by its time alone.
            if claim[:2] not in over or (not over[claim[:2]] and data.draw(st.booleans()))
        ]
        self.claims += [(worker, claim) for claim in answer.claims]
        self.check(*CLAIMING, *FOLLOWING, runs=runs)

    def stands(self, worker: int, claim: Claim) -> bool:
        job = self.model.jobs.get(claim.seq)
        return (
            job is not None and job.state is State.RUNNING
            and (job.worker, job.claim) == (worker, claim.claim)
        )  # fmt: skip

    def ending(self, data: st.DataObject, claim: Claim) -> Ended:
        now = self.model.now
        kind = data.draw(endings, label="ending")
        # Expired jobs, blocked ones, … may be found before or after they began.
        started = kind in ("done", "none", "retry", "later", "dead") or data.draw(st.booleans())
        made = {
            "done": Done(b"%d.%d" % claim[:2]),
            "none": Done(),
            "retry": Retry(None, max(claim.retries - 1, 0), 1.0, FAILURE),
            "later": Retry(now + 6, max(claim.retries - 1, 0), 1.0),
            "dead": Dead("failed", FAILURE, b"error"),
            "snooze": Snoozed(now + 2),
            "release": Released(),
            "revoke": Revoked("stopped", b"error"),
            "expire": Expired(b"error"),
            "block": Blocked("k2"),
        }[kind]
        return Ended(claim, made, now if started else None, 0.5 if started else 0.0)

    def verb(self, ended: Ended) -> str:
        cancelled = self.model.jobs[ended.claim.seq].cancel_requested
        match ended.ending:
            case Done():
                return "end: done"
            case Dead():
                return "end: dead"
            case Revoked() | Expired():
                return "end: revoked, expired"
        if cancelled:
            return "end: revoked, expired"
        return {
            Retry: "end: retry", Snoozed: "end: snooze", Released: "end: release",
            Blocked: "end: blocked",
        }[type(ended.ending)]  # fmt: skip

    @rule(data=st.data())
    def workers_come_and_go(self, data: st.DataObject) -> None:
        if len(self.model.workers) < 2 or data.draw(st.booleans(), label="come"):
            self.register()
            return
        worker = data.draw(st.sampled_from(sorted(self.model.workers)), label="worker")
        runs = {
            job.seq: ("end: revoked, expired" if job.cancel_requested else "end: release", False)
            for job in self.model.of(State.RUNNING) if job.worker == worker
        }  # fmt: skip

        self.each("unregister", worker)

        self.model.unregister(worker)
        self.claims = [held for held in self.claims if held[0] != worker]
        self.check(*FOLLOWING, runs=runs)

    @precondition(lambda self: self.model.of(State.RUNNING))
    @rule(data=st.data(), stopping=st.sampled_from([False, False, True]))
    def die_and_be_recovered(self, data: st.DataObject, stopping: bool) -> None:
        workers = {job.worker for job in self.model.of(State.RUNNING)}
        worker = data.draw(st.sampled_from(sorted(workers)), label="worker")
        running = [job for job in self.model.of(State.RUNNING) if job.worker == worker]
        started = {job.seq for job in running if data.draw(st.booleans(), label="started")}
        if stopping:
            self.each("stopping", worker)
            self.model.workers[worker] = True
        for storage in self.storages.values():
            for place, job in enumerate(running):
                if job.seq in started:
                    storage.slots(worker).start(place, job.seq, job.claim)
        if not self.storages[self.names[0]].sees_starts:
            # These are claimed for a worker that waits for them: they have begun with their claim.
            started |= {job.seq for job in running if job.at_most_once or job.crashes}
        runs = {job.seq: ("recover", job.seq in started) for job in running}

        recovered = [lab.bury(worker) for lab in self.labs.values()]

        assert all(jobs == recovered[0] for jobs in recovered)
        self.model.recover(worker, started)
        assert [(r.job.seq, r.started) for r in recovered[0]] == [
            (job.seq, job.seq in started) for job in running
        ]
        self.check("recover", *FOLLOWING, runs=runs)

    @rule(seconds=st.sampled_from([0.5, 2.0, 6.0, 40.0, -20.0, 86_400.0, -86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.model.now += seconds
        self.each("promote")
        self.model.promote()
        self.check("promote", "park")
        for storage in self.storages.values():
            storage.expire()  # in which order is its own affair
        self.model.expire()
        self.check("expire", *FOLLOWING)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        job = self.some(data)
        self.each("revoke", by_seq(job.seq), "by hand")
        self.model.revoke([job], "by hand")
        self.check("revoke", "promote", "park")

    @precondition(lambda self: self.model.of(*FINAL))
    @rule(data=st.data(), later=st.sampled_from([None, None, 7.0]))
    def requeue(self, data: st.DataObject, later: float | None) -> None:
        job = self.some(data, *FINAL)
        run_at = None if later is None else self.model.now + later
        self.each("requeue", by_seq(job.seq), run_at=run_at)
        self.model.requeue([job], run_at)
        self.check("requeue", "promote", "park")

    @precondition(lambda self: self.model.of(*FINAL))
    @rule(data=st.data(), preserve=st.booleans())
    def read_a_result(self, data: st.DataObject, preserve: bool) -> None:
        job = self.some(data, *FINAL)
        expected = job.blob if job.taken is False else None
        answer = self.each("result", job.id, preserve=preserve)
        assert (answer.seq, answer.state, answer.result) == (job.seq, job.state, expected)
        if not preserve:
            self.model.take(job)
        self.check()

    @rule(data=st.data())
    def operate(self, data: st.DataObject) -> None:
        """What happens now and then: one rule, so that most steps are a queue's ordinary day."""
        verbs = [
            self.revoke_many, self.reschedule, self.purge_one, self.keep, self.pause,
            self.pause_a_task, self.revoke_a_task, self.limit_a_task, self.take_a_lock,
            self.free_a_lock, self.mend,
        ]  # fmt: skip
        data.draw(st.sampled_from(verbs), label="verb")(data)

    def revoke_many(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(TASKS))
        self.each("revoke", Selector(task=task, states=(State.PENDING, State.RUNNING)))
        chosen = [job for job in self.model.of(State.PENDING, State.RUNNING) if job.task == task]
        self.model.revoke(chosen, "revoked")
        self.check("revoke", "promote", "park")

    def reschedule(self, data: st.DataObject) -> None:
        if self.model.jobs:
            job = self.some(data)
            later = data.draw(st.sampled_from([None, -9.0, 9.0]))
            priority = data.draw(st.sampled_from([None, 2.0]))
            run_at = None if later is None else self.model.now + later
            self.each("reschedule", by_seq(job.seq), run_at=run_at, priority=priority)
            self.model.reschedule(job, run_at, priority)
            self.check("reschedule", "promote", "park")

    def purge_one(self, data: st.DataObject) -> None:
        if self.model.jobs:
            job = self.some(data)
            assert self.each("purge", by_seq(job.seq)) == self.model.purge([job])
            self.check("purge")

    def keep(self, data: st.DataObject) -> None:
        age = data.draw(st.sampled_from([0.0, 10.0, 50.0]))
        rules = Keeping(done_age=age, dead_age=2 * age)
        self.each("keep", rules)
        self.model.keep(rules)
        self.check("purge")

    def pause(self, data: st.DataObject) -> None:
        """For the length of an exchange: a paused queue is a dull one."""
        self.each("pause")
        self.model.paused = True
        if self.model.workers:
            self.exchange(data, 3, Want(4))
        assert self.each("resume") is True
        self.model.paused = False
        self.check()

    def pause_a_task(self, data: st.DataObject) -> None:
        task = "c"
        if data.draw(st.booleans()):
            self.each("pause", task=task)
            self.model.pause_task(task, True)
        else:
            assert self.each("resume", task=task) == (task in self.model.paused_tasks)
            self.model.pause_task(task, False)
        self.check("promote", "park")

    def revoke_a_task(self, data: st.DataObject) -> None:
        task, once = data.draw(st.sampled_from(TASKS)), data.draw(st.booleans())
        if data.draw(st.booleans()):
            self.each("set_revocation", "revoked-task", task, once=once)
            self.model.revoked_tasks[task] = once
        else:
            known = self.each("clear_revocation", "revoked-task", task)
            assert known == (self.model.revoked_tasks.pop(task, None) is not None)

    def limit_a_task(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(TASKS))
        limit = data.draw(st.sampled_from([1, 1, 2, None]))
        declared = [] if limit is None else [Limit(task, "k1", limit)]
        self.each("declare_limits", declared, [task])
        self.model.limit(task, limit)
        self.check("promote", "park")

    def take_a_lock(self, data: st.DataObject) -> None:
        if self.model.workers:
            name = data.draw(st.sampled_from(["k1", "k2", "other"]))
            owner = data.draw(st.sampled_from(sorted(self.model.workers)))
            token = self.fresh_id().encode()
            assert self.each("lock", name, owner, token) == self.model.lock(name, owner)
            self.check()

    def free_a_lock(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(["k1", "k2", "other"]))
        assert self.each("unlock", name) == self.model.unlock(name)
        self.check("promote", "park")

    def mend(self, data: st.DataObject) -> None:
        assert self.each("mend") == []
        self.check()

    # --- what holds after every rule ------------------------------------------------------------

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        expected = [
            {name: getattr(job, name) for name in SHOWN}
            for _, job in sorted(self.model.jobs.items())
        ]
        results = {seq: job.blob for seq, job in self.model.jobs.items() if job.blob}
        for name, storage in self.storages.items():
            assert sorted(lock.name for lock in storage.locks()) == sorted(self.model.locks)
            rows = storage.jobs(Selector())
            assert [{name: getattr(row, name) for name in SHOWN} for row in rows] == expected
            assert self.labs[name].results() == results

    @invariant()
    def what_may_run_has_all_that_it_is_called_with(self) -> None:
        for job in self.model.jobs.values():
            if job.inputs and not job.waits and job.state not in FINAL:
                given = self.each("inputs", job.seq)
                assert len(given) == job.inputs, job
                slots = [one.slot for one in given]
                assert slots in ([None], list(range(job.inputs)))

    @invariant()
    def invariants_hold(self) -> None:
        for lab in self.labs.values():
            found = lab.violations()
            assert not found, found


def case(names: tuple[str, ...]) -> Any:
    made = type("Machine", (Machine,), {"names": names}).TestCase
    # A small share of what `HYPOTHESIS_PROFILE=nightly` tries. On a server an example takes half a
    # second: a run with that ENGINE tries all, every other run a few.
    usual, whole = settings().max_examples, ONE in names
    made.settings = settings(
        max_examples=max(150, usual) if whole else usual // 3,
        # To shorten what was found takes thousands of examples more.
        phases=[phase for phase in Phase if phase is not Phase.shrink or whole],
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),
    )
    return pytest.mark.usefixtures("engine_name")(pytest.mark.slow(made))


globals().update({f"TestMachine_{'_'.join(names)}": case(names) for names in FAMILIES})
