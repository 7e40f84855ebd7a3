"""Rows that somebody else wrote to: each is shown as bad, none blinds a listing or the figures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile

from hueycore.serializer import JSON, PICKLE
from tests.storage.engines import lab_of
from tests.storage.sql.lab import sql, write

Invoke = Callable[..., Result]

pytestmark = pytest.mark.sql_only("rows are written to in their tables")

DEEP = "[" * 100_000
MANY_DIGITS = "9" * 5000
BROKEN = ("", "{", "null", "5", '"s"', "[1]", "[null]", '{"a":"b"}', DEEP, MANY_DIGITS, "\x1b[2J")
ERRORS = (
    *BROKEN,
    '[{"type":[1],"message":{},"at":"x","attempt":[],"traceback":7,"run_s":"x"}]',
    '[{"type":"T","message":"m","at":1e400,"run_s":-1e400}]',
)
HISTOGRAMS = (
    *BROKEN,
    *('{"x":1}', '{"5":"x"}', '{"5":null}', '{"99999":5}', '{"-7":1e400}', '{"1":-5}'),
    f'{{"1":{"9" * 4000}}}',
)
PAYLOADS = (
    *(b"", b"\x01", b"\x02{", b"\x10xx", b"\xff", bytes([JSON]) + b"[" * 90_000),
    bytes([PICKLE]) + b")" + b"\x85" * 90_000 + b"}\x86.",
    bytes([PICKLE]) + b"(}" + b")" + b"2\x86" * 60 + b"Nst}\x86.",
    bytes([PICKLE]) + b"cuuid\nUUID\n)\x81\x85}\x86.",
)
#: No UTF-8, which a server refuses.
BYTES = b"\xff\xfe"
INFINITIES = (float("inf"), float("-inf"), 1e308, -1e308)
TEXTS = ("", "\x1b[2J\u202e\x85", DEEP, BYTES)
TEXT_COLUMNS = ("reason", "key_name", "ticket", "unique_key", "preview", "progress", "task", "id")
TIMES = ("run_at", "enqueued_at", "started_at", "finished_at", "expires_at", "scheduled_for")

LISTINGS = [
    ["list", "--state", "all", "-n", "0"],
    ["list", "--state", "all", "-n", "0", "--json"],
    ["list", "--state", "all", "-n", "0", "-o", "wide"],
    ["list", "--state", "all", "-n", "0", "-o", "csv"],
    ["list", "--state", "all", "-n", "0", "--where", "args.0=good", "--json"],
]
READING = [
    *LISTINGS,
    ["pending"], ["scheduled"], ["depth", "--by", "task"], ["stats"], ["stats", "--json"],
    ["stats", "--by", "task", "--window", "1d"], ["metrics"], ["check"], ["workers", "--json"],
    ["workers"], ["events"], ["events", "--json"], ["lock", "list"], ["dead", "list", "--json"],
    ["dead", "list"], ["dead", "summary"], ["dead", "summary", "--json"], ["dead", "dump"],
    ["periodic", "list"], ["periodic", "list", "--json"], ["periodic", "next"],
    ["purge", "dead", "--dry-run"],
]  # fmt: skip


def expression(value: Any) -> str:
    return "cast(? as text)" if isinstance(value, bytes) else "?"


class Plant:
    """Writes into a queue as no release would."""

    def __init__(self, queue: QueueFile) -> None:
        self.queue = queue
        self.number = 0
        self.in_file = "://" not in str(queue.where)
        self.texts = TEXTS if self.in_file else TEXTS[:-1]
        lab_of(queue.storage).lift_checks()

    def jobs(self, column: str, values: Any, table: str = "huey_job") -> None:
        """For each value a dead job and one that waits."""
        for value in values:
            self.queue.add("app.bad")
            self.queue.kill()
            self.queue.add("app.bad", retries=1, run_at=time.time() + 3600)
            ((last,),) = sql(self.queue.storage, "select max(seq) from huey_job")
            for seq in (last, last - 1):
                mark = str(seq) if isinstance(value, str) else str(seq).encode()
                unique = value + mark if column == "id" else value
                place = expression(value) if table == "huey_job" else "?"
                self.rows(f"update {table} set {column} = {place} where seq = ?", unique, seq)
                self.number += 1

    def rows(self, query: str, *values: Any) -> None:
        write(self.queue.storage, query, *values)


@pytest.fixture
def plant(queue: QueueFile) -> Plant:
    queue.add("app.good", "good")
    queue.finish(7)
    queue.add("app.good", "good")
    queue.kill("GoodError", "as it should be")
    made = Plant(queue)
    made.rows("insert into huey_event (queue, at, signal) values ('huey', ?, 'error')", time.time())
    return made


def look(invoke: Invoke, words: list[str]) -> Result:
    result = invoke(*words, "-u", "queue.db")
    allowed = (0, 1, 2) if words[0] == "check" else (0,)
    assert result.exit_code in allowed, (words, result.stderr[:500])
    assert "Traceback" not in result.stderr
    if "--json" in words:
        json.loads(result.stdout)
    return result


def look_everywhere(invoke: Invoke, plant: Plant, total: int) -> None:
    for words in READING:
        result = look(invoke, words)
        if words in LISTINGS[:2]:
            lines = (
                result.stdout.splitlines() if "--json" not in words else json.loads(result.stdout)
            )
            assert len(lines) == total
    assert "GoodError" in look(invoke, ["dead", "summary"]).stdout
    assert "hueyctl_runs_total{" in look(invoke, ["metrics"]).stdout
    for seq in range(1, total + 1):
        for words in (["show", str(seq)], ["show", str(seq), "--json"], ["why", str(seq)]):
            look(invoke, words)


@pytest.mark.parametrize("column", ["errors", "payload", "result", *TEXT_COLUMNS, *TIMES])
def test_a_bad_job_is_one_row_among_the_others(plant: Plant, invoke: Invoke, column: str) -> None:
    table = f"huey_{column}" if column in ("payload", "result") else "huey_job"
    values: Any = plant.texts
    if column == "errors":
        values = ERRORS
    elif table != "huey_job":
        values = PAYLOADS
    elif column in TIMES:
        values = INFINITIES
    if column in ("task", "id"):
        values = values[1:]
    plant.jobs(column, values, table)
    plant.queue.add("app.waits")
    if column in TIMES and column not in ("started_at", "finished_at"):
        plant.rows(f"update huey_job set {column} = ? where task = 'app.waits'", -INFINITIES[0])
    look_everywhere(invoke, plant, 3 + plant.number)


def test_errors_that_cannot_be_read_are_shown_as_such(plant: Plant, invoke: Invoke) -> None:
    plant.jobs("errors", ["{"])
    (bad,) = json.loads(look(invoke, ["dead", "list", "--json", "--task", "app.bad"]).stdout)
    assert bad["error"]["type"] == "UnreadableErrors"
    assert bad["error"]["message"] == "the row says '{'"


def good(stats: dict[str, Any]) -> list[dict[str, Any]]:
    """What is said of the good task, but for what changes as time goes on."""
    moving = ("out_per_s", "failed_per_s", "trend")
    return [
        {name: value for name, value in row.items() if name not in moving}
        for row in stats["tasks"]
        if row["task"] == "app.good"
    ]


def test_a_bad_histogram_leaves_the_figures_of_the_others(plant: Plant, invoke: Invoke) -> None:
    before = look(invoke, ["stats", "--json"]).stdout
    for number, text in enumerate(HISTOGRAMS):
        plant.rows(
            "insert into huey_metric (queue, minute, task, done, run_hist, wait_hist) "
            "values ('huey', ?, ?, 1, ?, ?)",
            time.time() // 60, f"app.bad{number}", text, text,
        )  # fmt: skip
    for words in READING:
        look(invoke, words)
    after = json.loads(look(invoke, ["stats", "--json"]).stdout)
    assert good(after) == good(json.loads(before))
    assert len([row for row in after["tasks"] if row["task"].startswith("app.bad")]) == len(
        HISTOGRAMS
    )


def test_other_tables_may_hold_anything(plant: Plant, invoke: Invoke) -> None:
    for number, text in enumerate(plant.texts):
        there, name = expression(text), f"{number}"
        plant.rows(
            "insert into huey_periodic (queue, name, task, schedule, tz, next_run, options) "
            f"values ('huey', ?, {there}, {there}, {there}, ?, ?)",
            f"p{name}", text, text, text, INFINITIES[number], BROKEN[number],
        )  # fmt: skip
        plant.rows(
            "insert into huey_event (queue, at, signal, task, worker, error, reason, run_s) "
            f"values ('huey', ?, {there}, {there}, {there}, {there}, {there}, ?)",
            INFINITIES[number], *(text,) * 5, INFINITIES[number],
        )  # fmt: skip
        plant.rows(
            f"insert into huey_log values (2, ?, 'huey', 1, ?, {there}, {there})",
            number, INFINITIES[number], text, text,
        )  # fmt: skip
        plant.rows(
            "insert into huey_flag (queue, kind, name, since, until, reason, by) "
            f"values ('huey', 'paused-task', ?, ?, ?, {there}, {there})",
            f"f{name}", INFINITIES[number], INFINITIES[number], text, text,
        )  # fmt: skip
        plant.rows(
            "insert into huey_value (queue, kind, name, owner, created_at, expires_at) "
            f"values ('huey', 'lock', {there}, 4000, ?, ?)",
            text, INFINITIES[number], INFINITIES[number],
        )  # fmt: skip
        plant.rows(
            "insert into huey_worker (id, queue, name, host, pid, boot_id, kind, slots, "
            f"started_at, side) values (?, 'huey', {there}, {there}, 1, {there}, {there}, 1, ?, 1)",
            4000 + number, text, text, text, text, INFINITIES[number],
        )  # fmt: skip
        plant.rows(f"insert into huey_meta values (?, {there})", f"folded {name}", text)
    plant.rows("insert into huey_meta values ('folded huey', ?)", MANY_DIGITS)
    for words in [
        *READING,
        *([["db", "backup", "copy.db", "--overwrite"]] if plant.in_file else []),
        ["logs", "2"],
        ["logs", "2", "--json"],
        ["show", "2"],
        ["why", "app.good"],
    ]:
        if words != ["why", "app.good"]:
            look(invoke, words)
    report = json.loads(invoke("doctor", "--full", "--json", "-u", "queue.db").stdout)
    assert not [check for check in report["checks"] if "internal error" in str(check)]
    found = json.loads(look(invoke, ["periodic", "list", "--json"]).stdout)
    assert [row["name"] for row in found] == [f"p{n}" for n in range(len(plant.texts))]


def test_a_schema_version_that_is_none_is_a_damaged_file(plant: Plant, invoke: Invoke) -> None:
    for text in ("", "x", MANY_DIGITS):
        plant.rows("update huey_meta set value = ? where name = 'schema'", text)
        result = invoke("list", "-u", "queue.db")
        assert result.exit_code == 69
        assert "damaged" in result.stderr


def test_a_bad_dead_letter_goes_out_into_a_file_and_in_again(plant: Plant, invoke: Invoke) -> None:
    plant.jobs("errors", ["{"])
    assert invoke("dead", "dump", "-u", "queue.db", "--to", "dead.jsonl").exit_code == 0
    assert invoke("dead", "load", "dead.jsonl", "-u", "new.db", "--create").exit_code == 0
    found = json.loads(invoke("dead", "list", "--json", "-u", "new.db").stdout)
    assert {row["error"]["type"] for row in found} == {"GoodError", "UnreadableErrors"}
    assert invoke("dead", "retry", "--all", "--yes", "-u", "queue.db").exit_code == 0
