"""What must not be read: passwords in messages, controls on a terminal, probes by strangers."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from clikit import QueueFile

from hueycore.system.mask import masked
from hueyctl import streams
from hueyctl.service.http import Answer, Server
from hueyctl.service.logs import JsonFormatter, TextFormatter

Invoke = Callable[..., Result]
Run = Callable[..., subprocess.CompletedProcess[str]]
Tty = Callable[..., tuple[int, str]]

QUERY = "redis://cache/0?password=sesame&db=1"
USER = "redis://ann:sesame@cache/0"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (QUERY, "redis://cache/0?password=***&db=1"),
        (USER, "redis://ann:***@cache/0"),
        ("redis://:sesame@cache", "redis://:***@cache"),
        ("redis://ann:se@same/x@cache/0", "redis://ann:***@cache/0"),
        ("x.db?name=huey&PassWord=sesame", "x.db?name=huey&PassWord=***"),
        ("u://h?db_passwd=sesame&auth.token=sesame#x", "u://h?db_passwd=***&auth.token=***#x"),
        (f"cannot reach '{USER}', nor {QUERY}", None),
        ("http://127.0.0.1:9808/healthz of a@b", "http://127.0.0.1:9808/healthz of a@b"),
        ("password=12 is an argument", "password=12 is an argument"),
        ("queue.db?name=huey", "queue.db?name=huey"),
    ],
)
def test_passwords_are_masked_wherever_they_stand(text: str, shown: str | None) -> None:
    assert "sesame" not in masked(text)
    assert shown is None or masked(text) == shown
    assert masked(masked(text)) == masked(text)


@pytest.mark.parametrize("url", [QUERY, USER, "x.db?password=sesame", "sqlite://ann:sesame@h/x.db"])
def test_no_message_has_a_password(invoke: Invoke, home: Path, url: str) -> None:
    for words in (
        ["list"], ["list", "--json"], ["doctor"], ["doctor", "--json"], ["check"], ["metrics"],
        ["config", "show"], ["config", "show", "--json"], ["list", "-v"], ["check", "-v", "--json"],
        ["revoke", "1"], ["stats", "--json"], ["enqueue", "a.b"],
    ):  # fmt: skip
        result = invoke(*words, "-u", url)
        assert "sesame" not in result.output, words
    for words in (["help", url], ["enqueue", "--http", url], ["show", url, "-u", "x"], [url]):
        assert "sesame" not in invoke(*words).output


def test_a_consumer_says_no_password_and_no_row_has_one(
    hueyctl: Run, home: Path, app: str, invoke: Invoke
) -> None:
    source = (home / "app.py").read_text()
    (home / "app.py").write_text(source.replace('"queue.db"', '"queue.db?password=sesame"'))
    for form in ("text", "json"):
        done = hueyctl("consume", app, "--burst", "--name", QUERY, "--log-format", form)
        assert done.returncode == 0
        assert "queue.db?password=***" in done.stderr
        assert "sesame" not in done.stderr
    for words in (("stats",), ("stats", "--json"), ("doctor",), ("db", "backup", "b.db")):
        assert "sesame" not in hueyctl(*words, "-A", app).stderr
        assert "sesame" not in hueyctl(*words, "-A", app).stdout


def test_no_line_of_a_log_has_a_password() -> None:
    try:
        raise ValueError(USER)
    except ValueError as error:
        record = logging.LogRecord(
            "app", logging.ERROR, "f", 1, "cannot reach %s", (QUERY,), (type(error), error, None)
        )
    record.url = USER
    for formatter in (TextFormatter("%(message)s"), JsonFormatter()):
        text = formatter.format(record)
        assert "***" in text and "sesame" not in text
    json.loads(JsonFormatter().format(record))


def test_json_on_a_terminal_spells_controls_out(queue: QueueFile, on_tty: Tty) -> None:
    nasty = "a\x9b2Jb\u202ec\x7fd\u2028e\u2069fé"
    queue.add("app.add", nasty)
    queue.finish(nasty)
    for words in (
        ["list", "-a", "--json"], ["show", "1", "--json"], ["list", "-a", "-o", "jsonl"],
        ["result", "1", "--json"], ["result", "1"],
    ):  # fmt: skip
        code, shown = on_tty(*words, "-u", "queue.db")
        assert code == 0
        assert streams.visible_lines(shown.replace("\x1b", "")) == shown.replace("\x1b", "")
        assert "\\u009b2Jb\\u202ec\\u007fd\\u2028e\\u2069f" in shown
    text = on_tty("result", "1", "--json", "-u", "queue.db")[1]
    assert json.loads(text)["value"] == nasty


@pytest.mark.parametrize(
    ("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)]
)
def test_probes_for_everybody_are_warned_of(host: str, warned: bool) -> None:
    server = Server(host, 0, lambda path: Answer.refusal(404, path))
    server.start()
    try:
        assert (server.warning is not None) is warned
        assert server.url in (server.warning or server.url)
    finally:
        server.stop()


def test_a_consumer_warns_of_public_probes(hueyctl: Run, app: str) -> None:
    for names in ((app,), (app, app)):
        done = hueyctl("consume", *names, "--burst", "--http", "0.0.0.0:0")
        assert "without a password" in done.stderr
        assert "without" not in hueyctl("consume", *names, "--burst", "--http", "[::1]:0").stderr
