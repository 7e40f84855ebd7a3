"""Business rows and jobs in one transaction: whatever dies when, both are there or neither is."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from hueycore.storage.sqlite import SqliteStorage
from tests.examples.bank import Bank
from tests.helpers import PYTHONPATH, drain
from tests.storage.sqlite.faults.walkit import after_power_cut, valid_frames
from tests.storage.sqlite.invariants import check_invariants, violations

pytestmark = pytest.mark.feature("transactional enqueue")

RUN = "import sys; from tests.examples.bank import main; main(sys.argv[1])"

#: Each query finds the exceptions to its sentence.
PROMISES = {
    "every order has its job": """
        select number from transfer where not exists (
            select 1 from huey_job where id = 'move-' || number)
        """,
    "every job has its order": """
        select id from huey_job where not exists (
            select 1 from transfer where id = 'move-' || number)
        """,
    "money moved exactly when the job is done": """
        select number from transfer join huey_job on id = 'move-' || number
        where moved <> (state = 'done')
        """,
    "no euro is lost or made": """
        select 1 where (select sum(euros) from account) <> 1000000
            or (select euros from account where name = 'bob')
            <> (select coalesce(sum(euros * moved), 0) from transfer)
        """,
}


def broken(connection: sqlite3.Connection) -> list[str]:
    return [text for text, query in PROMISES.items() if connection.execute(query).fetchall()]


def test_a_power_cut_at_any_page_leaves_both_or_neither(tmp_path: Path) -> None:
    app = Bank(str(tmp_path / "bank.db"))
    storage = app.huey.storage
    assert isinstance(storage, SqliteStorage)
    storage.leave_checkpoints_to_janitor()
    storage.db.checkpoint(truncate=True)
    subprocess.run(["cp", app.path, app.path + ".base"], check=True)
    for euros in range(1, 9):
        app.order(euros)
    with pytest.raises(ZeroDivisionError), closing(app.connect()) as con, con, app.huey.using(con):
        con.execute("insert into transfer (euros) values (5)")
        app.move(99)
        1 / 0
    assert drain(app.huey) == 8
    log = Path(app.path + "-wal").read_bytes()
    app.huey.close()

    base = Path(app.path + ".base").read_bytes()
    seen = set()
    for frames in range(valid_frames(log) + 1):
        with closing(after_power_cut(tmp_path, base, log[: 32 + frames * 4120])) as con:
            assert broken(con) == [], f"after {frames} frames"
            assert violations(con) == [], f"after {frames} frames"
            seen.add(con.execute("select count(*), sum(moved) from transfer").fetchone())
    assert len(seen) == 17, "eight orders and eight runs, each a moment of its own"


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_both_or_neither(tmp_path: Path) -> None:
    path = str(tmp_path / "bank.db")
    dice = random.Random(4)
    done = 0
    for round_ in range(250):
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, path],
            stdout=subprocess.PIPE, env={"PYTHONPATH": PYTHONPATH},
        )  # fmt: skip
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(dice.uniform(0.0, 0.1))
        process.kill()
        process.wait()
        process.stdout.close()
        with closing(sqlite3.connect(path)) as con:
            assert broken(con) == [], f"kill {round_}"
            done = con.execute("select count(*) from transfer where moved").fetchone()[0]
        if round_ >= 24 and done > 20:
            break
    check_invariants(path)
    assert done > 20

    app = Bank(path)
    app.huey.storage.recover()
    drain(app.huey, limit=100_000)
    app.huey.close()

    with closing(sqlite3.connect(path)) as con:
        assert broken(con) == []
        assert con.execute("select count(*) from transfer where moved <> 1").fetchone() == (0,)
