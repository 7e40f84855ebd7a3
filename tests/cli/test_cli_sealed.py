"""Queues whose payloads only the application can read: signed, compressed, encrypted."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from operatingkit import Invoke

from hueycore import SignedSerializer
from hueycore.serializer import Serializer

APP = """
from hueycore import JSONSerializer, Serializer, SignedSerializer, SqliteHuey

class Encrypted(Serializer):
    def _serialize(self, data):
        return bytes(byte ^ 0x5A for byte in super()._serialize(data))

    def _deserialize(self, data):
        return super()._deserialize(bytes(byte ^ 0x5A for byte in data))

huey = SqliteHuey("huey", filename="queue.db", {options})

@huey.task()
def greet(name: str):
    if name == "nobody":
        raise ValueError("nobody there")
    return f"hello {{name}}"
"""
SIGNED = "serializer=SignedSerializer('secret')"
ENCRYPTED = "serializer=Encrypted()"
PACKED = "compression=True"
BOTH = "serializer=SignedSerializer('secret', serializer=Encrypted(compression=True))"
ALL = pytest.mark.parametrize(
    ("options", "args", "preview"),
    [
        (SIGNED, None, "'ann'"), (ENCRYPTED, None, None), (PACKED, ["ann"], "'ann'"),
        (BOTH, None, None), ("serializer=JSONSerializer(compression=True)", ["ann"], "'ann'"),
    ],
    ids=["signed", "encrypted", "compressed", "signed and encrypted", "compressed json"],
)  # fmt: skip


@pytest.fixture
def sealed(
    home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """An application with these options, and two jobs of it."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(options: str) -> None:
        (home / "sealed.py").write_text(APP.format(options=options))
        for name in ("ann", "nobody"):
            done = invoke("enqueue", "-A", "sealed", "sealed.greet", name)
            assert done.exit_code == 0, done.stderr

    yield make
    sys.modules.pop("sealed", None)


@pytest.mark.feature("serializers")
@ALL
def test_such_a_queue_is_looked_at_moved_and_worked_on(
    sealed: Callable[[str], None],
    invoke: Invoke,
    hueyctl: Callable[..., Any],
    options: str,
    args: Any,
    preview: str | None,
) -> None:
    sealed(options)

    def look(*words: str, **how: Any) -> str:
        done = invoke(*words, "-u", "queue.db", **how)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def ask(*words: str) -> Any:
        return json.loads(look(*words, "--json"))

    shown = ask("show", "1")
    assert (shown["args"], shown["args_repr"]) == (args, None if args else preview)
    assert ask("list")[0]["args"] == args
    assert "sealed.greet" in look("list") and "sealed.greet" in look("show", "1")

    assert hueyctl("consume", "sealed", "--burst").returncode == 0
    value = ask("result", "1")
    assert value["value"] == ("hello ann" if args else None)
    assert value["error"] is None and (args or "not shown" in value["value_repr"])

    dumped = look("dead", "dump")
    look("dead", "purge", "--all", "--yes")
    look("dead", "load", "-", input=dumped)
    loaded = only_job(look("dead", "dump"))
    assert loaded["payload"] == only_job(dumped)["payload"]
    again = invoke("run", "-A", "sealed", "--job", loaded["id"])
    assert (again.exit_code, "nobody there" in again.stderr) == (5, True)


def only_job(dump: str) -> Any:
    """Between the first line of a dump and the last."""
    _, line, _ = dump.splitlines()
    return json.loads(line)


def test_a_dump_carries_the_bytes_as_they_are(
    sealed: Callable[[str], None], invoke: Invoke, hueyctl: Callable[..., Any]
) -> None:
    sealed(SIGNED)
    hueyctl("consume", "sealed", "--burst")
    line = only_job(invoke("dead", "dump", "-u", "queue.db").stdout)

    assert line["payload"]["serializer"] == "signed/1"
    payload = base64.b64decode(line["payload"]["base64"])
    assert SignedSerializer("secret").deserialize(payload) == (("nobody",), {})
    with pytest.raises(ValueError, match="signed"):
        Serializer().deserialize(payload)


@pytest.mark.parametrize("options", [SIGNED, ENCRYPTED, BOTH])
def test_without_the_application_nothing_is_written_to_such_a_queue(
    sealed: Callable[[str], None], invoke: Invoke, options: str
) -> None:
    sealed(options)

    done = invoke("enqueue", "-u", "queue.db", "sealed.greet", "bob")

    assert (done.exit_code, done.stdout) == (6, "")
    assert "use -A" in done.stderr
    assert invoke("depth", "-u", "queue.db").stdout == "2\n"


def test_a_dry_run_shows_nothing_of_an_encrypted_call(
    sealed: Callable[[str], None], invoke: Invoke
) -> None:
    sealed(ENCRYPTED)

    done = invoke("enqueue", "-A", "sealed", "sealed.greet", "ann", "--dry-run")

    assert (done.exit_code, done.stderr) == (0, "hueyctl: would queue sealed.greet(…)\n")
