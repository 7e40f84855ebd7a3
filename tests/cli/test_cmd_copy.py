"""enqueue --copy and --edit: the call of a job once more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from clikit import QueueFile

Invoke = Callable[..., Result]
FILE = ("-u", "queue.db")


@pytest.fixture
def editor(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """An editor that writes these texts, one each time that it is opened; where it keeps what it
    was given."""
    monkeypatch.setenv("TMPDIR", str(home / "drafts"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (home / "drafts").mkdir()

    def make(*texts: str | None) -> Path:
        for number, text in enumerate(texts):
            if text is not None:
                (home / f"text{number}").write_text(text)
        script = """
            n=$(cat HOME/times 2>/dev/null || echo 0)
            cp "$1" HOME/given
            ls -l "$1" >HOME/mode
            if [ -e HOME/text$n ]; then cp HOME/text$n "$1"; fi
            echo $((n + 1)) >HOME/times
            echo this is the screen of an editor
        """
        (home / "edit.sh").write_text(script.replace("HOME", str(home)))
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"sh {home}/edit.sh")
        return home / "given"

    return make


def drafts(home: Path) -> list[Path]:
    return sorted((home / "drafts").iterdir())


def text(*args: Any, **kwargs: Any) -> str:
    return json.dumps({"args": args, "kwargs": kwargs})


def copied(queue: QueueFile, result: Result) -> Any:
    assert result.exit_code == 0, result.output
    job = queue.storage.job(result.stdout.strip())
    assert job is not None
    return job


def call_of(queue: QueueFile, job: Any) -> Any:
    return queue.serializer.deserialize(queue.storage.payload(job.seq))


@pytest.mark.parametrize("app_words", [FILE, ("-A", "app:huey")])
def test_the_call_of_a_job_is_queued_once_more_whatever_became_of_it(
    mixed: QueueFile, app: str, invoke: Invoke, app_words: tuple[str, ...]
) -> None:
    for key, task, preview in (
        ("1", "app.add", "1, 2"), ("3", "app.mail.send", None), ("4", "app.mail.drop", None),
        ("5", "app.report", ""),
    ):  # fmt: skip
        before = mixed.storage.job(key)
        if app_words is not FILE and key != "1":
            continue
        job = copied(mixed, invoke("enqueue", *app_words, "--copy", key))
        assert before is not None
        assert (job.task, job.state, job.attempt) == (task, "pending", 0)
        assert job.preview == (before.preview if preview is None else preview)
        assert (job.priority, job.retries) == (before.priority, before.retries)
        assert call_of(mixed, job) == call_of(mixed, before)
        assert mixed.storage.job(key) == before


def test_a_dead_job_gets_all_of_its_tries_again(queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t", "a", retries=2, retry_delay=0, timeout=7.0, priority=3)
    queue.kill()
    before = queue.storage.job("1")
    assert before is not None
    job = copied(queue, invoke("enqueue", *FILE, "--copy", "1"))

    assert before.state == "dead"
    assert (job.retries, job.timeout, job.priority) == (2, 7.0, 3)
    again = copied(
        queue,
        invoke(
            "enqueue", *FILE, "--copy", "1", "--retries", "5", "--delay", "1h", "--priority", "0"
        ),
    )
    assert (again.retries, again.state, again.priority) == (5, "scheduled", 0)


def test_bytes_that_only_the_application_reads_are_copied_unread(
    queue: QueueFile, invoke: Invoke
) -> None:
    payload = b"\x02\x80\x04custom"
    queue.add("t", payload=payload, preview="Thing(1)")

    job = copied(queue, invoke("enqueue", *FILE, "--copy", "1"))
    edited = invoke("enqueue", *FILE, "--copy", "1", "--edit")

    assert queue.storage.payload(job.seq) == payload
    assert job.preview == "Thing(1)"
    assert (edited.exit_code, edited.stdout) == (6, "")
    assert "cannot be read" in edited.stderr
    assert "use -A" in edited.stderr


def test_a_stage_is_called_with_what_the_stages_before_it_gave(
    queue: QueueFile, invoke: Invoke
) -> None:
    first = invoke("enqueue", *FILE, "a", "--then", "b", "--json")
    assert first.exit_code == 0
    queue.finish(41)
    queue.finish(None)

    job = copied(queue, invoke("enqueue", *FILE, "--copy", "2"))

    assert (job.task, job.inputs, job.preview) == ("b", 0, "41")


def test_the_only_one_of_its_key_is_not_doubled(queue: QueueFile, invoke: Invoke) -> None:
    assert invoke("enqueue", *FILE, "t", "a", "--unique", "k").exit_code == 0

    twice = invoke("enqueue", *FILE, "--copy", "1")
    assert (twice.exit_code, twice.stdout) == (6, "")
    queue.finish()
    assert copied(queue, invoke("enqueue", *FILE, "--copy", "1")).unique_key == "k"
    other = invoke("enqueue", *FILE, "--copy", "1", "--edit")
    assert other.exit_code == 6
    assert "key" in other.stderr


def test_a_copy_stays_in_the_queue_of_its_job(home: Path, queue: QueueFile, invoke: Invoke) -> None:
    queue.add("t")
    mail = QueueFile(queue.where, "mail")
    try:
        key = mail.add("m")
        job = copied(mail, invoke("enqueue", *FILE, "--copy", key))
        assert job.queue == "mail"
        refused = invoke("enqueue", *FILE, "-Q", "huey", "--copy", key)
        assert refused.exit_code == 3
    finally:
        mail.storage.close()


@pytest.mark.parametrize(
    "words",
    [("--copy", "1", "task"), ("--copy", "1", "--args", "[]"), ("--edit", "task"),
     ("--copy", "1", "--from", "f")],
)  # fmt: skip
def test_what_makes_no_sense_with_a_copy_is_refused(
    mixed: QueueFile, home: Path, invoke: Invoke, words: tuple[str, ...]
) -> None:
    (home / "f").write_text("")

    assert invoke("enqueue", *FILE, *words).exit_code == 2
    assert invoke("enqueue", *FILE, "--copy", "99").exit_code == 3


# --- edit -----------------------------------------------------------------------------------------


def test_the_arguments_are_edited_as_json_first(
    mixed: QueueFile, home: Path, hueyctl: Callable[..., Any], editor: Callable[..., Path]
) -> None:
    given = editor(text("eve", user=8, deep={"list": []}))

    result = hueyctl("enqueue", *FILE, "--copy", "3", "--edit")

    assert result.returncode == 0, result.stderr
    assert json.loads(given.read_text()) == {
        "args": ["ann"], "kwargs": {"user": 8, "deep": {"list": [1, "two"]}},
    }  # fmt: skip
    job = mixed.storage.job(result.stdout.strip())  # the screen of the editor is not in it
    assert job is not None
    assert call_of(mixed, job) == (("eve",), {"user": 8, "deep": {"list": []}})
    assert (home / "mode").read_text().startswith("-rw-------")
    assert drafts(home) == []


def test_a_value_that_nobody_edited_keeps_its_type(
    queue: QueueFile, invoke: Invoke, editor: Callable[..., Path]
) -> None:
    queue.add("t", (1, 2), date(2030, 1, 31), kwargs={"raw": b"\x00", "n": 1})
    editor(text([1, 2], "2030-01-31", raw={"base64": "AA=="}, n=2, more="2030-01-31"))

    job = copied(queue, invoke("enqueue", *FILE, "--copy", "1", "--edit"))

    assert call_of(queue, job) == (
        ((1, 2), date(2030, 1, 31)), {"raw": b"\x00", "n": 2, "more": "2030-01-31"},
    )  # fmt: skip


def test_with_the_application_what_was_edited_fits_its_signature(
    mixed: QueueFile, home: Path, app: str, invoke: Invoke, editor: Callable[..., Path]
) -> None:
    editor(text("5", 2), text("x"))

    job = copied(mixed, invoke("enqueue", "-A", app, "--copy", "1", "--edit"))
    unfit = invoke("enqueue", "-A", app, "--copy", "1", "--edit")

    assert call_of(mixed, job) == ((5, 2), {})
    assert unfit.exit_code == 2
    assert "parameter 'a': 'x' is not a valid int" in unfit.stderr
    (kept,) = drafts(home)
    assert json.loads(kept.read_text()) == {"args": ["x"], "kwargs": {}}


@pytest.mark.parametrize("bad", ['{"args": [1', "[]", '{"args": {}}', '{"argz": []}', "NaN"])
def test_what_was_typed_is_kept_when_it_is_refused(
    mixed: QueueFile, home: Path, invoke: Invoke, editor: Callable[..., Path], bad: str
) -> None:
    editor(bad)

    result = invoke("enqueue", *FILE, "--copy", "3", "--edit")

    assert (result.exit_code, result.stdout) == (2, "")
    (kept,) = drafts(home)
    assert kept.read_text() == bad
    assert f"the text is kept in {kept}" in result.stderr
    assert mixed.storage.job("6") is None


def test_at_a_terminal_a_mistake_is_edited_again(
    mixed: QueueFile, home: Path, on_tty: Callable[..., Any], editor: Callable[..., Path]
) -> None:
    given = editor('{"args": ["eve"', text("eve"))

    code, shown = on_tty("enqueue", *FILE, "--copy", "3", "--edit", answer=b"\n")

    assert code == 0, shown
    assert "not JSON" in shown
    assert "Edit it again?" in shown
    assert given.read_text() == '{"args": ["eve"'
    assert "Queued 6  app.mail.send('eve')" in shown
    assert drafts(home) == []


def test_an_answer_of_no_keeps_the_text(
    mixed: QueueFile, home: Path, on_tty: Callable[..., Any], editor: Callable[..., Path]
) -> None:
    editor("{", text("eve"))

    code, _ = on_tty("enqueue", *FILE, "--copy", "3", "--edit", answer=b"n\n")

    assert code == 2
    assert [kept.read_text() for kept in drafts(home)] == ["{"]


def test_who_leaves_the_editor_without_saving_queues_nothing(
    mixed: QueueFile, home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch,
    editor: Callable[..., Path],
) -> None:  # fmt: skip
    editor()
    monkeypatch.setenv("EDITOR", "true")

    result = invoke("enqueue", *FILE, "--copy", "3", "--edit")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "left without saving: nothing was queued" in result.stderr
    (hint,) = [line for line in result.stderr.splitlines() if line.startswith("hint: ")]
    assert hint == "hint: hueyctl enqueue --copy 3 queues it as it is"
    assert mixed.storage.job("6") is None
    assert drafts(home) == []


@pytest.mark.parametrize(
    "save",
    ['text=$(cat "$1"; echo x); printf %s "${text%x}" >"$1"', 'cp "$1" "$1~"; mv "$1~" "$1"'],
    ids=["written", "another in its place"],
)
def test_what_is_saved_as_it_was_is_queued(
    mixed: QueueFile, home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch,
    editor: Callable[..., Path], save: str,
) -> None:  # fmt: skip
    editor()
    (home / "save.sh").write_text(save)
    monkeypatch.setenv("EDITOR", f"sh {home}/save.sh")

    job = copied(mixed, invoke("enqueue", *FILE, "--copy", "3", "--edit"))

    assert call_of(mixed, job) == (("ann",), {"user": 8, "deep": {"list": [1, "two"]}})
    assert drafts(home) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [("false", "ended with 1"), ("no-such-editor", "'no-such-editor': No such file"),
     ("truncate -s0", "is empty"), ("'", "cannot run the editor")],
)  # fmt: skip
def test_an_editor_that_fails_queues_nothing(
    mixed: QueueFile,
    home: Path,
    invoke: Invoke,
    editor: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    said: str,
) -> None:
    editor()
    monkeypatch.setenv("EDITOR", command)

    result = invoke("enqueue", *FILE, "--copy", "3", "--edit")

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert mixed.storage.job("6") is None
    assert drafts(home) == []
    assert invoke("enqueue", *FILE, "--copy", "3", "--edit", "--no-input").exit_code == 6


def test_without_a_terminal_and_an_editor_nothing_is_opened(
    mixed: QueueFile, home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setenv("PATH", str(home))
    (home / "vi").write_text("#!/bin/sh\ntrue\n")
    (home / "vi").chmod(0o755)

    result = invoke("enqueue", *FILE, "--copy", "3", "--edit")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "hint: set EDITOR" in result.stderr
    assert mixed.storage.job("6") is None
