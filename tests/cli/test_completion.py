"""TAB, in the real shells where they are installed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from click.testing import Result
from clikit import APP, ROOT, QueueFile, Write, typed

from hueyctl.docs import scripts, values
from hueyctl.docs.nearby import applications

Invoke = Callable[..., Result]
SHELLS = ("bash", "zsh", "fish")
TYPES_A_FILE = "a person types the name of a file; other answers are asked for above"


#: A busy machine is no reason to fail: the answers are given more than half a second.
PATIENT = """
import sys
from hueyctl.docs import values
from hueyctl.__main__ import main
values.BUDGET = 20
sys.exit(main())
"""


def needs(shell: str) -> Any:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def program(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``hueyctl`` on the PATH, as an installation has it."""
    folder = home.parent / "bin"
    folder.mkdir()
    path = folder / "hueyctl"
    (home.parent / "patient.py").write_text(PATIENT)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {home.parent}/patient.py "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(home.parent))
    return path


def tab(line: str, shell: str = "bash", **environ: str) -> list[str]:
    """What the program answers to a shell, without the kinds."""
    done = ask(line, shell, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return [answer.partition(",")[2] for answer in done.stdout.splitlines() if answer]


def ask(line: str, shell: str = "bash", **environ: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"_HUEYCTL_COMPLETE": f"{shell}_complete", "COMP_LINE": line} | environ
    words = ["-m", "hueyctl"] if environ.get("HURRY") else ["-c", PATIENT]
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=env, check=False
    )


# --- the answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("hueyctl dea", ["dead"]), ("hueyctl dead su", ["summary"]), ("hueyctl dead x", []),
        ("hueyctl consume -k gr", ["greenlet"]), ("hueyctl consume --worker-type=gr", ["greenlet"]),
        ("hueyctl list --sta", ["--state"]), ("hueyctl list --state sch", ["scheduled"]),
        ("hueyctl list --state=de", ["dead"]), ("hueyctl -o jso", ["json", "jsonl"]),
        ("hueyctl help exit", ["exit-codes"]), ("hueyctl help dead du", ["dump"]),
        ("hueyctl completion f", ["fish"]), ("hueyctl nonsense ", []),
        ("hueyctl dead nonsense ", []),
        ("hueyctl list --columns st", ["state", "started_at"]),
        ("hueyctl list --columns=seq,state,sta", ["seq,state,started_at"]),
        ("hueyctl lock list --columns ho", ["holder", "host"]),
        ("hueyctl pause --columns u", ["until"]), ("hueyctl dump --columns s", []),
        ("hueyctl list --sort pri", ["priority", "pri"]),
        ("hueyctl list --sort runn", ["running-order"]),
        ("hueyctl stats --by worker --sort ho", ["host"]),
        ("hueyctl revoke --where sta", ["state=", "started_at="]),
        ("hueyctl revoke --where error.t", ["error.type="]),
        ("hueyctl dump --where kw", ["kwargs."]),
        ("hueyctl list --where state=sch", ["scheduled"]),
        ("hueyctl list --where=state=sch", ["scheduled"]),
    ],
)  # fmt: skip
def test_words_of_the_command_line(home: Path, line: str, answer: list[str]) -> None:
    assert tab(line) == answer


def test_values_come_from_the_queue(mixed: QueueFile, write: Write) -> None:
    where = f"hueyctl -u {shlex.quote(typed('queue.db'))}"

    assert tab(f"{where} enqueue app.m") == ["app.mail.drop", "app.mail.send"]
    assert tab(f"{where} list --task app.b") == ["app.boom"]
    assert tab(f"{where} list --task=app.b") == ["app.boom"]
    assert tab(f"{where} depth -Q ") == ["huey"]
    assert tab(f"{where} show ") == ["5", "4", "3", "2", "1"]
    assert tab(f"{where} dead retry ") == ["2"]
    assert tab(f"{where} reschedule ") == ["5", "4", "3"]
    assert tab("hueyctl dead show ", HUEYCTL_URL=typed("queue.db")) == ["2"]
    write("hueyctl.toml", 'url = "queue.db"')
    assert tab("hueyctl dead show ") == ["2"]


