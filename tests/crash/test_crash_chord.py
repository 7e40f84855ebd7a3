"""kill -9 in the middle of chords and pipelines: what follows happens exactly once."""

from __future__ import annotations

import random
import time

import pytest

from hueycore import Error, chord
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, Place
from tests.helpers import wait_until

MEMBERS = 1000
KILLS = 20
SECONDS = 0.003


@pytest.mark.slow
@pytest.mark.feature("chord")
def test_the_callback_of_a_thousand_members_runs_once_whatever_is_killed(
    place: Place, chance: random.Random
) -> None:
    members = [place.app.plain.s(f"m{n}", SECONDS) for n in range(MEMBERS)]
    handle = place.huey.enqueue(chord(members, place.app.gather))
    assert handle is not None
    first, *_ = handle.results

    def delivered() -> int:
        return MEMBERS - place.job(handle.callback.id).waits

    kills: list[int] = []
    while len(kills) < KILLS:
        enough = max(1, (len(kills) + 1) * MEMBERS // (KILLS + 2))
        consumer = place.consumer("-q")
        wait_until(lambda: delivered() >= enough, DEADLINE, f"{enough} of {MEMBERS}")  # noqa: B023
        time.sleep(chance.random() * 0.02)
        consumer.kill()
        kills.append(delivered())
        if len(kills) == 5:
            # One that has delivered runs once more meanwhile, and delivers nothing.
            assert place.job(first.id).delivered
            place.storage.requeue(Selector(keys=(first.id,)))
        place.check_rows()
    assert all(0 < number < MEMBERS for number in kills), kills
    place.drain()

    assert place.ran("end")["gather"] == place.ran("start")["gather"] == 1
    assert handle.get() == [f"m{n}" for n in range(MEMBERS)]
    callback = place.job(handle.callback.id)
    assert (callback.state, callback.claim, callback.waits) == (State.DONE, 1, 0)
    assert place.ran("end")["m0"] >= 2
    assert place.states() == {"done": MEMBERS + 1}
    place.check_rows()


def test_a_dead_member_that_is_retried_calls_nobody_again(place: Place) -> None:
    app, gate = place.app, place.gate()
    handle = place.huey.enqueue(chord([app.plain.s("m0"), app.fickle.s(gate, "m1")], app.gather))
    assert handle is not None
    consumer = place.consumer("-q")
    # Not only run: its end must be in the file, or it would run again.
    wait_until(lambda: handle.callback.state is State.DONE, DEADLINE)
    consumer.kill()
    place.open_gate()
    assert place.huey.retry_dead() == 1
    place.drain()

    good, failed = handle.get()
    assert good == "m0" and isinstance(failed, Error)
    assert place.ran("end")["gather"] == 1
    assert handle.results.get() == ["m0", "m1"]
    place.check_rows()


@pytest.mark.slow
@pytest.mark.feature("pipeline")
def test_a_pipeline_goes_on_where_it_was_killed(place: Place, chance: random.Random) -> None:
    line = place.app.plain.s("p", SECONDS)
    for _ in range(199):
        line.then(place.app.plain, seconds=SECONDS)
    handles = place.huey.enqueue(line)
    for enough in range(20, 180, 20):
        consumer = place.consumer("-q")
        wait_until(lambda: place.states().get("done", 0) >= enough, DEADLINE)  # noqa: B023
        time.sleep(chance.random() * 0.01)
        consumer.kill()
        assert place.states().get("done", 0) < 200
        place.check_rows()
    place.drain()

    assert handles.get() == ["p"] * 200
    assert all(job.claim <= 1 + job.crashes + 1 for job in place.jobs())
