"""A Redis server that syncs every write, killed under load as its consumers are: nothing is lost,
only what a killed consumer ran runs again, and poison harms nobody else."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.model.states import State
from tests.crash.site import Member, Site
from tests.redis_servers import RedisServer

SOAK = "HUEYCTL_SOAK" in os.environ
CONSUMERS = 3
JOBS, KILLS, CRASHES = (2000, 10, 2) if SOAK else (300, 2, 1)
#: Of the jobs that come before each strike, so many have ended when it does.
SOME = 50
NEIGHBOURS = 500 if SOAK else 200


@pytest.fixture
def site(redis_server: RedisServer, tmp_path: Path, chance: random.Random) -> Iterator[Site]:
    """Three consumers of a queue, which are at work for a while when they are struck."""
    url = redis_server.url
    with closing(Site(tmp_path, url, chance, no_server="Redis: ", longest=0.05)) as made:
        made.members = [Member(made, f"consumer-{n}") for n in range(CONSUMERS)]
        yield made


@pytest.mark.feature("crash", "several consumers")
def test_a_queue_on_a_server_that_syncs_loses_nothing_whoever_is_killed(
    site: Site, redis_server: RedisServer, record_property: pytest.RecordProperty
) -> None:
    for member in site.members:
        member.wait_at_work()

    def crash() -> None:
        """Its death undoes no claim and no ending: what it has answered is on its disk."""
        with ThreadPoolExecutor(1) as producer:
            answered = producer.submit(lambda: [site.enqueue([task]) for task in site.some(SOME)])
            redis_server.restart()
            answered.result()

    kills = [site.chance.choice(site.members).kill for _ in range(KILLS)]
    site.play([*kills, *[crash] * CRASHES], JOBS, SOME)

    figures = site.check()
    charged = {site.ledger.acked[job.id] for job in site.jobs() if job.crashes}
    assert charged <= site.ledger.in_flight
    record_property("soak", f"Redis: {figures}; {KILLS} kills, {CRASHES} of the server")


@pytest.mark.feature("crash")
def test_a_poison_job_ends_dead_and_no_neighbour_is_charged(site: Site) -> None:
    app = site.app
    # They are over at once: one that lasts may be known to run when its process dies.
    good = [app.plain.s(f"{n}") for n in range(NEIGHBOURS)]
    site.enqueue(good[::2])
    poison = app.poison("kill")
    assert poison is not None
    site.enqueue(good[1::2])

    site.wait(lambda: not site.waiting(), "all done")

    dead = site.job(poison.id)
    assert (dead.state, dead.reason, dead.crashes) == (State.DEAD, "crashed", 3)
    assert [error["type"] for error in dead.errors] == ["Crashed"] * 3
    assert site.states() == {"done": NEIGHBOURS, "dead": 1}
    assert {job.crashes for job in site.jobs(State.DONE)} == {0}
    assert site.ran("end").keys() == set(site.ledger.acked.values())
    # Once perhaps before anybody knows that it is this one.
    deaths = sum(member.begun - 1 for member in site.members)
    assert site.ran("start")[poison.id] == deaths
    assert deaths in (3, 4)
