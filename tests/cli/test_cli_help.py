"""The command tree as a whole: help, options, examples."""

from __future__ import annotations

import shlex
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import Result
from clikit import QueueFile

from hueyctl.cli import cli
from hueyctl.command import Command
from hueyctl.docs.topics import ABOUT
from hueyctl.options import GlobalOption
from hueyctl.tree import ALIASES, COMMANDS, SYNONYMS

Invoke = Callable[..., Result]
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}
NAMES = sorted(COMMANDS.keys() - GROUPS)

#: What a letter means wherever it appears; consume alone keeps the letters of huey_consumer.
LETTERS = {
    "-A": "--app", "-u": "--url", "-Q": "--queue", "-o": "--output", "-q": "--quiet",
    "-v": "--verbose", "-V": "--version", "-h": "--help", "-n": "--limit", "-f": "--follow",
    "-i": "--interval", "-a": "--all", "-t": "--timeout", "-W": "--wait", "-r": "--raw",
    "-y": "--yes", "-w": "--watch",
}  # fmt: skip
CONSUMER_LETTERS = {
    "-w": "--workers", "-k": "--worker-type", "-d": "--delay", "-m": "--max-delay",
    "-b": "--backoff", "-c": "--health-check-interval", "-C": "--disable-health-check",
    "-s": "--scheduler-interval", "-n": "--no-periodic", "-f": "--flush-locks",
    "-L": "--extra-locks", "-M": "--max-tasks", "-t": "--shutdown-timeout",
    "-g": "--graceful-signal", "-l": "--logfile", "-S": "--simple",
}  # fmt: skip


def load(name: str) -> Command:
    found: click.Command | None = cli
    for word in name.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert isinstance(found, Command)
    return found


def options(found: click.Command) -> list[click.Option]:
    return [param for param in found.params if isinstance(param, click.Option)]


def names_of(option: click.Option) -> list[str]:
    return [name.strip() for name in (*option.opts, *option.secondary_opts) if name.strip()]


def test_top_level_help_names_every_command_with_its_line(invoke: Invoke) -> None:
    shown = invoke("--help").stdout

    for name, line in COMMANDS.items():
        if " " not in name:
            assert name in shown
            assert line in shown


def test_top_level_help_names_every_topic_and_none_is_a_command(invoke: Invoke) -> None:
    shown = " ".join(invoke("--help").stdout.partition("Topics")[2].split())

    assert shown.endswith(", ".join(ABOUT))
    assert not set(ABOUT) & {*COMMANDS, *ALIASES}


def test_without_a_command_help_goes_to_stderr_and_the_exit_code_is_usage(invoke: Invoke) -> None:
    result = invoke()

    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_the_only_one_of_the_module_that_has_its_name(name: str) -> None:
    found = load(name)

    assert found.name == name.split()[-1]
    path = f"hueyctl.commands.{name.replace(' ', '.')}"
    modules = [sys.modules[each] for each in (path, f"{path}.command") if each in sys.modules]
    values = [value for module in modules for value in vars(module).values()]
    assert [value for value in values if isinstance(value, click.Command)] == [found]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_with_options_examples_and_exit_codes(
    name: str, invoke: Invoke
) -> None:
    for flag in ("--help", "-h"):
        result = invoke(*name.split(), flag)
        shown = result.stdout
        assert result.exit_code == 0, result.output
        assert load(name).help
        assert "Global options:" in shown
        assert "Examples:" in shown
        assert "Exit codes: 0 " in shown


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_two_examples_that_parse(name: str) -> None:
    examples = load(name).examples

    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(example.split("|")[0].split(" > ")[0].split(" 2>>")[0])
        path = ["hueyctl", *name.split()]
        if words[1] in ALIASES:
            words[1:2] = ALIASES[words[1]].split()
        assert words[: len(path)] == path
        parse(load(name), words[len(path) :])


def parse(found: click.Command, words: list[str]) -> None:
    """As the real parser does, but files need not exist."""
    parent = click.Context(cli, info_name="hueyctl", **cli.context_settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click.File, "convert", lambda self, value, param, ctx: value)
        found.make_context(found.name, list(words), parent=parent)


@pytest.mark.parametrize("name", NAMES)
def test_no_option_of_a_command_is_declared_twice(name: str) -> None:
    seen = [each for option in options(load(name)) for each in names_of(option)]

    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("name", NAMES)
def test_a_letter_means_the_same_in_every_command(name: str) -> None:
    letters = dict(LETTERS)
    if name in ("consume", "scaffold"):  # which takes the options of consume
        letters |= CONSUMER_LETTERS
    for option in options(load(name)):
        short = [each for each in names_of(option) if len(each) == 2]
        long = [each for each in names_of(option) if each.startswith("--")]
        assert long, f"{option.name} has no long form"
        for letter in short:
            assert letters[letter] in long


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_help_and_no_underscore(name: str) -> None:
    for option in options(load(name)):
        assert option.help, option.name
        assert not any("_" in each for each in names_of(option))


@pytest.mark.parametrize("name", NAMES)
def test_every_command_takes_every_global_option(name: str) -> None:
    shared = {each.name for each in options(load(name)) if isinstance(each, GlobalOption)}

    assert shared == {each.name for each in options(cli)}


@pytest.mark.parametrize("name", NAMES)
def test_every_argument_is_explained(name: str) -> None:
    found = load(name)
    arguments = [param for param in found.params if isinstance(param, click.Argument)]

    assert bool(arguments) == bool(found.arguments)


