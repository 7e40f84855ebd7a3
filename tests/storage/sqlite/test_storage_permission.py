"""What keeps a user from a file is named: it is not said to be missing."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hueycore.exceptions import StorageMissing, StorageReadOnly
from hueycore.storage.sqlite import SqliteStorage
from tests.helpers import as_nobody


@pytest.fixture
def file() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())  # pytest's own is closed to others
    folder.chmod(0o755)
    SqliteStorage(str(folder / "queue.db")).close()
    yield folder / "queue.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(
    ("close", "told"),
    [
        (lambda file: file.chmod(0), "queue.db.*: it belongs to {owner}, with mode 0000; this is"),
        (
            lambda file: file.parent.chmod(0o600),
            "queue.db: {folder} belongs to {owner}, with mode 0600; this is",
        ),
    ],
)
def test_a_file_that_may_not_be_read_has_its_owner_named(
    file: Path, close: Callable[[Path], None], told: str, read_only: bool
) -> None:
    import pwd

    SqliteStorage(str(file), read_only=True).close()
    close(file)
    owner = pwd.getpwuid(os.geteuid()).pw_name

    with as_nobody(), pytest.raises(StorageReadOnly) as error:
        SqliteStorage(str(file), read_only=read_only, create=not read_only).close()

    assert re.search(told.format(owner=owner, folder=file.parent), str(error.value))


def test_so_has_one_that_may_only_be_read(file: Path) -> None:
    file.chmod(0o444)
    file.parent.chmod(0o555)

    with as_nobody(), pytest.raises(StorageReadOnly) as error:
        SqliteStorage(str(file)).flush()

    assert "cannot be written: it belongs to" in str(error.value)
    assert "with mode 0444" in str(error.value)


def test_so_has_a_folder_that_takes_no_new_file(file: Path) -> None:
    file.parent.chmod(0o555)

    with as_nobody(), pytest.raises(StorageReadOnly, match="with mode 0555"):
        SqliteStorage(str(file.with_name("new.db")), create=True).close()


def test_a_file_that_is_not_there_is_missing(file: Path) -> None:
    for name in ("other.db", "no/queue.db", "queue.db/queue.db"):
        with pytest.raises(StorageMissing):
            SqliteStorage(str(file.parent / name), read_only=True)
