"""A queue beyond one machine: three hosts that only share a server, and all that fails there."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from hueycore.model.states import State
from tests import servers
from tests.crash.crashkit import own_namespace
from tests.crash.network import HOST, Host, hosts
from tests.crash.site import PATIENCE, Member, Site
from tests.helpers import or_skip, wait_until
from tests.servers import Server

pytestmark = pytest.mark.usefixtures("postgres_binaries")

JOBS, KILLS = 2000, 10
#: Of the jobs that come before each strike, so many have ended when it does.
SOME = 100
#: Seconds of a link that is down: longer than the 30 s after which its host is given up.
DOWN = 40.0
#: Seconds before a crash of the server in which a commit that did not wait for the disk is lost.
UNSYNCED = 1.5


class Machine(Member):
    """A host with one consumer, whose processes nobody else sees."""

    def __init__(self, site: Network, host: Host) -> None:
        self.network, self.host = site, host
        super().__init__(site, host.name, under=(*host.under, *own_namespace()))

    def kill(self) -> None:
        """kill -9 of all, which another consumer follows. What had been claimed may run twice."""
        os.killpg(self.consumer.pid, signal.SIGKILL)
        self.consumer.wait()
        wait_until(lambda: self.host.address not in self.network.clients(), PATIENCE, "it is gone")
        # Nobody who cannot see that a process is gone takes its jobs back within two seconds.
        self.site.ledger.note_kill(self.numbers())
        self.consumer = self.begin()


class Network(Site):
    """The hosts, the server and the four sets."""

    def __init__(self, folder: Path, server: Server, chance: random.Random) -> None:
        super().__init__(folder, server.dsn, chance, no_server="PostgreSQL: connection to server")
        self.server = server

    def clients(self) -> set[str]:
        """The addresses of those who are connected."""
        with psycopg.connect(self.server.dsn) as con:
            rows = con.execute("select distinct host(client_addr) from pg_stat_activity").fetchall()
        return {row[0] for row in rows}

    def crash_server(self) -> None:
        """Claims and endings of the last moments are undone: their jobs run again."""
        killed = time.monotonic()
        self.server.kill()
        self.server.start()
        # What ran while it was away has lost its claim.
        self.ledger.in_flight |= {line.key for line in self.lines() if line.at > killed - UNSYNCED}


@pytest.fixture
def network() -> Iterator[list[Host]]:
    own_namespace()
    with hosts(3) as made:
        yield made


@pytest.fixture
def site(network: list[Host], tmp_path: Path, chance: random.Random) -> Iterator[Network]:
    with or_skip(), servers.crashing(host=HOST) as server:
        made = Network(tmp_path, server, chance)
        yield made
        made.close()


@pytest.mark.slow
@pytest.mark.skipif("HUEYCTL_SOAK" not in os.environ, reason="takes two minutes: HUEYCTL_SOAK=2")
@pytest.mark.feature("crash", "several consumers")
def test_three_hosts_lose_nothing_whatever_is_killed_restarted_or_cut_off(
    site: Network, network: list[Host], record_property: pytest.RecordProperty
) -> None:
    machines = [Machine(site, host) for host in network]
    site.members = [*machines]
    for machine in machines:
        machine.wait_at_work()
    strikes: list[Callable[[], None]] = [
        *(site.chance.choice(machines).kill for _ in range(KILLS)),
        site.server.restart,
        site.server.restart,
        site.crash_server,
    ]
    site.play(strikes, JOBS, SOME)
    held = cut_off(site, machines)
    record_property(
        "soak",
        f"three hosts: {site.check()}, {held} of the host that was cut off; {KILLS} kills, 3 "
        "restarts",
    )


def cut_off(site: Site, machines: list[Machine]) -> int:
    """A host without a link: its jobs run elsewhere, its endings are refused. How many."""
    for machine in machines:
        machine.wait_at_work()
    tasks = [site.app.gated.s(site.gate()) for _ in range(6)]
    site.enqueue(tasks)
    wait_until(
        lambda: noted(site) == len(tasks), PATIENCE, "all have begun, and it is written down"
    )
    site.members = []
    cut = max(machines, key=lambda machine: len(held_by(site, machine.numbers())))
    others = [machine for machine in machines if machine is not cut]
    mine = held_by(site, cut.numbers())
    assert mine

    cut.host.pull_out()
    began = time.monotonic()
    numbers = {number for machine in others for number in machine.numbers()}
    wait_until(lambda: mine <= held_by(site, numbers), PATIENCE, "they run elsewhere")
    assert time.monotonic() - began > 10, "it might have come back"
    site.ledger.in_flight |= mine
    wait_until(lambda: time.monotonic() - began > DOWN, DOWN, "the link is down for long")
    cut.host.plug_in()
    site.open_gate()

    wait_until(lambda: not site.waiting(), PATIENCE, "all done")
    assert {job.crashes for job in site.jobs() if job.id in mine} == {1}
    wait_until(lambda: all(site.ran()[key] == 2 for key in mine), PATIENCE, "both runs ended")
    wait_until(lambda: cut.consumer.ended, PATIENCE, "it must start again")
    assert "taken for dead" in cut.consumer.text()
    # What it ended was refused: the second runs are those that count.
    results = {site.huey.result(each, preserve=True) for each in mine}
    assert results == {"attempt 2"}
    return len(mine)


def noted(site: Site) -> int:
    return sum(len(row.running) for row in site.workers())


def held_by(site: Site, numbers: set[int | None]) -> set[str]:
    return {job.id for job in site.jobs(State.RUNNING) if job.worker in numbers}
