"""Guarantees are written once: in the protocol, from which engines inherit them."""

import ast
import inspect
from collections import Counter
from pathlib import Path

import pytest

import hueycore.storage
from hueycore.storage.base import Storage
from hueycore.storage.protocol.huey import HueyNames
from hueycore.storage.sqlite import SqliteStorage

FOLDER = Path(next(iter(hueycore.storage.__path__)))
VERBS = [name for name in dir(SqliteStorage) if not name.startswith("_")]


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_says_what_it_promises(name: str) -> None:
    assert inspect.getdoc(getattr(SqliteStorage, name)), name


@pytest.mark.parametrize("name", [name for name in dir(Storage) if not name.startswith("_")])
def test_every_verb_of_the_protocol_is_there(name: str) -> None:
    """A class that names a protocol as its base inherits bodies that do nothing."""
    home = next(each for each in SqliteStorage.__mro__ if name in vars(each)).__module__

    assert hasattr(HueyNames, name) or not home.startswith("hueycore.storage.protocol")


def test_no_guarantee_is_written_twice() -> None:
    texts = Counter(
        " ".join(text.split())
        for path in FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and (text := ast.get_docstring(node))
    )

    assert [text for text, times in texts.items() if times > 1] == []
