"""``__all__`` is the public API, and every public thing says what it is."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hueycore


def test_all_names_exist_and_are_sorted() -> None:
    constants_first = sorted(hueycore.__all__, key=lambda name: (not name.isupper(), name))
    assert hueycore.__all__ == constants_first
    for name in hueycore.__all__:
        assert getattr(hueycore, name) is not None


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(hueycore.__file__).read_text("utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hueycore")
        for alias in node.names
    }

    assert imported == set(hueycore.__all__)
    assert imported <= set(dir(hueycore))


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        hueycore.nonsense  # type: ignore[attr-defined]


def test_names_survive_the_import_of_the_modules_beside_them() -> None:
    code = (
        "import hueycore.api, hueycore.calendar.schedule, hueycore.consumer\n"
        "from hueycore import crontab, Result\n"
        "assert callable(crontab) and callable(Result)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_has_a_docstring() -> None:
    for name in hueycore.__all__:
        assert (getattr(hueycore, name).__doc__ or "").strip(), name


def test_every_public_method_of_huey_and_result_has_a_docstring_or_an_obvious_name() -> None:
    obvious = {"dead_count", "pending_count", "scheduled_count", "running_count", "is_revoked"}
    handles = (hueycore.Result, hueycore.ResultGroup, hueycore.ChordResult)
    composed = (hueycore.Pipeline, hueycore.group, hueycore.chord)
    for cls in (hueycore.Huey, *handles, *composed):
        for name, value in inspect.getmembers(cls, inspect.isfunction):
            if not name.startswith(("_", "unregister")) and name not in obvious:
                assert value.__doc__, f"{cls.__name__}.{name}"


def test_exceptions_take_their_message_from_their_docstring() -> None:
    assert str(hueycore.QueueFull()) == "The queue holds as many waiting jobs as it may."
    assert str(hueycore.QueueFull("mine")) == "mine"
