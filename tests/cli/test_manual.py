"""The man pages: complete, clean for the programs that read them, and always the committed ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from clikit import ROOT

from hueyctl import RELEASED, exits
from hueyctl.cli import cli
from hueyctl.command import Command
from hueyctl.docs import manual, roff
from hueyctl.docs.page import walk
from hueyctl.docs.topics import PAGES
from hueyctl.tree import COMMANDS

Invoke = Callable[..., Result]

sys.path.insert(0, str(ROOT / "tests" / "tools"))
import generate  # noqa: E402


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return manual.pages()


def test_every_command_and_every_topic_has_its_page(pages: dict[str, str]) -> None:
    names = {f"man1/hueyctl-{name.replace(' ', '-')}.1" for name in COMMANDS}
    more = {"man1/hueyctl.1", "man5/hueyctl.toml.5"}
    topics = {f"man7/hueyctl-{name}.7" for name in (*PAGES, "exit-codes")}

    assert set(pages) == names | more | topics


def test_every_page_has_its_sections_once_and_in_order(pages: dict[str, str]) -> None:
    order = [
        "NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "OPTIONS", "COMMANDS", "EXAMPLES",
        "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO",
    ]  # fmt: skip
    for name, text in pages.items():
        found = re.findall(r"(?m)^\.SH (.+)$", text)
        assert found == [section for section in order if section in found], name
        assert {"NAME", "DESCRIPTION", "SEE ALSO"} <= set(found)
        if name.startswith("man1"):
            assert {"SYNOPSIS", "OPTIONS", "ENVIRONMENT"} <= set(found), name


@pytest.mark.parametrize("ctx", list(walk(cli, "hueyctl")), ids=lambda ctx: ctx.command_path)
def test_a_page_says_all_that_the_command_knows(ctx: click.Context) -> None:
    text = manual.page(ctx)
    for option in ctx.command.params:
        if isinstance(option, click.Option) and not option.hidden:
            assert any(roff.bold(name) in text for name in option.opts), option.name
    if isinstance(ctx.command, Command):
        for example in ctx.command.examples:
            assert roff.escape(example) in text
        for code in ctx.command.codes:
            assert roff.bold(str(code)) in text
        for name, _ in ctx.command.arguments:
            assert roff.italic(name) in text


def test_pages_refer_to_pages_that_exist(pages: dict[str, str]) -> None:
    there = {Path(name).name for name in pages}
    for name, text in pages.items():
        for stem, section in re.findall(r"\\fB(hueyctl[^ ]*?)\\fR\((\d)\)", text):
            assert f"{stem}.{section}".replace("\\-", "-") in there, (name, stem)


def test_the_exit_codes_page_has_them_all(pages: dict[str, str]) -> None:
    for code, name in exits.NAMES.items():
        assert rf"\fB{code}\fR {name}" in pages["man7/hueyctl-exit-codes.7"]


def test_the_same_tree_makes_the_same_pages(pages: dict[str, str]) -> None:
    code = "import json; from hueyctl.docs.manual import pages; print(json.dumps(pages()))"
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(ROOT / "core"), str(ROOT))),
        "PYTHONHASHSEED": "7", "COLUMNS": "40", "TZ": "Asia/Tokyo", "LC_ALL": "C",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=env,
        check=True, cwd="/",
    )  # fmt: skip

    import json

    assert json.loads(done.stdout) == pages


def test_the_date_is_that_of_the_release(pages: dict[str, str]) -> None:
    assert all(f'"{RELEASED}"' in text for text in pages.values())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", RELEASED)


def test_pages_are_plain_ascii_without_tabs_or_blanks_at_the_end(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert text.isascii(), name
        assert "\t" not in text, name
        assert not re.search(r"(?m) $", text), name


@pytest.mark.parametrize(
    ("program", "words"),
    [("mandoc", ["-T", "lint", "-W", "warning"]), ("groff", ["-t", "-man", "-ww", "-z"])],
)
def test_pages_are_clean(
    pages: dict[str, str], tmp_path: Path, program: str, words: list[str]
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    for name, text in pages.items():
        path = tmp_path / Path(name).name
        path.write_text(text)
        done = subprocess.run(
            [program, *words, str(path)], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, ""), name


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (".TH is text", r"\&.TH is text"), ("one\n.two", "one\n\\&.two"), (r"C:\temp", r"C:\etemp"),
        ("'quoted", r"\(aqquoted"), ("--all", r"\-\-all"), ("a\x08b\x1b[2J", "ab[2J"),
        ("grün …", r"gr\[u00FC]n \[u2026]"), ("~/x^`", r"\(ti/x\(ha\(ga"),
    ],
)  # fmt: skip
def test_no_text_becomes_a_request(text: str, written: str) -> None:
    assert roff.escape(text) == written


def test_a_docstring_keeps_the_lines_that_it_marks() -> None:
    lines = roff.prose("One\nline.\n\n\b\n  kept\n    as it is\n\n.not a request")

    assert lines == [
        "One line.", ".PP", ".RS 4", ".nf", "  kept", "    as it is", ".fi", ".RE", ".PP",
        r"\&.not a request",
    ]  # fmt: skip


def test_the_committed_files_are_those_of_the_command_tree() -> None:
    stale = generate.stale(generate.generated())

    assert not stale, f"run `make generate`: {', '.join(stale)}"


def test_check_tells_what_is_stale_and_writing_mends_it(tmp_path: Path) -> None:
    found = {"man/man1/a.1": "new\n", "completions/b": "b\n"}
    (tmp_path / "man/man1").mkdir(parents=True)
    (tmp_path / "man/man1/a.1").write_text("old\n")
    (tmp_path / "man/man1/gone.1").write_text("gone\n")

    assert generate.stale(found, tmp_path) == ["completions/b", "man/man1/a.1", "man/man1/gone.1"]
    generate.write(found, tmp_path)

    assert generate.stale(found, tmp_path) == []
    assert not (tmp_path / "man/man1/gone.1").exists()


def test_help_man_opens_the_page(invoke: Invoke, home: Path, monkeypatch: Any) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(subprocess, "run", lambda words, check: calls.append(words))

    for words in (["dead", "dump"], [], ["exit-codes"]):
        assert invoke("help", "--man", *words).exit_code == 0

    names = [Path(words[-1]).name for words in calls]
    assert names == ["hueyctl-dead-dump.1", "hueyctl.1", "hueyctl-exit-codes.7"]
    assert all(Path(words[-1]).is_file() for words in calls)


def test_help_man_falls_back_to_text(invoke: Invoke, home: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)

    result = invoke("help", "--man", "depth")

    assert (result.exit_code, result.stdout) == (0, invoke("depth", "--help").stdout)
    assert invoke("help", "--man", "nonsense").exit_code == 3


# --- packaging ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_wheel_has_the_pages_the_completions_and_the_data(tmp_path: Path) -> None:
    project = (ROOT / "pyproject.toml").read_text()
    if "shared-data" not in project:
        pytest.skip("pyproject.toml does not install shared data yet")
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("core", "hueyctl", "man", "completions"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(tmp_path), str(tree)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip("hatchling cannot be had here")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"hueyctl/_data/man/pages/{name}.md" for name in PAGES} <= names
    for folder in ("templates", "static"):
        for file in (ROOT / "hueyctl" / "dashboard" / folder).iterdir():
            assert f"hueyctl/dashboard/{folder}/{file.name}" in names
    for path in generate.generated():
        if path.startswith("tests/"):
            continue
        assert f"hueyctl/_data/{path}" in names
        if path.startswith("man/"):
            assert any(name.endswith(f".data/data/share/{path}") for name in names), path
    for installed in (
        "bash-completion/completions/hueyctl", "zsh/site-functions/_hueyctl",
        "fish/vendor_completions.d/hueyctl.fish",
    ):  # fmt: skip
        assert any(name.endswith(f".data/data/share/{installed}") for name in names), installed
    assert {"hueycore/storage/sqlite/schema.sql", "hueyctl/__main__.py"} <= names
