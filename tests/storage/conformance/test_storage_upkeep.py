"""A storage as a whole: what it says of itself, copies of it, and its room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hueycore.exceptions import ConfigurationError
from hueycore.model.endings import Done
from hueycore.storage.base import Storage
from tests.storage.kit import born, run, state, worker


def done_or_refused(storage: Storage, verb: str, act: Callable[[], object]) -> bool:
    """Whether the engine does it itself; else a tool is named, and the verb refused."""
    tool = storage.tool(verb)
    if tool is None:
        act()
        return True
    assert tool
    with pytest.raises(ConfigurationError):
        act()
    return False


def test_a_storage_says_what_it_is(storage: Storage) -> None:
    born(storage)

    found = storage.info()

    assert found.engine and found.version and found.schema >= 1
    assert found.size >= 0 and found.log >= 0
    assert found.free is None or found.free >= 0
    assert found.oldest_reader_s is None or found.oldest_reader_s >= 0


def test_a_copy_brings_back_what_was_there(storage: Storage, tmp_path: Path) -> None:
    first = born(storage)
    copy = str(tmp_path / "copy")
    if not done_or_refused(storage, "backup", lambda: storage.backup(copy)):
        done_or_refused(storage, "restore", lambda: storage.restore(copy))
        return
    run(storage, worker(storage), Done(b"later"))
    second = born(storage)

    storage.restore(copy)

    assert state(storage, first) == "pending"
    assert storage.job(second.id) is None
    assert born(storage).seq > second.seq, "no number is given out twice"


def test_a_vacuum_changes_nothing_that_anybody_sees(storage: Storage) -> None:
    job = born(storage)

    done_or_refused(storage, "vacuum", storage.vacuum)

    assert state(storage, job) == "pending"
    run(storage, worker(storage), Done(b"1"))
