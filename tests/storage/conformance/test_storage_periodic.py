"""Who has a schedule: several consumers, old and new releases, stored schedules, pauses."""

from __future__ import annotations

import pytest

from hueycore.model.jobs import NewJob, Selector
from hueycore.model.schedules import Fire, Periodic, repeated
from hueycore.storage.base import Storage
from tests.helpers import Clock
from tests.storage.kit import NOW, new, periodic, stored, worker
from tests.storage.lab import Lab


def code(*names: str) -> list[Periodic]:
    return [periodic(name) for name in names]


def runtime(name: str, **fields: object) -> Periodic:
    return periodic(name, origin="process", **fields)


# --- which consumers have it ----------------------------------------------------------------------


def test_a_later_release_forgets_nothing_that_a_living_consumer_still_has(
    storage: Storage,
) -> None:
    old, new_one = worker(storage, "old"), worker(storage, "new")
    storage.declare_periodic(code("both", "gone"), old)
    storage.fire([Fire("gone", NOW, NOW + 60, [new("gone", scheduled_for=NOW)])])

    storage.declare_periodic(code("both", "added"), new_one)

    assert set(stored(storage)) == {"both", "gone", "added"}
    assert stored(storage)["gone"].next_run == NOW + 60
    storage.unregister(old)
    assert set(stored(storage)) == {"both", "gone", "added"}
    storage.declare_periodic(code("both", "added"), worker(storage, "next"))
    assert set(stored(storage)) == {"both", "added"}


def test_a_worker_declares_as_it_registers(storage: Storage) -> None:
    first = storage.register(name="one", kind="thread", slots=1, declares=code("a", "b"))
    assert set(stored(storage)) == {"a", "b"}
    storage.register(name="none", kind="thread", slots=1)
    storage.register(name="empty", kind="thread", slots=1, declares=[])
    assert set(stored(storage)) == {"a", "b"}
    storage.unregister(first)
    storage.register(name="next", kind="thread", slots=1, declares=code("b"))
    assert set(stored(storage)) == {"b"}


def test_what_is_missed_while_no_consumer_lives_is_still_known(storage: Storage) -> None:
    first = worker(storage)
    storage.declare_periodic(code("tick"), first)
    storage.unregister(first)

    storage.declare_periodic([periodic("tick", next_run=NOW + 600)], worker(storage))

    assert stored(storage)["tick"].next_run == NOW


def test_a_consumer_that_declares_anew_turns_nothing_back_that_another_has_changed(
    storage: Storage,
) -> None:
    old, new_one = worker(storage, "old"), worker(storage, "new")
    storage.declare_periodic(code("tick"), old)
    storage.declare_periodic([periodic("tick", "0 * * * *", next_run=NOW + 600)], new_one)

    storage.declare_periodic([*code("tick"), runtime("closure")], old)

    assert stored(storage)["tick"].schedule == "0 * * * *"
    assert stored(storage)["tick"].next_run == NOW + 600


def test_a_consumer_that_drops_a_schedule_takes_it_away_unless_another_has_it(
    storage: Storage,
) -> None:
    one, other = worker(storage, "one"), worker(storage, "other")
    storage.declare_periodic([*code("shared"), runtime("mine")], one)
    storage.declare_periodic(code("shared", "theirs"), other)

    storage.declare_periodic([], one)

    assert set(stored(storage)) == {"shared", "theirs"}
    storage.declare_periodic(code("theirs"), other)
    assert set(stored(storage)) == {"theirs"}


def test_a_consumer_that_declares_anew_forgets_nothing_of_one_that_restarts(
    storage: Storage,
) -> None:
    one, other = worker(storage, "one"), worker(storage, "other")
    storage.declare_periodic(code("theirs"), other)
    storage.declare_periodic(code("mine"), one)
    storage.unregister(other)

    storage.declare_periodic([*code("mine"), runtime("closure")], one)
    storage.declare_periodic(code("mine"), one)

    assert set(stored(storage)) == {"mine", "theirs"}


