"""Global options: where they may stand, the environment, config files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from clikit import QueueFile, Write

from hueyctl.options import is_verbose, wants_json
from hueyctl.settings import key_of
from hueyctl.streams import wants_colour

Invoke = Callable[..., Result]


@pytest.fixture
def two(queue: QueueFile, home: Path) -> QueueFile:
    """``queue.db`` has one pending job, ``other.db`` has two."""
    queue.add("app.task")
    other = QueueFile(home / "other.db")
    other.add("app.task")
    other.add("app.task")
    other.storage.close()
    return queue


def test_global_options_stand_before_or_after_the_command(two: QueueFile, invoke: Invoke) -> None:
    assert invoke("-u", "queue.db", "depth").stdout == "1\n"
    assert invoke("depth", "-u", "queue.db").stdout == "1\n"


def test_what_stands_after_the_command_wins(two: QueueFile, invoke: Invoke) -> None:
    assert invoke("-u", "queue.db", "depth", "-u", "other.db").stdout == "2\n"


def test_the_command_line_beats_the_environment_in_either_place(
    two: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEYCTL_URL", "other.db")

    assert invoke("depth").stdout == "2\n"
    assert invoke("-u", "queue.db", "depth").stdout == "1\n"
    assert invoke("depth", "-u", "queue.db").stdout == "1\n"


def test_json_is_short_for_output_json(two: QueueFile, invoke: Invoke) -> None:
    for words in (("--json",), ("-o", "json"), ("-ojson",), ("--output=json",)):
        assert json.loads(invoke("depth", "-u", "queue.db", *words).stdout)["total"] == 1


def test_the_flag_json_beats_an_output_of_the_environment(
    two: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUEYCTL_OUTPUT", "csv")

    assert invoke("list", "-u", "queue.db").stdout.startswith("SEQ,")
    assert invoke("list", "-u", "queue.db", "--json").stdout.startswith("[")


def test_an_unknown_format_is_refused_with_near_names(home: Path, invoke: Invoke) -> None:
    result = invoke("list", "-o", "jsno")

    assert result.exit_code == 2
    assert "did you mean json" in result.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("list -n abc", "'abc' is not a valid whole number."),
        ("consume -w 1.5", "'1.5' is not a valid whole number."),
        ("consume -b x", "'x' is not a valid number."),
        ("enqueue t --priority nan", "'nan' is not a valid number."),
        ("reschedule 1 --priority inf", "'inf' is not a valid number."),
        ("periodic add n t --every 1d --priority x", "'x' is not a valid number."),
        ("list --where priority>abc", "'abc' is neither a number nor a duration"),
    ],
)
def test_what_is_no_number_is_told_in_words_for_people(
    queue: QueueFile, invoke: Invoke, line: str, said: str
) -> None:
    result = invoke(*line.split(), *(() if line.startswith("consume") else ("-u", "queue.db")))

    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize("words", ["show", "why", "result", "revoke", "restore", "dead retry"])
def test_an_id_of_an_unset_variable_is_told_as_what_it_is(
    queue: QueueFile, invoke: Invoke, words: str
) -> None:
    queue.add("app.add")

    result = invoke(*words.split(), "", "-u", "queue.db")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("hueyctl: an id is empty\n")
    assert queue.state("1") == "pending"


def test_usage_errors_are_json_when_json_was_asked_for(home: Path, invoke: Invoke) -> None:
    for words in (("list", "--json", "--bad"), ("-o", "json", "list", "--bad"), ("lst", "--json")):
        result = invoke(*words)
        assert json.loads(result.stderr)["error"]["exit"] == result.exit_code == 2


def test_json_is_looked_for_among_words_that_could_not_be_parsed() -> None:
    assert wants_json(["list", "--bad", "-o", "jsonl"], {})
    assert wants_json(["list"], {"HUEYCTL_OUTPUT": "json"})
    assert not wants_json(["list", "-o", "csv"], {"HUEYCTL_OUTPUT": "json"})
    assert not wants_json(["enqueue", "t", "--", "--json"], {})
    assert is_verbose(["list", "-v"])
    assert not is_verbose(["enqueue", "--", "-v"])


def named(queue: QueueFile, name: str) -> str:
    """The URL of another queue at the same place."""
    where = str(queue.where)
    url = where if "://" in where else f"sqlite:///{where}"
    return f"{url}{'&' if '?' in url else '?'}name={name}"


def test_a_queue_can_be_chosen_by_option_and_by_url(two: QueueFile, invoke: Invoke) -> None:
    mail = QueueFile(two.where, "mail")
    mail.add("app.send")
    mail.add("app.send")
    mail.storage.close()

    assert invoke("depth", "-u", "queue.db").stdout == "3\n"
    assert invoke("depth", "-u", "queue.db", "-Q", "mail").stdout == "2\n"
    assert invoke("depth", "-u", "queue.db", "-Q", "mail", "-Q", "huey").stdout == "3\n"
    for name, number in (("mail", "2\n"), ("huey", "1\n")):
        url = named(two, name)
        assert invoke("depth", "-u", url).stdout == number
        assert invoke("list", "-u", url, "--count").stdout == number


def test_an_unknown_queue_is_not_found(two: QueueFile, invoke: Invoke) -> None:
    for words in (("depth",), ("list",), ("wait", "--for", "empty")):
        result = invoke(*words, "-u", "queue.db", "-Q", "hueey")
        assert result.exit_code == 3
        assert "did you mean 'huey'?" in result.stderr


@pytest.mark.sqlite_only("they are the URLs of a file")
@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("sqlite:///queue.db", 0), ("queue.db", 0), ("sqlite:///queue.db?name=huey", 0),
        ("./queue.db", 0), ("sqlite:///./queue.db", 0),
        ("sqlite:///que%75e.db", 0), ("sqlite://queue.db", 2), ("sqlite:///", 2),
        ("mysql://x", 2), ("sqlite:///queue.db?nmae=x", 2), ("redis://h/0", 69),
        ("postgresql+psycopg://h/d", 2),
    ],
)  # fmt: skip
def test_urls_are_read(two: QueueFile, invoke: Invoke, url: str, code: int) -> None:
    assert invoke("depth", "-u", url).exit_code == code


def test_a_url_may_stand_in_a_file(two: QueueFile, invoke: Invoke, write: Write) -> None:
    write("secret", "queue.db\n")

    assert invoke("depth", "-u", "@secret").stdout == "1\n"
    assert invoke("depth", "-u", "@missing").exit_code == 2


def test_a_password_is_never_shown() -> None:
    from hueycore.storage.open import masked

    assert masked("redis://me:secret@host:1/0") == "redis://me:***@host:1/0"
    assert masked("redis://host/0") == "redis://host/0"
    assert masked("queue.db") == "queue.db"


def test_huey_db_in_the_working_directory_is_used_and_announced_to_a_person(
    home: Path, invoke: Invoke, on_tty: Callable[..., tuple[int, str]]
) -> None:
    made = QueueFile(home / "huey.db")
    made.add("app.task")
    made.storage.close()

    result = invoke("depth")

    assert result.stdout == "1\n"
    assert result.stderr == ""
    assert on_tty("depth", columns=300)[1] == f"hueyctl: using {home / 'huey.db'}\n1\n"
    assert on_tty("depth", "-q")[1] == "1\n"
    assert invoke("enqueue", "app.task").exit_code == 2


def test_without_any_storage_the_error_says_how_to_name_one(home: Path, invoke: Invoke) -> None:
    result = invoke("depth")

    assert result.exit_code == 2
    assert "--url" in result.stderr


# --- config files --------------------------------------------------------------------------------


def test_the_project_config_gives_defaults(two: QueueFile, invoke: Invoke, home: Path) -> None:
    (home / "pyproject.toml").write_text(
        '[tool.hueyctl]\nurl = "other.db"\n[tool.hueyctl.list]\nlimit = 1\n'
    )
    inner = home / "a" / "b"
    inner.mkdir(parents=True)

    assert invoke("depth").stdout == "2\n"
    assert invoke("depth", "-u", "queue.db").stdout == "1\n"
    assert len(invoke("list").stdout.splitlines()) == 1
    assert len(invoke("ls").stdout.splitlines()) == 1
    os.chdir(inner)
    assert "other.db" in invoke("depth").stderr  # found, and relative to where we are


def test_a_hueyctl_toml_beats_the_pyproject_beside_it_and_the_user_config_comes_last(
    two: QueueFile, invoke: Invoke, home: Path, write: Write
) -> None:
    user = Path(os.environ["XDG_CONFIG_HOME"]) / "hueyctl"
    user.mkdir(parents=True)
    write(user / "config.toml", 'url = "queue.db"\noutput = "json"\n')
    assert json.loads(invoke("depth").stdout)["total"] == 1

    (home / "hueyctl.toml").write_text('url = "other.db"\n')
    (home / "pyproject.toml").write_text('[tool.hueyctl]\nurl = "nope.db"\n')
    assert json.loads(invoke("depth").stdout)["total"] == 2


def test_the_search_stops_at_the_root_of_the_repository(
    two: QueueFile, invoke: Invoke, home: Path, write: Write
) -> None:
    write(home.parent / "hueyctl.toml", 'url = "queue.db"\n')

    assert invoke("depth").exit_code == 2


def test_the_environment_beats_the_config(
    two: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    write("hueyctl.toml", 'url = "queue.db"\n[list]\nlimit = 1\n')
    monkeypatch.setenv("HUEYCTL_URL", "other.db")
    monkeypatch.setenv("HUEYCTL_LIST_LIMIT", "2")

    assert invoke("depth").stdout == "2\n"
    assert len(invoke("list").stdout.splitlines()) == 2


def test_a_named_config_replaces_the_others_in_either_place(
    two: QueueFile, invoke: Invoke, home: Path, write: Write
) -> None:
    write("hueyctl.toml", 'url = "queue.db"\noutput = "csv"\n')
    (home / "mine.toml").write_text('url = "other.db"\n[depth]\nstate = "pending"\n')

    for words in (("--config", "mine.toml", "depth"), ("depth", "--config", "mine.toml")):
        assert invoke(*words).stdout == "2\n"
    assert invoke("list", "--config", "mine.toml").stdout.startswith("1\t")
    assert invoke("list", "--config", "nope.toml").exit_code == 78


def test_unknown_keys_are_warned_of_with_a_suggestion(
    two: QueueFile, invoke: Invoke, write: Write
) -> None:
    write(
        "hueyctl.toml", 'url = "queue.db"\ntime-fromat = "iso"\n[list]\nlimt = 3\n[waiter]\na = 1\n'
    )

    said = invoke("list").stderr

    assert "unknown key 'time-fromat'; did you mean 'time-format'?" in said
    assert "unknown key 'list.limt'; did you mean 'list.limit'?" in said
    assert "unknown key 'waiter'" in said
    assert "limt" not in invoke("depth").stderr


def leaves(group: click.Group, ctx: click.Context) -> Iterator[click.Command]:
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        assert found is not None
        if isinstance(found, click.Group):
            yield from leaves(found, ctx)
        else:
            yield found


def test_every_option_has_a_key_and_a_variable_of_its_own_name() -> None:
    from hueyctl.cli import cli
    from hueyctl.config import set_defaults

    root = click.Context(cli, info_name="hueyctl", **cli.context_settings)
    for found in leaves(cli, root):
        ctx = click.Context(found, parent=root, info_name=found.name)
        keys = [key for key in map(key_of, found.params) if key]
        assert len(keys) == len(set(keys))
        ctx.default_map = dict.fromkeys(keys, "x")
        set_defaults(ctx)
        for param in found.params:
            key = key_of(param)
            if key is None:
                assert param.name not in ctx.default_map
            else:
                assert ctx.default_map[param.name or ""] in ("x", ["x"])
                assert f"--{key.replace('_', '-')}" in param.opts


def test_options_whose_name_is_a_word_of_python_can_be_set(
    two: QueueFile, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    write("hueyctl.toml", 'url = "queue.db"\njson = true\n[depth]\nmax = 0\n')
    assert invoke("depth").exit_code == 4
    assert json.loads(invoke("depth").stdout)["total"] == 1

    monkeypatch.setenv("HUEYCTL_DEPTH_MAX", "5")
    assert invoke("depth").exit_code == 0


def test_a_file_cannot_say_yes_for_anybody(two: QueueFile, invoke: Invoke, write: Write) -> None:
    write("hueyctl.toml", 'url = "queue.db"\n[purge]\nyes = true\n')

    result = invoke("purge", "all")

    assert result.exit_code == 6
    assert "unknown key 'purge.yes'" in result.stderr


def test_a_list_of_one_may_be_a_string(two: QueueFile, invoke: Invoke, write: Write) -> None:
    write("hueyctl.toml", 'url = "queue.db"\nqueue = "huey"\n[depth]\nstate = "pending"\n')

    assert invoke("depth").stdout == "1\n"


@pytest.mark.parametrize(
    "text", ["url = ", "[tool]\nx = 1\n", "url = 1\n[list]\nlimit = 'many'\n", "\x00"]
)
def test_a_bad_config_is_78(invoke: Invoke, home: Path, text: str) -> None:
    (home / "bad.toml").write_text(text)

    result = invoke("--config", "bad.toml", "list")

    assert result.exit_code == 78, result.stderr
    assert "config file" in result.stderr


def test_a_project_that_does_not_mention_us_is_not_read(invoke: Invoke, home: Path) -> None:
    (home / "pyproject.toml").write_text("this is = not TOML")

    assert "config" not in invoke("depth").stderr


# --- colour --------------------------------------------------------------------------------------


class Stream:
    def __init__(self, tty: bool) -> None:
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(
    ("choice", "environ", "tty", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_colour_is_decided_in_one_order(
    choice: str, environ: dict[str, str], tty: bool, wanted: bool
) -> None:
    stream: Any = Stream(tty)

    assert wants_colour(choice, stream, environ) is wanted


@pytest.mark.parametrize(
    "words",
    [
        "list -n", "pending -n", "dead list -n", "dump -n", "dead summary -n", "events -n",
        "logs 1 -n", "periodic next -n", "stats --by task --top", "depth --max",
        "enqueue --copy 1 --retries",
    ],
)  # fmt: skip
def test_a_number_that_no_engine_has_room_for_is_an_error_of_usage(
    queue: QueueFile, invoke: Invoke, words: str
) -> None:
    queue.add("app.add", 1)

    result = invoke(*words.split(), "99999999999999999999", "-u", "queue.db")

    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "99999999999999999999 is larger than 2147483647" in result.stderr