def test_locks_keys_and_parts_of_conditions_come_from_the_queue(mixed: QueueFile) -> None:
    where = f"hueyctl -u {shlex.quote(typed('queue.db'))}"
    holder = mixed.storage.register(name="holder", kind="holder", slots=1)
    mixed.storage.lock("ledger", holder, b"token")

    assert tab(f"{where} lock release l") == ["ledger"]
    assert tab(f"{where} lock acquire l") == ["ledger"]
    assert tab(f"{where} consume -L l") == ["ledger"]
    assert tab(f"{where} list --where task=app.m") == ["app.mail.drop", "app.mail.send"]
    assert tab(f"{where} list --where queue=") == ["huey"]
    assert tab(f"{where} pause h") == ["huey"]
    assert tab(f"{where} logs ") == ["5", "4", "3", "2", "1"]
    assert tab(f"{where} enqueue --id ") == []


#: What TAB offers after --columns is what the error for an unknown one lists.
VIEWS = [
    "list", "pending", "scheduled", "dead list", "dead summary", "lock list", "periodic list",
    "pause", "resume", "stats", "stats --by task", "stats --by worker", "workers", "status",
    "revoke 3 --dry-run", "restore --all --dry-run", "dead retry 2 --dry-run",
    "dead purge 2 --dry-run", "reschedule 3 --now --dry-run", "why 3", "show 3",
]  # fmt: skip


@pytest.mark.parametrize("line", VIEWS)
def test_tab_offers_the_columns_that_a_command_has(
    line: str, mixed: QueueFile, invoke: Invoke
) -> None:
    where = f"hueyctl -u {shlex.quote(typed('queue.db'))}"

    refused = invoke("-u", "queue.db", *line.split(), "-o", "csv", "--columns", "nonsense")

    listed = refused.stderr.rpartition("columns are ")[2].strip().split(", ")
    offered = set(tab(f"{where} {line} --columns "))
    assert offered and offered <= set(listed)


def test_ids_are_described_where_the_shell_can_show_it(mixed: QueueFile) -> None:
    found = ask(f"hueyctl -u {shlex.quote(typed('queue.db'))} dead show ", "fish").stdout

    assert found == "plain,2\tdead app.boom\n"


def test_hostile_names_do_no_harm(queue: QueueFile) -> None:
    for name in ("$(reboot)", "a b;c", "two\nlines", "\x1b[2J", "x:y=z"):
        queue.add(name)

    found = tab(f"hueyctl -u {shlex.quote(typed('queue.db'))} enqueue ")

    assert r"\$\(reboot\)" in found
    assert r"a\ b\;c" in found
    assert not any("two" in each for each in found)


@pytest.mark.parametrize("url", ["missing.db", "garbage.db", ".", "redis://x", "@none", "foo://"])
def test_any_trouble_is_silence(home: Path, url: str) -> None:
    (home / "garbage.db").write_bytes(b"garbage" * 1000)
    before = sorted(os.listdir(home))

    assert tab(f"hueyctl -u {url} show ") == []
    assert sorted(os.listdir(home)) == before


def test_a_bad_config_file_is_silence(home: Path) -> None:
    (home / "hueyctl.toml").write_text("][")

    assert tab("hueyctl show ") == []
    assert tab("hueyctl dead su") == ["summary"]


def test_an_unknown_shell_or_question_is_silence(home: Path) -> None:
    for instruction in ("tcsh_complete", "bash_nonsense", "bash", "", "zsh_complete"):
        done = ask("hueyctl ", _HUEYCTL_COMPLETE=instruction)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_storage_that_takes_its_time_is_not_waited_for(mixed: QueueFile, home: Path) -> None:
    # Runs inside the child: the storage answers when the test is long over.
    engine = type(mixed.storage)
    (home / "sitecustomize.py").write_text(
        f"import {engine.__module__} as storage, time\n"
        f"storage.{engine.__name__}.jobs = lambda self, selector: time.sleep(600)\n"
    )
    paths = os.pathsep.join((str(home), os.environ["PYTHONPATH"]))
    start = time.monotonic()

    where = shlex.quote(typed("queue.db"))
    assert tab(f"hueyctl -u {where} show ", PYTHONPATH=paths, HURRY="1") == []
    assert time.monotonic() - start < 10


