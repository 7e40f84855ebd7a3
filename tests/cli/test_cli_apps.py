"""Finding the application, and what is said when it cannot be found or imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hueyctl.apps import load
from hueyctl.errors import CliError

HUEY = "from hueycore import SqliteHuey\n"


@pytest.fixture(autouse=True)
def clean_modules(home: Path) -> Iterator[None]:
    """Each test has its own modules, and the path that it began with."""
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(home) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def refusal(name: str, folder: str | None = None) -> CliError:
    with pytest.raises(CliError) as caught:
        load(name, folder)
    assert caught.value.code == 78
    return caught.value


@pytest.fixture
def package(home: Path) -> Path:
    made = home / "shop"
    made.mkdir()
    (made / "__init__.py").write_text("")
    (made / "queue.py").write_text(
        HUEY + "huey = SqliteHuey('shop')\nother = SqliteHuey('other')\n"
        "def make():\n    return SqliteHuey('made')\ndef wrong():\n    return 1\n"
        "def fails():\n    raise ValueError('no luck')\nclass Box:\n    inner = other\n"
    )
    return made


@pytest.mark.parametrize(
    ("name", "queue"),
    [
        ("shop.queue:huey", "shop"),
        ("shop.queue:other", "other"),
        ("shop.queue.huey", "shop"),
        ("shop.queue.other", "other"),
        ("shop.queue", "shop"),
        ("shop.queue:make()", "made"),
        ("shop.queue:Box.inner", "other"),
    ],
)
def test_the_ways_to_name_an_application(package: Path, name: str, queue: str) -> None:
    assert load(name).name == queue


def test_without_an_attribute_the_only_instance_is_taken(home: Path) -> None:
    (home / "single.py").write_text(HUEY + "tasks = SqliteHuey('single')\nsame = tasks\n")

    assert load("single").name == "single"


def test_several_instances_are_named_and_none_is_chosen(home: Path) -> None:
    (home / "several_apps.py").write_text(HUEY + "a = SqliteHuey('a')\nb = SqliteHuey('b')\n")

    assert refusal("several_apps").hint == "choose one of several_apps:a, several_apps:b"


def test_no_instance_at_all_is_said(home: Path) -> None:
    (home / "none_at_all.py").write_text("x = 1\n")

    assert "no Huey instance" in refusal("none_at_all").message


def test_the_folder_can_be_elsewhere(home: Path) -> None:
    folder = home / "elsewhere"
    folder.mkdir()
    (folder / "far.py").write_text(HUEY + "huey = SqliteHuey('far')\n")

    assert load("far", str(folder)).name == "far"
    assert "no such directory" in refusal("far", str(home / "nowhere")).message


def test_a_missing_module_is_said_with_a_near_name(home: Path, package: Path) -> None:
    error = refusal("shpo.queue:huey")

    assert "there is no module 'shpo.queue'" in error.message
    assert error.hint == "did you mean 'shop'?"
    assert "there is no module 'shop.queues'" in refusal("shop.queues:huey").message


def test_a_missing_attribute_is_said_with_what_there_is(package: Path) -> None:
    error = refusal("shop.queue:huye")

    assert "has no 'huye'" in error.message
    assert error.hint == "did you mean shop.queue:huey?"


def test_what_is_not_an_instance_is_said(package: Path) -> None:
    assert refusal("shop.queue:make").hint == "write shop.queue:make()"
    assert "int" in refusal("shop.queue:wrong()").message
    assert "ValueError: no luck" in refusal("shop.queue:fails()").message


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("./shop/queue.py", "is a file", "say --app shop.queue"),
        ("shop/queue.py:huey", "is a file", "say --app shop.queue:huey"),
        ("./shop", "is a file", "say --app shop"),
        ("../outside.py", "is a file", "say --app outside --app-dir "),
        ("./nothing.py", "is not the name of a module", "like --app package.module:huey"),
        (".", "is not the name of a module", "like --app package.module:huey"),
        ("..shop", "is not the name of a module", "like --app package.module:huey"),
    ],
)
def test_a_path_is_no_module_and_the_name_of_its_module_is_told(
    home: Path, package: Path, name: str, said: str, hint: str
) -> None:
    (home.parent / "outside.py").write_text("")

    error = refusal(name)

    assert said in error.message
    assert (error.hint or "").startswith(hint)


def test_a_task_is_no_application_and_its_own_is_told(home: Path) -> None:
    (home / "tasked.py").write_text(
        HUEY + "queue = SqliteHuey('q')\n@queue.task()\ndef add(a): ...\n"
    )

    for name in ("tasked.add", "tasked:add"):
        error = refusal(name)
        assert error.message == f"{name!r} is a task and not an application"
        assert error.hint == "did you mean tasked:queue?"


def test_an_import_that_fails_inside_is_told_from_a_missing_module(home: Path) -> None:
    (home / "broken_inside.py").write_text(HUEY + "import not_installed_here\n")

    message = refusal("broken_inside:huey").message

    assert message.startswith(
        "cannot import 'broken_inside': ModuleNotFoundError: No module named 'not_installed_here'"
    )
    assert f"{home / 'broken_inside.py'}:2: import not_installed_here" in message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def f():\n    return 1 / 0\nf()\n", "ZeroDivisionError"),
        ("def f(:\n", "SyntaxError"),
        ("raise SystemExit(3)\n", "SystemExit"),
    ],
)
def test_only_the_frames_of_the_application_are_shown(home: Path, source: str, said: str) -> None:
    (home / "explodes.py").write_text(source)

    message = refusal("explodes").message

    assert said in message
    assert "importlib" not in message
    assert "hueyctl" not in message
    assert f"{home / 'explodes.py'}:" in message or said == "SystemExit"


@pytest.mark.parametrize("name", ["", ":", "app:", ":huey", "a b", "..", "shop.queue:"])
def test_what_is_no_name_is_refused(package: Path, name: str) -> None:
    refusal(name)


def test_an_application_that_prints_does_not_spoil_stdout(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "chatty.py").write_text(HUEY + "print('hello')\nhuey = SqliteHuey('chatty')\n")

    load("chatty")

    assert capsys.readouterr() == ("", "hello\n")


def test_the_folder_is_first_while_importing_and_last_afterwards(home: Path) -> None:
    (home / "orders.py").write_text(
        HUEY + "import sys\nfirst = sys.path[0]\nhuey = SqliteHuey('orders')\n"
    )

    load("orders")

    assert sys.modules["orders"].first == str(home)
    assert sys.path[0] != str(home)
    assert sys.path[-1] == str(home)


def test_a_stray_file_does_not_shadow_what_we_import_ourselves(home: Path) -> None:
    import subprocess

    from clikit import QueueFile, command

    made = QueueFile(home / "queue.db")
    made.add("app.task")
    made.storage.close()
    (home / "app.py").write_text(HUEY + "huey = SqliteHuey('huey', filename='queue.db')\n")
    for stray in ("tabulate", "rich", "csv", "difflib", "json", "logging", "sqlite3", "click"):
        (home / f"{stray}.py").write_text("raise SystemExit('shadowed')\n")
    for words in (("-o", "github"), ("-o", "csv"), ("--json",)):
        line = command("list", "-A", "app", *words)
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