@pytest.mark.parametrize("how", ["leaves", "dies"])
def test_what_was_declared_while_a_consumer_ran_goes_with_it(
    storage: Storage, lab: Lab, how: str
) -> None:
    one, other = worker(storage, "one"), worker(storage, "other")
    storage.declare_periodic(code("of code"), one)
    storage.declare_periodic([*code("of code"), runtime("mine"), runtime("both")], one)
    storage.declare_periodic([*code("of code"), runtime("both")], other)

    if how == "leaves":
        storage.unregister(one)
    else:
        lab.bury(one)

    assert set(stored(storage)) == {"of code", "both"}
    storage.unregister(other)
    assert set(stored(storage)) == {"of code"}
    assert lab.count("declarations") == 0


def test_a_schedule_of_code_stays_one_when_a_running_consumer_declares_it_too(
    storage: Storage,
) -> None:
    one, other = worker(storage, "one"), worker(storage, "other")
    storage.declare_periodic(code("tick"), one)
    storage.declare_periodic([runtime("tick"), runtime("tock")], other)
    assert {name: row.origin for name, row in stored(storage).items()} == {
        "tick": "code", "tock": "process",
    }  # fmt: skip

    storage.declare_periodic(code("tick", "tock"), worker(storage, "next"))

    assert {row.origin for row in storage.periodic()} == {"code"}


def test_rows_that_were_flushed_under_a_consumer_come_back(storage: Storage) -> None:
    number = worker(storage)
    storage.declare_periodic(code("tick"), number)
    storage.flush()

    storage.declare_periodic([periodic("tick", next_run=NOW + 60)], number)

    assert stored(storage)["tick"].next_run == NOW + 60


# --- stored by hand -------------------------------------------------------------------------------


def test_a_schedule_of_the_same_name_is_replaced_and_goes_on_if_it_runs_at_the_same_times(
    storage: Storage,
) -> None:
    first = periodic("made", task="a", payload=b"1", options={"retries": 1}, queue="huey")
    assert storage.schedule_periodic(first)
    storage.fire([Fire("made", NOW, NOW + 60, [new(scheduled_for=NOW, id="fired")])])
    storage.pause_periodic(["made"], by="ann", reason="month end")

    again = first._replace(task="b", payload=b"2", preview="2", options={}, next_run=NOW + 5)
    assert storage.schedule_periodic(again)

    row = stored(storage)["made"]
    assert (row.task, row.payload, row.preview, row.options) == ("b", b"2", "2", {})
    assert (row.next_run, row.last_run, row.last_id) == (NOW + 60, NOW, "fired")
    assert (row.origin, row.pause_reason) == ("stored", "month end")
    assert storage.schedule_periodic(again._replace(schedule="every 5s"))
    assert stored(storage)["made"].next_run == NOW + 5


def test_code_and_people_do_not_take_each_others_names(storage: Storage) -> None:
    storage.declare_periodic(code("of code"))
    storage.schedule_periodic(periodic("by hand", task="theirs"))

    assert not storage.schedule_periodic(periodic("of code", task="theirs"))
    storage.declare_periodic(code("of code", "by hand"))

    found = {name: (row.origin, row.task) for name, row in stored(storage).items()}
    assert found == {"of code": ("code", "of code"), "by hand": ("stored", "theirs")}


def test_storing_a_schedule_rings(storage: Storage) -> None:
    storage.wait(0)
    while storage.wait(0):
        pass

    storage.schedule_periodic(periodic("made"))

    assert storage.wait(5)


# --- what is due ----------------------------------------------------------------------------------


