"""db backup."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from clikit import QueueFile
from operatingkit import Invoke, ask, error, states

from hueycore.storage.sqlite import SqliteStorage

pytestmark = pytest.mark.sqlite_only("a backup is a file")


def test_a_queue_is_copied_into_a_new_private_file(
    queue: QueueFile, invoke: Invoke, tmp_path: Path
) -> None:
    queue.add("app.add", 1, 2)
    file = tmp_path / "copy.db"

    result = ask(invoke, "db", "backup", str(file), "--json")

    found = json.loads(result.stdout)
    assert found == {
        "schema": "hueyctl.backup/1",
        "file": str(file),
        "bytes": file.stat().st_size,
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    copy = SqliteStorage(file)
    assert copy.job("1") is not None
    copy.close()
    assert states(queue) == {1: "pending"}


def test_for_people_one_line_says_what_was_written(
    queue: QueueFile, invoke: Invoke, tmp_path: Path
) -> None:
    result = ask(invoke, "db", "backup", "copy.db")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{os.path.getsize('copy.db')} bytes written to copy.db" in result.stderr
    assert "%" not in result.stderr
    shown = ask(invoke, "db", "backup", "copy.db", "--overwrite", "--progress")
    assert "100 %" in shown.stderr


def test_an_existing_file_is_refused_unless_said(queue: QueueFile, invoke: Invoke) -> None:
    Path("copy.db").write_text("mine")

    code, message, hint = error(invoke, "db", "backup", "copy.db")

    assert (code, message) == (6, "copy.db exists already")
    assert hint is not None and "--overwrite" in hint
    assert Path("copy.db").read_text() == "mine"


def test_a_folder_that_is_not_there_is_74(queue: QueueFile, invoke: Invoke) -> None:
    code, message, _ = error(invoke, "db", "backup", "missing/copy.db")
    assert code == 74
    assert "missing" in message
