"""A transfer of money, rows and job in one transaction of psycopg: both or neither, whoever is
killed, the client or the server, and at whatever step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from hueycore.exceptions import HueyException
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.storage.postgres import PostgresStorage
from tests.crash.crashkit import DEADLINE, ROOT
from tests.crash.transferapp import STEPS, Bank
from tests.helpers import drain, wait_until
from tests.servers import Server

SCHEMA = "create table entry (number int, name text, euros int)"


@pytest.fixture
def bank(postgres_server: Server) -> Iterator[Bank]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as con:
        con.execute(SCHEMA)
    made = Bank(postgres_server.dsn, postgres_server.dsn)
    made.transfer(0, lambda step: None)
    yield made
    made.huey.close()


def books(server: Server) -> dict[int, tuple[int, int]]:
    """{number of a transfer: (rows, jobs)}, of those of which there is anything."""
    with psycopg.connect(server.dsn) as con:
        rows = con.execute(
            """
            select number, sum(rows)::int, sum(jobs)::int from (
                select number, 1 as rows, 0 as jobs from entry union all
                select split_part(id, '-', 2)::int, 0, 1 from huey_job) as found
            group by number
            """
        ).fetchall()
    return {number: (rows, jobs) for number, rows, jobs in rows}


@contextmanager
def teller(server: Server, first: int) -> Iterator[subprocess.Popen[str]]:
    """The bank in a process of its own: it says what comes next, and waits for a line."""
    environment = {**os.environ, "BANK_URL": server.dsn, "BANK_DSN": server.dsn}
    environment["PYTHONPATH"] = os.pathsep.join((str(ROOT / "core"), str(ROOT)))
    process = subprocess.Popen(
        [sys.executable, "-c", f"from tests.crash.transferapp import main; main({first})"],
        cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)


def go_on_until(process: subprocess.Popen[str], step: str, *, times: int = 2) -> int:
    """Lead the process to a step of its second transfer: the number of that."""
    assert process.stdin is not None and process.stdout is not None
    while True:
        number, at = process.stdout.readline().split()
        times -= at == step
        if not times:
            return int(number)
        process.stdin.write("\n")
        process.stdin.flush()


def idle(server: Server) -> bool:
    """Whether nobody is in a transaction."""
    with psycopg.connect(server.dsn) as con:
        row = con.execute(
            """
            select count(*) from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid()
                and state <> 'idle'
            """
        ).fetchone()
    return row == (0,)


@pytest.mark.feature("transactional enqueue", "crash")
def test_a_client_killed_at_any_step_leaves_both_or_neither(
    bank: Bank, postgres_server: Server
) -> None:
    done = {0}
    for turn, step in enumerate(STEPS, start=1):
        with teller(postgres_server, turn * 1000) as process:
            number = go_on_until(process, step)
            done.add(number - 1)
            if step == "commit":  # it is sent, and nobody reads the answer
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE)
        wait_until(lambda: idle(postgres_server), DEADLINE, "the server has noticed")
        found = books(postgres_server)
        assert set(found.values()) == {(2, 1)}, step
        assert found.keys() - {number} == done
        assert (number in found) == (step == "committed") or step == "commit"
        done = set(found)

    assert drain(bank.huey) == len(done)
    with closing(PostgresStorage(postgres_server.dsn, "bank")) as storage:
        assert {job.state for job in storage.jobs(Selector())} == {State.DONE}


@pytest.mark.slow
@pytest.mark.feature("transactional enqueue", "crash")
@pytest.mark.parametrize("how", ["backend", "server", "restart"])
def test_a_server_killed_at_any_step_leaves_both_or_neither(
    bank: Bank, postgres_server: Server, how: str
) -> None:
    def strike() -> None:
        if how == "restart":
            postgres_server.restart()
        elif how == "server":
            postgres_server.kill()
            postgres_server.start()
        else:
            with psycopg.connect(postgres_server.dsn, autocommit=True) as con:
                con.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where backend_type = 'client backend' and pid <> pg_backend_pid()"
                )

    done = {0}
    for number, step in enumerate(STEPS, start=1):

        def on_step(at: str, step: str = step) -> None:
            if at == step:
                strike()

        try:
            bank.transfer(number, on_step)
            done.add(number)
        except (psycopg.Error, HueyException):
            if step == "committed":
                done.add(number)  # what was acknowledged is there
        found = books(postgres_server)
        assert set(found.values()) == {(2, 1)}, step
        assert found.keys() == done, step

    bank.transfer(100, lambda step: None)
    assert drain(bank.huey) == len(done) + 1