def test_what_is_due_is_handed_out_with_the_time_of_the_next_and_nothing_else(
    storage: Storage,
) -> None:
    storage.declare_periodic(
        [
            periodic("mine", next_run=NOW - 1),
            periodic("theirs"),
            periodic("later", next_run=NOW + 9),
        ]
    )
    for name, at in (("stored", NOW), ("paused", NOW - 5), ("paused later", NOW + 1)):
        storage.schedule_periodic(periodic(name, next_run=at))
    storage.pause_periodic(["paused", "paused later"])

    coming = storage.coming_periodic(NOW, ["mine", "later", "nowhere"])

    assert [one.name for one in coming.due] == ["mine", "stored"]
    assert (coming.next_run, coming.lost) == (NOW + 9, ["nowhere"])
    assert storage.coming_periodic(NOW - 10, []).next_run == NOW - 1
    assert storage.coming_periodic(NOW + 10, []).next_run is None


def test_schedules_that_are_due_together_fire_in_one_transaction(
    storage: Storage, lab: Lab
) -> None:
    storage.declare_periodic(code("a", "b", "c", "moved"))
    storage.fire([Fire("moved", NOW, NOW + 60, [])])
    storage.pause_periodic(["c"])
    before = lab.commits()

    fired = storage.fire(
        [Fire(name, NOW, NOW + 60, [new(name)]) for name in ("a", "b", "c", "moved")]
    )

    assert fired == ["a", "b"]
    assert lab.commits() == before + 1
    assert [job.task for job in storage.jobs(Selector())] == ["a", "b"]


# --- paused ---------------------------------------------------------------------------------------


def test_a_paused_schedule_does_not_fire_until_it_is_resumed(
    storage: Storage, clock: Clock
) -> None:
    clock.freeze(NOW)
    storage.declare_periodic(code("a", "b"))

    assert storage.pause_periodic(["a", "unknown"], by="ann", reason="why") == ["a"]
    row = stored(storage)["a"]
    assert (row.paused_at, row.paused_by, row.pause_reason) == (NOW, "ann", "why")
    assert not storage.fire([Fire("a", NOW, NOW + 60, [new()])])
    assert storage.fire([Fire("b", NOW, NOW + 60, [])])
    clock.jump(5)
    storage.pause_periodic(["a"], reason="still")
    row = stored(storage)["a"]
    assert (row.paused_at, row.paused_by, row.pause_reason) == (NOW, None, "still")

    assert storage.resume_periodic(["a", "b"]) == ["a"]

    assert stored(storage)["a"].paused_at is None
    assert stored(storage)["a"].pause_reason is None
    assert storage.fire([Fire("a", NOW, NOW + 60, [new()])])
    assert storage.count(Selector()) == 1


def test_a_deploy_does_not_resume_what_is_paused(storage: Storage) -> None:
    storage.declare_periodic(code("a"), worker(storage, "old"))
    storage.pause_periodic(["a"])

    storage.declare_periodic([periodic("a", "0 * * * *")], worker(storage, "new"))

    assert stored(storage)["a"].paused_at is not None


# --- the jobs of a schedule -----------------------------------------------------------------------


def test_a_schedule_makes_jobs_like_the_one_it_was_made_of() -> None:
    like = NewJob(
        "x", "task", b"args", "args", priority=5, retries=3, retry_delay=2.5, retry_backoff=2,
        timeout=9, max_crashes=1, at_most_once=True, result_ttl=60,
    )  # fmt: skip
    row = Periodic(
        "tick", "task", "x", None, NOW, payload=b"args", preview="args", options=repeated(like)
    )

    assert row.job("one", NOW - 1) == like._replace(id="one", scheduled_for=NOW - 1)
    assert repeated(NewJob("x", "task", b"")) == {}


def test_a_job_of_a_schedule_expires_from_its_own_time_on() -> None:
    row = Periodic("t", "t", "x", None, NOW, options=repeated(NewJob("", "t", b""), 30.0))
    assert row.job("one").expires_in == 30
    fixed = NewJob("", "t", b"", expires_at=NOW + 7)
    assert row._replace(options=repeated(fixed)).job("one").expires_at == NOW + 7
