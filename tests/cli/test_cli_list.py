"""list, pending, scheduled, depth: what is shown, in which order, in which format."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile
from hypothesis import given
from hypothesis import strategies as st

from hueyctl.errors import CliError
from hueyctl.selection import selection
from hueyctl.selection.choice import Choice
from hueyctl.selection.filters import parse

Invoke = Callable[..., Result]
JOB_KEYS = [
    "seq", "id", "queue", "task", "state", "reason", "args", "kwargs", "args_repr", "priority",
    "run_at", "enqueued_at", "started_at", "finished_at", "expires_at", "scheduled_for", "attempt",
    "retries", "retry_delay", "retry_backoff", "timeout", "crashes", "max_crashes", "at_most_once",
    "result_ttl", "worker", "claimed_at", "cancel_requested", "key_name", "unique_key",
    "unique_until", "next", "waits", "taken", "progress", "ran_by", "wait_s", "run_s", "error",
]  # fmt: skip


def seqs(result: Result) -> list[int]:
    assert result.exit_code == 0, result.output
    return [int(line.split("\t")[0]) for line in result.stdout.splitlines()]


def listed(invoke: Invoke, *words: str) -> list[int]:
    return seqs(invoke("list", "-u", "queue.db", *words))


def test_list_shows_what_waits_or_runs(mixed: QueueFile, invoke: Invoke) -> None:
    assert listed(invoke) == [3, 4, 5]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--state", "dead"], [2]),
        (["--state", "done,dead"], [1, 2]),
        (["--state", "done", "--state", "scheduled"], [1, 5]),
        (["--state", "all"], [1, 2, 3, 4, 5]),
        (["-a"], [1, 2, 3, 4, 5]),
        (["-a", "--task", "app.mail.*"], [3, 4]),
        (["-a", "--priority", "1..20"], [4]),
        (["-a", "--priority", "..0"], [1, 2, 3, 5]),
        (["-a", "--priority", "10"], [4]),
        (["-a", "-n", "2"], [1, 2]),
        (["-a", "-n", "0"], [1, 2, 3, 4, 5]),
        (["-a", "--sort", "-seq", "-n", "2"], [5, 4]),
        (["-a", "--sort", "task"], [1, 2, 4, 3, 5]),
        (["-a", "--sort", "-priority", "-n", "1"], [4]),
        (["-a", "--sort", "args"], [5, 3, 4, 1, 2]),
        (["-a", "--sort", "-error", "-n", "1"], [2]),
        (["-a", "--sort", "error.message", "-n", "4"], [1, 3, 4, 5]),
        (["-a", "--sort", "-kwargs.user"], [3, 2, 5, 4, 1]),
        (["-a", "--sort", "-args.0", "-n", "2", "--task", "app.mail.*"], [4, 3]),
        (["-a", "--sort", "-run", "--where", "error.type = TimeoutError"], [2]),
        (["--older-than", "1h"], []),
        (["--newer-than", "1h"], [3, 4, 5]),
        (["1", "4"], [1, 4]),
        (["1", "4", "--state", "pending"], [4]),
        (["99"], []),
        (["-a", "--where", "attempt > 0"], [1, 2]),
        (["-a", "--where", "state = dead"], [2]),
        (["-a", "--where", "seq < 99999999999999999999", "--where", "seq > 4"], [5]),
        (["-a", "--where", "task ~ mail"], [3, 4]),
        (["-a", "--where", "run_at > +10m"], [5]),
        (["-a", "--where", "run-at <= now"], [1, 2, 3, 4]),
        (["-a", "--where", "finished_at != null"], [1, 2]),
        (["-a", "--where", "finished_at = null", "--where", "priority >= 10"], [4]),
        (["-a", "--where", "args ~ ann"], [3]),
        (["-a", "--where", "args.0 = bob"], [4]),
        (["-a", "--where", "args.1 > 2"], [4]),
        (["-a", "--where", "args.1 >= 2"], [1, 4]),
        (["-a", "--where", "args.9 != 1"], []),
        (["-a", "--where", "kwargs.user = 7"], [2]),
        (["-a", "--where", "kwargs.user != 7"], [3]),
        (["-a", "--where", "kwargs.deep.list.1 = 'two'"], [3]),
        (["-a", "--where", "error.type = TimeoutError"], [2]),
        (["-a", "--where", "error.message ~ slow"], [2]),
        (["-a", "--where", "kwargs.user > 1", "-n", "1"], [2]),
        (["-a", "--where", "at_most_once = no", "-n", "1"], [1]),
    ],
)
def test_selectors_narrow(
    mixed: QueueFile, invoke: Invoke, words: list[str], wanted: list[int]
) -> None:
    assert listed(invoke, *words) == wanted


@pytest.mark.parametrize(
    "words",
    [
        ["--state", "deed"], ["--where", "nonsense"], ["--where", "atempt > 1"], ["--sort", "nope"],
        ["--priority", "x"], ["--priority", ".."], ["--older-than", "x"], ["-n", "-1"],
        ["--where", "run_at > soon"], ["--where", "attempt > many"], ["--where", "taken = maybe"],
        ["--columns", "nope"], ["--follow", "--count"], ["--follow", "--json"],
        ["--time-format", "x"],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_a_usage_error(
    mixed: QueueFile, invoke: Invoke, words: list[str]
) -> None:
    result = invoke("list", "-u", "queue.db", *words)

    assert result.exit_code == 2, result.output


@given(st.text(max_size=40), st.sampled_from(["", "attempt", "run_at", "args.0", "taken"]))
def test_any_condition_is_understood_or_a_usage_error(text: str, field: str) -> None:
    try:
        parse(field + text, now=0.0)
    except CliError as error:
        assert error.code == 2


def test_ids_come_from_stdin_and_a_long_id_wins(mixed: QueueFile, invoke: Invoke) -> None:
    job = mixed.storage.job("3")
    assert job is not None

    result = invoke("list", "-u", "queue.db", "-", input=f"{job.id}\n\n 4 \n4\n")

    assert seqs(result) == [3, 4]
    assert seqs(invoke("list", "-u", "queue.db", "-", input="")) == []


def test_an_id_that_looks_like_a_number_wins_over_the_number(
    mixed: QueueFile, invoke: Invoke
) -> None:
    mixed.add("app.add", id="3")

    assert listed(invoke, "3") == [6]


def test_count_and_exit_code_are_for_scripts(mixed: QueueFile, invoke: Invoke) -> None:
    def ask(*words: str) -> tuple[int, str]:
        result = invoke("list", "-u", "queue.db", *words)
        return result.exit_code, result.stdout

    assert ask("--count") == (0, "3\n")
    assert ask("--count", "-a", "-n", "1") == (0, "5\n")
    assert ask("--count", "-a", "--where", "kwargs.user > 1") == (0, "2\n")
    assert ask("--count", "--json") == (0, "3\n")
    assert ask("--state", "expired") == (0, "")
    assert ask("--state", "expired", "--exit-code") == (4, "")
    assert ask("--state", "expired", "--json") == (0, "[]\n")
    assert ask("--state", "expired", "-o", "jsonl") == (0, "")
    assert ask("--exit-code", "-n", "1")[0] == 0


def test_what_cannot_be_decoded_is_counted_aloud(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.add("app.secret", payload=b"\x7fopaque", preview=None)

    result = invoke("list", "-u", "queue.db", "-a", "--where", "args.0 = ann")

    assert seqs(result) == [3]
    assert "1 jobs left out" in result.stderr


def test_pending_is_in_running_order_and_numbered(mixed: QueueFile, invoke: Invoke) -> None:
    lines = invoke("pending", "-u", "queue.db").stdout.splitlines()

    assert [line.split("\t")[:3] for line in lines] == [
        ["1", "4", "app.mail.drop"],
        ["2", "3", "app.mail.send"],
    ]


def test_scheduled_is_soonest_first(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.add("app.soon", run_at=time.time() + 60)

    assert seqs(invoke("scheduled", "-u", "queue.db")) == [6, 5]


def test_a_pipe_gets_tabs_without_a_header(mixed: QueueFile, invoke: Invoke) -> None:
    line = invoke("list", "-u", "queue.db", "4").stdout.rstrip("\n").split("\t")

    assert line[:4] == ["4", "pending", "app.mail.drop", "'bob', 2.5"]
    assert line[4].endswith("Z")
    assert float(line[5]) >= 0
    assert line[6:] == ["10", "1/4"]


def test_named_formats_have_headers_unless_they_are_refused(
    mixed: QueueFile, invoke: Invoke
) -> None:
    def lines(*words: str) -> list[str]:
        return invoke("list", "-u", "queue.db", "4", *words).stdout.splitlines()

    assert lines("-o", "tsv")[0].startswith("SEQ\tSTATE\tTASK")
    assert len(lines("-o", "tsv", "--no-headers")) == 1
    for form in ("csv", "plain", "table", "wide"):
        assert lines("-o", form)[0].startswith("SEQ")
        assert len(lines("-o", form, "--no-headers")) == 1
    assert next(csv.reader(io.StringIO(lines("-o", "csv")[1])))[3] == "'bob', 2.5"
    assert "WORKER" in lines("-o", "wide")[0]
    assert lines("-o", "github")[1].startswith("|--")


def test_a_format_of_tabulate_does_not_take_ids_for_numbers(
    queue: QueueFile, invoke: Invoke
) -> None:
    queue.add("app.add", id="12e4")

    shown = invoke("list", "-u", "queue.db", "-o", "simple", "--columns", "id").stdout

    assert "12e4" in shown


def test_name_prints_long_ids(mixed: QueueFile, invoke: Invoke) -> None:
    job = mixed.storage.job("4")
    assert job is not None

    assert invoke("list", "-u", "queue.db", "4", "-o", "name").stdout == f"{job.id}\n"
    assert invoke("list", "-u", "queue.db", "-o", "name").stdout.count("\n") == 3


def test_columns_are_chosen_by_key_or_header(mixed: QueueFile, invoke: Invoke) -> None:
    def first(*words: str) -> Any:
        return invoke("list", "-u", "queue.db", "2", *words).stdout

    assert first("--columns", "seq,TASK,error") == "2\tapp.boom\tTimeoutError: too slow\n"
    assert first("--columns", "PRI,run-at,state", "--time-format", "unix").startswith("0\t1")
    assert json.loads(first("--columns", "seq,state", "--json")) == [{"seq": 2, "state": "dead"}]
    refused = invoke("list", "-u", "queue.db", "--columns", "sequ")
    assert "seq" in refused.stderr
    assert "run_at" in refused.stderr


def test_what_lies_inside_a_job_is_a_column_as_well(mixed: QueueFile, invoke: Invoke) -> None:
    words = (
        "list",
        "-u",
        "queue.db",
        "-a",
        "--columns",
        "seq,kwargs.user,args.0,error.type,kwargs.deep",
    )
    text, found = invoke(*words), json.loads(invoke(*words, "--json").stdout)

    assert [line.split("\t") for line in text.stdout.splitlines()] == [
        ["1", "", "1", "", ""],
        ["2", "7", "", "TimeoutError", ""],
        ["3", "8", "ann", "", '{"list": [1, "two"]}'],
        ["4", "", "bob", "", ""],
        ["5", "", "", "", ""],
    ]
    assert found[1] == {
        "seq": 2, "kwargs.user": 7, "args.0": None, "error.type": "TimeoutError",
        "kwargs.deep": None,
    }  # fmt: skip
    assert found[2]["kwargs.deep"] == {"list": [1, "two"]}
    sheet = invoke("show", "-u", "queue.db", "2", "--columns", "error.type")
    assert sheet.stdout == "TimeoutError\n"


@pytest.mark.parametrize("command", ["list", "pending", "scheduled", "dead list"])
def test_every_column_that_is_shown_sorts_by_its_key_and_by_its_header(
    mixed: QueueFile, invoke: Invoke, command: str
) -> None:
    words = (*command.split(), "-u", "queue.db")
    heads = invoke(*words, "-o", "wide").stdout.splitlines()[0].split()
    known = invoke(*words, "--columns", "nothing").stderr.splitlines()[1].partition("are ")[2]

    for name in [*heads, *known.split(", ")]:
        result = invoke(*words, "--sort", name)
        assert result.exit_code == 0, (name, result.output)


def test_json_has_every_key_of_a_job_and_nothing_else(mixed: QueueFile, invoke: Invoke) -> None:
    jobs = json.loads(invoke("list", "-u", "queue.db", "-a", "--json").stdout)

    assert [list(job) for job in jobs] == [JOB_KEYS] * 5
    done, dead, waiting = jobs[:3]
    assert done["args"] == [1, 2]
    assert done["run_s"] == 0.5
    assert done["error"] is None
    assert dead["error"]["type"] == "TimeoutError"
    assert dead["error"]["traceback"].startswith("Traceback")
    assert waiting["kwargs"] == {"user": 8, "deep": {"list": [1, "two"]}}
    assert waiting["started_at"] is None
    assert waiting["run_at"].endswith("Z")
    assert isinstance(waiting["id"], str)


def test_jsonl_is_one_object_per_line(mixed: QueueFile, invoke: Invoke) -> None:
    lines = invoke("list", "-u", "queue.db", "-a", "-o", "jsonl").stdout.splitlines()

    assert [json.loads(line)["seq"] for line in lines] == [1, 2, 3, 4, 5]


def test_values_without_a_json_form_are_written_plainly(queue: QueueFile, invoke: Invoke) -> None:
    import datetime
    import decimal
    import uuid

    moment = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
    queue.add(
        "app.task", (1, 2), {3}, moment, datetime.date(2030, 1, 2), decimal.Decimal("1.10"),
        uuid.UUID(int=1), b"\x00\xff", float("nan"), datetime.timedelta(seconds=90), None,
        kwargs={"map": {1: "x"}},
    )  # fmt: skip

    job = json.loads(invoke("list", "-u", "queue.db", "--json").stdout)[0]

    assert job["args"] == [
        [1, 2], [3], "2030-01-01T00:00:00.000Z", "2030-01-02", "1.10",
        "00000000-0000-0000-0000-000000000001", {"base64": "AP8="}, "nan", 90.0, None,
    ]  # fmt: skip
    assert job["kwargs"] == {"map": {"1": "x"}}


# --- looking into very many -----------------------------------------------------------------------


def many(queue: QueueFile, number: int) -> None:
    """Jobs 1 to ``number``, each with its place as its argument."""
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    payloads = [queue.serializer.serialize(((place,), {})) for place in range(number)]
    queue.storage.enqueue([NewJob(new_id(), "app.task", payload) for payload in payloads])


def test_a_command_looks_into_so_many_jobs_and_says_how_to_go_on(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert selection.LOOKED_AT == 50_000
    monkeypatch.setattr(selection, "LOOKED_AT", 250)
    many(queue, 400)
    words = ("list", "-u", "queue.db", "--where", "args.0 >= 249")
    said = "hueyctl: looked at the arguments of 250 jobs and no more; "

    first = invoke(*words)
    assert seqs(first) == [250]
    assert first.stderr == f"{said}go on with --where 'seq > 250', or -n 0 for all\n"
    rest = invoke(*words, "--where", "seq > 250")
    assert (seqs(rest), rest.stderr) == (list(range(251, 401)), "")
    everything = invoke(*words, "-n", "0")
    assert (seqs(everything), everything.stderr) == (list(range(250, 401)), "")
    backwards = invoke(*words, "--sort=-seq", "--where", "args.0 < 10")
    assert "go on with --where 'seq < 151'" in backwards.stderr
    assert "narrow it by a column, or --sort seq" in invoke(*words, "--sort", "priority").stderr
    assert invoke(*words, "--count").stdout == "1\n"
    assert invoke(*words, "--state", "dead").stderr == ""


def test_where_states_come_in_turn_it_says_how_to_learn_where_to_go_on(
    queue: QueueFile, capsys: pytest.CaptureFixture[str]
) -> None:
    many(queue, 250)
    found = Choice(where=("args.0 > 240",), state=("pending", "scheduled")).selection(())
    found.most = 200

    assert found.in_turn(queue.storage) == []
    found.say_left_out()

    assert "--sort seq tells where to go on, or -n 0 for all" in capsys.readouterr().err


def test_very_many_jobs_are_sorted_by_an_argument_that_is_read_in_groups(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(queue, 250)
    engine = type(queue.storage)
    monkeypatch.setattr(engine, "payload", None)

    found = invoke("list", "-u", "queue.db", "--sort=-args.0", "-n", "2")

    assert seqs(found) == [250, 249]


def test_a_change_says_so_before_it_asks(
    queue: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "LOOKED_AT", 250)
    many(queue, 400)

    refused = invoke("revoke", "-u", "queue.db", "--where", "args.0 >= 200")

    assert refused.exit_code == 6
    assert refused.stderr.splitlines()[0].endswith(
        "go on with --where 'seq > 250', or -n 0 for all"
    )
    assert "revoke 50 jobs" in refused.stderr
    dumped = invoke("dump", "-u", "queue.db", "--where", "args.0 >= 200").stdout
    assert dumped.count('"app.task"') == 200


def test_arguments_of_very_many_jobs_are_looked_into_within_seconds_and_a_person_sees_it(
    queue: QueueFile, on_tty: Callable[..., Any]
) -> None:
    for _ in range(5):
        many(queue, 10_000)
    start = time.monotonic()

    code, shown = on_tty("list", "-u", "queue.db", "--where", "args.0 = 9999", "-n", "10")

    assert time.monotonic() - start < 15
    assert code == 0
    assert re.search(r"\r\x1b\[K[\d,]+ of 50,000 jobs", shown)
    assert len([line for line in shown.splitlines() if "app.task" in line]) == 5


def test_arguments_are_those_of_the_jobs_own_queue(queue: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(queue.where, "mail")
    queue.add("app.add", "ours")
    mail.add("mail.send", "theirs")
    mail.storage.close()

    found = {
        job["task"]: job["args"]
        for job in json.loads(invoke("list", "-u", "queue.db", "--json").stdout)
    }
    assert found == {"app.add": ["ours"], "mail.send": ["theirs"]}
    words = ("--where", "args.0 = theirs", "--columns", "task")
    assert invoke("list", "-u", "queue.db", *words).stdout == "mail.send\n"