def test_nor_is_one_that_computes_in_a_library(mixed: QueueFile, home: Path) -> None:
    # No signal is heard there, and no line of Python runs.
    engine = type(mixed.storage)
    (home / "sitecustomize.py").write_text(
        f"import {engine.__module__} as storage, hashlib\n"
        f"storage.{engine.__name__}.jobs = lambda self, selector: (\n"
        "    hashlib.pbkdf2_hmac('sha256', b'x', b'y', 2**31 - 1))\n"
    )
    paths = os.pathsep.join((str(home), os.environ["PYTHONPATH"]))
    where = shlex.quote(typed("queue.db"))
    before = os.times()

    assert tab(f"hueyctl -u {where} show ", PYTHONPATH=paths, HURRY="1") == []

    spent = os.times()
    computed = spent.children_user + spent.children_system
    assert computed - before.children_user - before.children_system < 1.5


def test_an_answer_has_half_a_second() -> None:
    assert values.BUDGET == 0.5


def test_no_application_is_imported(home: Path) -> None:
    (home / "app.py").write_text(APP + "\nraise SystemExit('imported')\n")

    assert tab("hueyctl -A app:hu") == ["huey"]
    assert tab("hueyctl -A app:hu", COMP_BREAKS=" ") == ["app:huey"]
    assert tab("hueyctl list -A app:huey --task ") == []
    assert tab("hueyctl consume ap") == ["app:"]


def test_applications_are_read_from_their_source(home: Path) -> None:
    (home / "pkg").mkdir()
    (home / "pkg" / "__init__.py").write_text("")
    (home / "pkg" / "tasks.py").write_text(
        "import hueycore\nmain: hueycore.Huey = hueycore.SqliteHuey('a')\nnot_one = 5\n"
        "    inner = SqliteHuey()\nother = MemoryHuey()\n"
    )
    (home / "plain.py").write_text("x = 1")

    assert applications("") == ["pkg", "pkg."]
    assert applications("pkg.") == ["pkg.tasks:"]
    assert applications("pkg.tasks:") == ["pkg.tasks:main", "pkg.tasks:other"]
    assert applications("no.such:") == []


def test_completion_loads_no_output_and_no_library_for_words(home: Path) -> None:
    code = (
        "import sys, json\nfrom hueyctl.cli import cli\n"
        "cli.main([], standalone_mode=False)\nprint(json.dumps(sorted(sys.modules)))\n"
    )
    env = os.environ | {"_HUEYCTL_COMPLETE": "bash_complete", "COMP_LINE": "hueyctl dead "}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))

    assert not {"rich", "tabulate", "sqlite3", "hueycore", "asyncio"} & loaded
    assert not any(name.startswith("hueyctl.commands.") for name in loaded)


# --- the scripts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script_that_is_shipped(
    shell: str, invoke: Invoke, home: Path
) -> None:
    shipped = (ROOT / "completions" / scripts.NAMES[shell]).read_text()

    assert invoke("completion", shell).stdout == shipped
    asked = ask("", _HUEYCTL_COMPLETE=f"{shell}_source")
    assert asked.stdout == shipped


def test_an_unknown_shell_is_2(invoke: Invoke) -> None:
    assert invoke("completion", "tcsh").exit_code == 2
    assert invoke("completion").exit_code == 2


@pytest.mark.parametrize("shell", [pytest.param(shell, marks=needs(shell)) for shell in SHELLS])
def test_the_shell_can_read_its_script(shell: str) -> None:
    path = ROOT / "completions" / scripts.NAMES[shell]
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


# --- in the shells --------------------------------------------------------------------------------

