"""The import budget: what a command does not need, it does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clikit import command

from hueyctl.tree import COMMANDS

#: Not the groups.
NAMES = sorted(COMMANDS.keys() - {name.split()[0] for name in COMMANDS if " " in name})
DEAR = (
    "rich", "tabulate", "markdown_it", "sqlite3", "asyncio", "tomllib", "importlib.metadata",
    "hueycore",
)  # fmt: skip
PROBE = """
import json, sys
from hueyctl.cli import cli
code = cli.run(sys.argv[1:])
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules_after(*args: str, env: dict[str, str] | None = None) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *args], capture_output=True, text=True, check=True, env=env
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def module_of(name: str) -> str:
    """The module or the folder of a command."""
    return f"hueyctl.commands.{name.replace(' ', '.')}"


def loaded(modules: set[str], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name in modules]


@pytest.mark.parametrize("args", [("--help",), ("-h",), ("nonsense",), ()])
def test_help_and_mistakes_load_no_command_and_nothing_dear(home: Path, args: Any) -> None:
    modules = modules_after(*args)

    assert loaded(modules, DEAR) == []
    assert not any(name.startswith("hueyctl.commands") for name in modules)


def test_the_version_loads_nothing_dear_but_sqlite(home: Path) -> None:
    modules = modules_after("--version")

    assert loaded(modules, DEAR) == ["sqlite3"]


@pytest.mark.parametrize("name", NAMES)
def test_help_of_a_command_loads_that_command_alone(home: Path, name: str) -> None:
    modules = modules_after(*name.split(), "--help")

    module = module_of(name)
    folder = module.rpartition(".")[0]
    others = set(map(module_of, NAMES))
    own = {each for each in modules if each.startswith("hueyctl.commands.")}
    assert module in own
    assert not own & (others - {module})
    if folder == "hueyctl.commands":
        assert all(f"{each}.".startswith(f"{module}.") for each in own)
    else:
        assert all(f"{each}.".startswith(f"{folder}.") for each in own)
    assert loaded(modules, DEAR) == []


def test_depth_loads_neither_tables_nor_an_event_loop(home: Path, queue: Any) -> None:
    modules = modules_after("depth", "-u", "queue.db")

    dear = ("rich", "tabulate", "asyncio", "tomllib", "importlib.metadata", "ctypes", "logging")
    assert loaded(modules, dear) == []
    assert loaded(modules, ("hueycore.api", "hueycore.consumer", "pickle", "socket")) == []
    assert loaded(modules, ("hueyctl.output", "hueyctl.selection.options")) == []
    assert not [name for name in modules if "postgres" in name or "psycopg" in name]


@pytest.mark.parametrize("words", ["hueyctl ", "hueyctl de"])
def test_completion_of_command_names_loads_no_command(home: Path, words: str) -> None:
    probe = """
import json, os, sys
from hueyctl.cli import cli
try:
    cli.main([], standalone_mode=True)
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""
    import os

    env = os.environ | {
        "_HUEYCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=env
    )
    lines = done.stdout.splitlines()
    modules = set(json.loads(lines[-1]))

    assert any(line.endswith("depth") for line in lines[:-1])
    assert loaded(modules, DEAR) == []
    assert not any(name.startswith("hueyctl.commands") for name in modules)


def test_an_application_is_never_imported_with_a_url(
    home: Path, address: str, queue: Any, hueyctl: Callable[..., Any]
) -> None:
    (home / "app.py").write_text("raise SystemExit('imported')")
    queue.add("app.task", 1)
    url = address if "://" in address else f"sqlite:///{address}"

    for words in (("list", "--json"), ("depth",), ("result", "1"), ("enqueue", "app.task")):
        done = hueyctl(*words, "--url", url)
        assert done.returncode == 0, done.stderr


def test_rich_is_the_only_thing_that_a_table_adds(home: Path, queue: Any) -> None:
    queue.add("app.task")

    assert loaded(modules_after("list", "-u", "queue.db"), ("rich", "tabulate", "asyncio")) == []
    assert "tabulate" in modules_after("list", "-u", "queue.db", "-o", "github")


COLLECTOR = """
import atexit, gc, sys
from hueyctl.__main__ import main
atexit.register(lambda: print(seen, gc.get_freeze_count() > 0))
seen = []

class See:
    def find_spec(self, name, path=None, target=None):
        if name in ("hueycore.storage.open", "hueyctl.output.columns"):
            seen.append(gc.isenabled())

sys.meta_path.insert(0, See())
main()
"""


def test_the_collector_rests_until_a_queue_is_open_and_at_the_end(home: Path, queue: Any) -> None:
    def seen(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", COLLECTOR, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    assert seen("--help") == "[] True"
    assert seen("depth", "-u", "queue.db") == "[False] True"
    assert seen("status", "-u", "queue.db") == "[False, True] True"


def test_the_collector_is_an_applications_own(home: Path, app: str, spawn: Any) -> None:
    """While it is imported, in its consumer, and at the end."""
    code = """
import gc
print("imported", gc.isenabled())

class Held:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("taken away", flush=True)

held = Held()

@huey.task()
def look():
    print("runs", gc.isenabled(), flush=True)
"""
    (home / "app.py").write_text((home / "app.py").read_text() + code)
    subprocess.run([*command("-A", app, "enqueue", "app.look")], check=True, capture_output=True)
    done = subprocess.run(command("consume", app, "--burst", "-q"), capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, "runs True\ntaken away\n"), done.stderr
    assert "imported True" in done.stderr
