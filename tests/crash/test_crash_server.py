"""A PostgreSQL server that fails under load, in every way that passes: consumers wait and go on,
nothing that was acknowledged is lost, and only a crash of the server makes a job run twice."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from hueycore.exceptions import StorageError
from tests import servers
from tests.crash.crashkit import Ledger, Place
from tests.helpers import or_skip, stays_true, wait_until
from tests.proxy import Proxy
from tests.servers import Server

pytestmark = pytest.mark.usefixtures("postgres_binaries")

CONSUMERS = 3
#: Jobs that are enqueued at once, and of which some have ended when the server fails.
BATCH, SOME = 80, 20
#: Seconds after which all must be done again.
PATIENCE = 60.0
#: Seconds before a crash in which a commit that did not wait for the disk may be undone.
UNSYNCED = 1.5
_WAITING = "select 1 from huey_job where finished_at is null limit 1"
#: Seconds without a server, and with one that is silent.
AWAY, SILENT = 3.0, 30.0 if "HUEYCTL_SOAK" in os.environ else 3.0


class Load(Place):
    """Consumers beyond a wire. The test enqueues on this side of it."""

    def __init__(
        self, folder: Path, server: Server, schema: str, wire: Proxy, chance: random.Random
    ) -> None:
        super().__init__(folder, servers.url(server.dsn, schema))
        self.server, self.wire, self.chance = server, wire, chance
        self._beyond = servers.url(wire.url, schema)
        self.ledger = Ledger(self)
        self._made = 0

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "CRASH_DB": self._beyond}

    def enqueue(self) -> None:
        """Jobs that are claimed in groups, and others; the same until they are acknowledged."""
        app, chance = self.app, self.chance
        tasks = [app.work.s(chance.random() / 50) for _ in range(BATCH // 2)]
        tasks += [app.plain.s(f"plain-{self._made + n}") for n in range(BATCH // 2)]
        chance.shuffle(tasks)
        self._made += BATCH
        self.ledger.enqueue_in_the_end(tasks, PATIENCE)

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.dsn, autocommit=True) as con:
            return con.execute(sql.encode()).fetchall()

    def is_idle(self) -> bool:
        with suppress(StorageError):
            return not self.storage.sql(_WAITING, results=True)
        return False

    def crash(self, strike: Callable[[], None]) -> None:
        """The newest claims and endings may be undone: their jobs run again."""
        struck = time.monotonic()
        strike()
        lately = {line.key for line in self.lines() if line.at > struck - UNSYNCED}
        assert lately, "no run was met: this proves nothing"
        self.ledger.in_flight |= lately


def restart(load: Load) -> None:
    load.server.restart()


def kill(load: Load) -> None:
    def strike() -> None:
        load.server.kill()
        load.server.start()

    load.crash(strike)


_IN_USE = """
    select pid from pg_stat_activity
    where application_name = 'hueycore' and state <> 'idle' order by random() limit 1
"""
_WALWRITER = "select pid from pg_stat_activity where backend_type = 'walwriter'"


def kill_one(load: Load) -> None:
    """SIGKILL of one process: the server ends all others, and recovers as after a crash."""
    before = load.execute(_WALWRITER)

    def strike() -> None:
        wait_until(lambda: [os.kill(int(str(pid)), signal.SIGKILL) for (pid,) in used(load)])
        wait_until(recovered, PATIENCE, "the server is back")

    def recovered() -> bool:
        with suppress(psycopg.OperationalError):
            return load.execute(_WALWRITER) not in ([], before)
        return False

    load.crash(strike)


def used(load: Load) -> list[tuple[object, ...]]:
    return load.execute(_IN_USE)


def end_all(load: Load) -> None:
    """As an administrator does."""
    load.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )


def end_one_by_one(load: Load) -> None:
    """In the middle of what they do."""
    for _ in range(10):
        wait_until(lambda: [end_one(load, pid) for (pid,) in used(load)])


def end_one(load: Load, pid: object) -> object:
    return load.execute(f"select pg_terminate_backend({pid})")


def cut(load: Load) -> None:
    load.wire.refuse()
    assert stays_true(lambda: load.ledger.acked != {}, AWAY)
    load.wire.mend()


def silence(load: Load) -> None:
    load.wire.hold()
    assert stays_true(lambda: load.ledger.acked != {}, SILENT)
    load.wire.release()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with or_skip(), servers.crashing() as made:
        yield made


@pytest.fixture
def load(tmp_path: Path, server: Server, chance: random.Random) -> Iterator[Load]:
    with ExitStack() as held:
        schema = held.enter_context(servers.schema(server.dsn))
        wire = held.enter_context(Proxy(server.dsn))
        made = Load(tmp_path, server, schema, wire, chance)
        held.callback(made.close)
        yield made


@pytest.mark.feature("crash", "several consumers")
@pytest.mark.parametrize(
    ("strike", "rounds"),
    [
        pytest.param(restart, 1, id="restarted"),
        # The second crash meets what the first one has undone.
        pytest.param(kill, 2, id="killed"),
        pytest.param(kill_one, 2, id="one process killed"),
        pytest.param(end_all, 1, id="all sessions ended"),
        pytest.param(end_one_by_one, 1, id="sessions ended one by one"),
        pytest.param(cut, 1, id="unreachable"),
        pytest.param(silence, 1, id="silent"),
    ],
)
def test_consumers_go_on_after_a_failure_of_the_server(
    load: Load, strike: Callable[[Load], None], rounds: int
) -> None:
    consumers = [load.consumer("-q") for _ in range(CONSUMERS)]
    for consumer in consumers:
        consumer.wait_ready()
    for _ in range(rounds):
        load.enqueue()
        load.enqueue()
        enough = sum(load.ran().values()) + SOME
        wait_until(lambda: sum(load.ran().values()) >= enough, PATIENCE, "some ended")  # noqa: B023
        strike(load)
        load.enqueue()
    wait_until(load.is_idle, PATIENCE, "all done")

    load.ledger.check()
    begun = load.ran("start")
    assert {key for key in begun if begun[key] > 1} <= load.ledger.in_flight
    assert [consumer.ended for consumer in consumers] == [False] * CONSUMERS
    for consumer in consumers:
        consumer.signal(signal.SIGTERM)
    assert [consumer.wait() for consumer in consumers] == [0] * CONSUMERS
    assert load.workers() == []