#: (what is typed before TAB, the words that the shell then has)
TYPED = [
    ("hueyctl dead su", ["dead", "summary"]),
    ("hueyctl -A app:hu", ["-A", "app:huey"]),
    ("hueyctl consume --worker-type=gr", ["consume", "--worker-type=greenlet"]),
    ("hueyctl -u sqlite:///queue.db dead show ", ["-u", "sqlite:///queue.db", "dead", "show", "2"]),
    ("hueyctl list -u queue.db --task=app.bo", ["list", "-u", "queue.db", "--task=app.boom"]),
    ("hueyctl -u queue.db enqueue mod:fu", ["-u", "queue.db", "enqueue", "mod:func=1"]),
    ("hueyctl -u queue.db enqueue wei", ["-u", "queue.db", "enqueue", "weird $(name)"]),
]  # fmt: skip


@pytest.fixture
def words(mixed: QueueFile, app: str) -> QueueFile:
    mixed.add("mod:func=1")
    mixed.add("weird $(name)")
    return mixed


@pytest.fixture
def terminal(home: Path, program: Path) -> Iterator[Callable[..., Any]]:
    """A shell in a terminal of its own, with the completion loaded."""
    children: list[Any] = []

    def start(*command: str, setup: str) -> Any:
        env = os.environ | {"TERM": "dumb", "PS1": "$ ", "INPUTRC": "/dev/null", "LC_ALL": "C"}
        child = pexpect.spawn(
            command[0], list(command[1:]), env=env, encoding="utf-8", timeout=20, echo=False,
            dimensions=(24, 300), use_poll=True,
        )  # fmt: skip
        children.append(child)
        child.sendline(f"{setup}; echo loa''ded")
        child.expect("loaded")
        return child

    yield start
    for child in children:
        child.close(force=True)


@pytest.mark.sqlite_only(TYPES_A_FILE)
@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=needs(name)) for name in ("bash", "zsh")]
)
def test_tab_completes_in_a_terminal(
    shell: str, words: QueueFile, home: Path, terminal: Callable[..., Any]
) -> None:
    script = home / "script"
    script.write_text(scripts.script(shell))
    if shell == "bash":
        child = terminal(
            "bash", "--norc", "--noprofile", "-i",
            setup=f"bind 'set bell-style none'; source {script}",
        )  # fmt: skip
    else:
        child = terminal(
            "zsh", "-f", "-i", setup=f"autoload -Uz compinit; compinit -u -D; source {script}"
        )

    for number, (line, expected) in enumerate(TYPED):
        # The line is not run: its words go to a program that writes them down.
        child.send(f"{line}\t")
        child.send(f"\x01python3 {home}/note.py {number} \x05\r")
        _wait_for(home / f"note-{number}", child)
        found = json.loads((home / f"note-{number}").read_text())
        assert found == ["hueyctl", *expected], line


NOTE = """
import json, os, sys
with open(__file__.replace(".py", "-" + sys.argv[1] + ".part"), "w") as file:
    json.dump(sys.argv[2:], file)
os.rename(file.name, file.name.removesuffix(".part"))
"""


@pytest.fixture(autouse=True)
def note(home: Path) -> None:
    (home / "note.py").write_text(NOTE)


def _wait_for(path: Path, child: Any) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        try:
            child.read_nonblocking(4096, timeout=0.05)
        except pexpect.TIMEOUT:
            pass
        assert time.monotonic() < deadline, f"no {path.name}"


@needs("fish")
@pytest.mark.sqlite_only(TYPES_A_FILE)
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("hueyctl dead su", ["summary\tCount dead letters by task and error."]),
        ("hueyctl -A app:hu", ["app:huey"]),
        ("hueyctl consume --worker-type=gr", ["--worker-type=greenlet"]),
        ("hueyctl -u queue.db dead show ", ["2\tdead app.boom"]),
        ("hueyctl -u queue.db enqueue mod:", ["mod:func=1"]),
        ("hueyctl -u missing.db dead show ", []),
    ],
)
def test_fish_offers(
    typed: str, offered: list[str], words: QueueFile, home: Path, program: Path
) -> None:
    script = home / "script.fish"
    script.write_text(scripts.script("fish"))
    done = subprocess.run(
        ["fish", "--no-config", "-c", f'source {script}; complete -C "{typed}"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == offered
    assert done.stderr == ""