def test_an_alias_leads_to_the_command(invoke: Invoke) -> None:
    for alias, name in ALIASES.items():
        assert load(alias) is load(name.split()[0])


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(invoke: Invoke) -> None:
    result = invoke("lits")

    assert result.exit_code == 2
    assert result.stderr == "hueyctl: no such command 'lits'\nhint: did you mean list?\n"


def test_command_names_are_not_matched_by_prefix(invoke: Invoke) -> None:
    assert invoke("sched").exit_code == 2


def test_an_unknown_option_is_a_usage_error_with_a_suggestion(invoke: Invoke) -> None:
    result = invoke("enqueue", "a.task", "--delai", "5")

    assert result.exit_code == 2
    assert "--delay" in result.stderr


def test_an_argument_with_a_dash_gets_the_hint_about_two_dashes(invoke: Invoke) -> None:
    result = invoke("enqueue", "a.task", "-x5")

    assert result.exit_code == 2
    assert '"--"' in result.stderr


def test_help_prints_the_page_of_a_command(invoke: Invoke) -> None:
    assert invoke("help", "depth").stdout == invoke("depth", "--help").stdout


def test_help_alone_prints_the_overview(invoke: Invoke) -> None:
    assert invoke("help").stdout == invoke("--help").stdout


def test_help_for_an_unknown_word_is_not_found(invoke: Invoke) -> None:
    result = invoke("help", "exit-code")

    assert result.exit_code == 3
    assert "exit-codes" in result.stderr


def test_help_exit_codes_prints_every_code_once(invoke: Invoke) -> None:
    from hueyctl import exits

    lines = invoke("help", "exit-codes").stdout.splitlines()[1:]

    assert [int(line.split()[0]) for line in lines] == sorted(exits.NAMES)
    assert all(len(line.split()) > 4 for line in lines)


def test_help_states_prints_the_transition_table_of_the_storage(invoke: Invoke) -> None:
    import json

    from hueycore.model.states import TRANSITIONS

    rows = json.loads(invoke("help", "states", "-o", "json").stdout)
    text = invoke("help", "states").stdout

    assert [(row["verb"], row["before"]) for row in rows] == [
        (row.verb, [str(state) for state in row.before]) for row in TRANSITIONS
    ]
    assert all(row.verb in text for row in TRANSITIONS)


def test_the_version_names_hueyctl_python_and_sqlite(invoke: Invoke) -> None:
    import sqlite3
    import sys

    for flag in ("-V", "--version"):
        assert invoke(flag).stdout == (
            f"hueyctl 0.1.0 (Python {'.'.join(map(str, sys.version_info[:3]))}, "
            f"SQLite {sqlite3.sqlite_version})\n"
        )


def test_the_version_is_that_of_the_distribution() -> None:
    import tomllib

    from hueyctl import __version__

    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text())["project"]
    assert project["version"] == __version__


@pytest.mark.parametrize("word", ["ps", "cancel", "kill", "delete", "jobs", "info", "rm"])
def test_the_words_of_other_programs_say_what_to_type(invoke: Invoke, word: str) -> None:
    result = invoke(word, "3")

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"no such command {word!r}" in result.stderr
    assert "hint: say hueyctl " in result.stderr


def test_what_is_said_instead_of_a_word_is_a_command_line_that_is_understood() -> None:
    assert not {*SYNONYMS} & {*COMMANDS, *ALIASES}
    lines = {line for meant in SYNONYMS.values() for line in meant}
    for line in lines - {"--version"}:
        words = line.replace("TARGET", "done").split()
        name = "db backup" if words[0] == "db" else words[0]
        if name == "top":
            continue
        inside = words[len(name.split()) :]
        if name in ("dead", "periodic"):
            name, inside = " ".join(words[:2]), words[2:]
        load(name).make_context(name, inside, parent=cli.make_context("hueyctl", []))


#: What a command needs besides options, to get as far as the queue.
NEEDED = {
    "show": ["1"], "why": ["1"], "logs": ["1"], "result": ["1"], "wait": ["1"], "dead show": ["1"],
    "dead load": ["d.jsonl"], "load": ["d.jsonl"], "lock acquire": ["n", "--", "true"],
    "lock release": ["n"], "revoke": ["1"], "restore": ["1"], "reschedule": ["1", "--now"],
    "dead retry": ["1"], "dead purge": ["1", "-y"], "purge": ["done", "-y"],
    "periodic trigger": ["n"], "periodic pause": ["n"], "periodic resume": ["n"],
    "periodic remove": ["n"], "db restore": ["b.db", "-y"], "db backup": ["b.db"],
}  # fmt: skip
#: They are about no queue, make one, or go on until they are stopped.
OF_NO_QUEUE = {
    "consume", "run", "scaffold", "demo", "tasks", "help", "completion", "config show",
    "config init", "enqueue", "periodic add", "dashboard",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NAMES if name not in OF_NO_QUEUE])
@pytest.mark.sqlite_only("a file of a later release is made by hand")
def test_a_command_says_by_which_codes_it_ends_where_there_is_no_such_queue(
    mixed: QueueFile, home: Path, invoke: Invoke, name: str
) -> None:
    mixed.storage.checkpoint()
    shutil.copy(home / "queue.db", home / "later.db")
    with closing(sqlite3.connect(home / "later.db")) as con, con:
        con.execute("update huey_meta set value = '99' where name = 'schema'")
    (home / "d.jsonl").touch()

    command = load(name)
    assert isinstance(command, Command)
    for where in (
        ["-u", "sqlite:///none.db"],
        ["-u", "queue.db", "-Q", "none"],
        ["-u", "later.db"],
    ):
        result = invoke(*where, *name.split(), *NEEDED.get(name, []))
        assert result.exit_code in command.codes, (where, result.exit_code, result.output)
