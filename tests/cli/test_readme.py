"""What the README and its pages say is run: the application, the first commands, the recipes."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clikit import ROOT
from helpers import wait_until

from hueycore.model.jobs import Selector
from hueycore.model.states import State
from hueycore.storage.sqlite import SqliteStorage
from hueyctl.docs.topics import PAGES

README = ROOT / "README.md"
#: "The README says" means one of these.
FILES = [README, *(ROOT / "man" / "pages" / f"{name}.md" for name in PAGES)]
TEXT = "\n".join(path.read_text("utf-8") for path in FILES)
BROKEN = """
@huey.task()
def broken(number: int) -> None:
    raise ValueError(number)
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.M | re.S)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The README's own app.py, with a task that fails beside it."""
    (tmp_path / "app.py").write_text(blocks("python")[0] + BROKEN)
    return tmp_path


@pytest.fixture(params=["file", "application"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe is run as it stands beside a ``huey.db``, and again where an application is set."""
    if request.param == "application":
        monkeypatch.setenv("HUEYCTL_APP", "app.huey")
    else:
        monkeypatch.delenv("HUEYCTL_APP", raising=False)


def environment() -> dict[str, str]:
    paths = (str(Path(sys.executable).parent), os.environ["PATH"])
    python = (str(ROOT / "core"), str(ROOT))
    return {
        **os.environ,
        "PATH": os.pathsep.join(paths),
        "PYTHONPATH": os.pathsep.join(python),
    }


def shell(home: Path, script: str) -> str:
    """The standard output of a script that ends well."""
    run = subprocess.run(
        ["bash", "-c", script], cwd=home, env=environment(), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def consumer(home: Path) -> Iterator[SqliteStorage]:
    """A consumer works; the storage that it works on, to look at."""
    SqliteStorage(home / "huey.db", "app").close()
    storage = SqliteStorage(home / "huey.db", read_only=True)
    command = [sys.executable, "-m", "hueyctl", "consume", "app.huey", "-w", "2", "-q"]
    with subprocess.Popen(command, cwd=home, env=environment()) as process:
        try:
            wait_until(lambda: any(worker.alive for worker in storage.workers()), 20)
            yield storage
        finally:
            storage.close()
            process.terminate()


def states(storage: SqliteStorage) -> list[str]:
    return [str(job.state) for job in storage.jobs(Selector())]


def recipe(words: str) -> str:
    return next(block for block in blocks("sh") if words in block)


def anchors(path: Path) -> set[str]:
    """The names that GitHub gives to the headings of a file."""
    found = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_the_readme_takes_five_minutes() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 300


def test_the_readme_leads_to_every_page_with_its_command_and_its_line() -> None:
    text = README.read_text("utf-8")

    assert {path.stem for path in (ROOT / "man" / "pages").iterdir()} == set(PAGES)
    for name, about in PAGES.items():
        assert f"| [{name}](man/pages/{name}.md) | `hueyctl help {name}` | {about} |\n" in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        there = path.parent / name if name else path
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_snippet_in_python_can_be_read() -> None:
    for block in blocks("python"):
        ast.parse(block)


def test_there_are_ten_scripts() -> None:
    page = (ROOT / "man" / "pages" / "scripting.md").read_text("utf-8")
    _, scripts = page.split("\n## Ten scripts\n")
    assert len(re.findall(r"^```sh$", scripts, flags=re.M)) == 10


def test_the_first_commands_print_what_the_readme_prints(
    home: Path, consumer: SqliteStorage
) -> None:
    shown = next(block for block in blocks("console") if "enqueue" in block)
    lines = [line[2:] for line in shown.splitlines() if line.startswith("$ ")]
    script = "\n".join(line for line in lines if "consume" not in line)
    answer = "\n".join(line for line in shown.splitlines() if not line.startswith("$ "))

    assert shell(home, script).strip() == answer


def test_the_calls_of_the_readme_run(home: Path, consumer: SqliteStorage) -> None:
    calls = next(block for block in blocks("python") if "add.map" in block)
    few = calls.replace("1_000_000", "100")
    (home / "calls.py").write_text(f"from app import add, huey\n\n{few}")

    shell(home, f"{sys.executable} -W error calls.py")

    assert len(states(consumer)) == 1 + 1 + 2 + 100


@pytest.mark.usefixtures("told")
def test_a_producer_waits_while_the_queue_is_deep(home: Path, consumer: SqliteStorage) -> None:
    shell(home, "hueyctl -A app.huey enqueue app.add 1 2")

    assert shell(home, recipe("while")) == ""


@pytest.mark.usefixtures("told")
def test_dead_letters_are_told(home: Path, consumer: SqliteStorage) -> None:
    assert shell(home, recipe("--max 0")) == ""

    shell(home, "hueyctl -A app.huey enqueue app.broken 7")
    wait_until(lambda: states(consumer) == ["dead"], 20)

    assert "ValueError" in shell(home, recipe("--max 0"))


@pytest.mark.usefixtures("told")
def test_a_file_of_lines_is_queued_and_waited_for(home: Path, consumer: SqliteStorage) -> None:
    lines = [json.dumps({"task": "app.add", "args": [n, n]}) for n in range(20)]
    (home / "numbers.jsonl").write_text("\n".join(lines))

    shell(home, recipe("--from"))

    assert states(consumer) == ["done"] * 20


@pytest.mark.usefixtures("told")
def test_a_migration_runs_while_the_workers_hold_still(home: Path, consumer: SqliteStorage) -> None:
    script = (
        "#!/bin/sh\nhueyctl -A app.huey enqueue app.add 1 2\nhueyctl pending --count > migrated\n"
    )
    (home / "migrate").write_text(script)
    (home / "migrate").chmod(0o755)

    shell(home, recipe("pause"))

    assert (home / "migrated").read_text().strip() == "1"
    wait_until(lambda: states(consumer) == ["done"], 20)


@pytest.mark.usefixtures("told")
def test_dead_letters_are_tried_elsewhere(home: Path, consumer: SqliteStorage) -> None:
    shell(home, "hueyctl -A app.huey enqueue app.broken 7")
    wait_until(lambda: states(consumer) == ["dead"], 20)

    shell(home, recipe("dead dump"))

    elsewhere = SqliteStorage(home / "elsewhere.db", read_only=True)
    assert [(job.state, job.task) for job in elsewhere.jobs(Selector())] == [
        (State.PENDING, "app.broken")
    ]
    elsewhere.close()


def test_the_chord_of_the_readme_runs(home: Path) -> None:
    example = next(block for block in blocks("python") if "chord" in block)
    (home / "example.py").write_text(f"from app import huey\n\n{example}")
    check = (
        "from example import huey, handles\n"
        "consumer = huey.create_consumer(workers=2)\n"
        "consumer.start()\n"
        "print(handles.get(blocking=True, timeout=10)[-2:])\n"
        "consumer.stop(graceful=True)\n"
    )
    (home / "check.py").write_text(check)

    answer = shell(home, f"{sys.executable} check.py")

    assert answer.strip() == "[[0, 1, 1, 2, 2, 3], '6 rows']"
