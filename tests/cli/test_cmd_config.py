"""config show: every setting and who set it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from hueyctl.sources import line_of

Invoke = Callable[..., Result]


def settings(invoke: Invoke, *words: str) -> dict[str, dict[str, Any]]:
    result = invoke(*words, "config", "show", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["schema"] == "hueyctl.config/1"
    names = [row["setting"] for row in found["settings"]]
    assert len(names) == len(set(names))
    return {row["setting"]: row for row in found["settings"]}


def test_everything_is_listed_with_its_default(home: Path, invoke: Invoke) -> None:
    found = settings(invoke)

    assert found["url"] == {"setting": "url", "value": None, "source": "default", "where": None}
    assert found["queue"]["value"] is None
    assert found["no-input"]["value"] is False
    assert found["stats.window"]["value"] == "5m"
    assert found["stats.alt-screen"]["value"] is True
    assert found["json"]["source"] == "flag"
    assert {row["source"] for name, row in found.items() if "." in name} == {"default"}
    assert any(name.startswith("dead.") for name in found)


def test_each_source_is_named(home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "pyproject.toml").write_text(
        '[project]\nname = "x"\nurl = "no"\n\n'
        '[tool.hueyctl]\ntime-format = "unix"\nurl = "file.db"\n\n'
        "[tool.hueyctl.consume]\n# eight\nworkers = 8\n\n[tool.hueyctl.dead.list]\nlimit = 3\n"
    )
    monkeypatch.setenv("HUEYCTL_APP", "env:huey")
    monkeypatch.setenv("HUEYCTL_STATS_WINDOW", "1h")
    monkeypatch.setenv("HUEYCTL_CONSUME_DELAY", "0.5")

    found = settings(invoke, "--queue", "a", "-Q", "b")
    path = home / "pyproject.toml"

    def told(name: str) -> tuple[Any, str, str | None]:
        row = found[name]
        return row["value"], row["source"], row["where"]

    assert told("queue") == (["a", "b"], "flag", "--queue")
    assert told("app") == ("env:huey", "env", "HUEYCTL_APP")
    assert told("url") == ("file.db", "file", f"{path}:7")
    assert told("time-format") == ("unix", "file", f"{path}:6")
    assert told("consume.workers") == (8, "file", f"{path}:11")
    assert told("consume.delay") == ("0.5", "env", "HUEYCTL_CONSUME_DELAY")
    assert told("stats.window") == ("1h", "env", "HUEYCTL_STATS_WINDOW")
    assert told("dead.list.limit") == (3, "file", f"{path}:14")


def test_the_stronger_source_wins(
    home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    user = tmp_path / "config" / "hueyctl" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('url = "user.db"\napp = "user:huey"\ncolor = "never"\n')
    (home / "hueyctl.toml").write_text('\nurl = "project.db"\napp = "project:huey"\n')
    monkeypatch.setenv("HUEYCTL_APP", "env:huey")

    found = settings(invoke)

    assert found["color"]["where"] == f"{user}:3"
    assert found["url"]["where"] == f"{home / 'hueyctl.toml'}:2"
    assert found["app"]["source"] == "env"
    assert settings(invoke, "-A", "flag:huey")["app"]["value"] == "flag:huey"


def test_a_named_config_file_is_the_only_one(home: Path, invoke: Invoke) -> None:
    (home / "hueyctl.toml").write_text('url = "project.db"\n[consume]\nworkers = 2\n')
    (home / "other.toml").write_text("[consume]\ndelay = 3\n")

    found = settings(invoke, "--config", "other.toml")

    assert found["config"]["value"] == "other.toml"
    assert found["url"]["source"] == "default"
    assert found["consume.workers"]["source"] == "default"
    assert found["consume.delay"]["where"] == "other.toml:2"


def test_only_what_was_changed_unless_all_is_wanted(
    home: Path, invoke: Invoke, on_tty: Callable[..., tuple[int, str]]
) -> None:
    assert invoke("config", "show").stdout == ""

    shown = invoke("config", "show", "-u", "x.db").stdout
    assert shown == "url\tx.db\tflag\t--url\n"
    every = invoke("config", "show", "-u", "x.db", "--all").stdout.splitlines()
    assert len(every) == len(settings(invoke))
    changed = json.loads(invoke("config", "show", "-u", "x.db", "--changed", "--json").stdout)
    assert [row["setting"] for row in changed["settings"]] == ["url", "json"]
    _, text = on_tty("config", "show", "-u", "x.db")
    assert f"The other {len(every) - 1} are at their defaults: --all" in text


# --- init -----------------------------------------------------------------------------------------


def uncommented(text: str) -> str:
    """The settings that are comments, as settings."""
    return re.sub(r"^# (\[|[a-z-]+ = )", r"\1", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["hueyctl.toml", "pyproject.toml"])
def test_a_file_to_begin_with_is_written_once(home: Path, invoke: Invoke, name: str) -> None:
    if name == "pyproject.toml":
        (home / name).write_text('[project]\nname = "x"')

    result = invoke("config", "init", "--app", "shop.tasks:huey")
    path = home / name
    written = path.read_text()

    said = "created" if name == "hueyctl.toml" else "added [tool.hueyctl] to"
    assert (result.exit_code, result.stderr) == (0, f"hueyctl: {said} {path}\n")
    found = settings(invoke)
    assert found["app"]["value"] == "shop.tasks:huey"
    assert str(found["app"]["where"]).startswith(f"{path}:")
    assert {row["source"] for row in found.values()} == {"file", "flag", "default"}
    again = invoke("config", "init")
    assert again.exit_code == 6
    assert "nothing was written" in again.stderr
    assert path.read_text() == written
    assert {each.name for each in home.iterdir()} - {".git"} == {name}

    # Every comment is a setting that exists.
    path.write_text(uncommented(written).replace('app = "app:huey"\n', ""))
    result = invoke("config", "show", "--changed", "--json")
    assert result.stderr == ""
    names = {row["setting"] for row in json.loads(result.stdout)["settings"]}
    assert names >= {"app", "url", "queue", "consume.workers", "check.depth", "list.limit"}
    for words in (["consume", "--preflight"], ["check"], ["list"], ["stats"]):
        tried = invoke(*words, "-u", "none.db")
        assert "unknown key" not in tried.stderr
        assert (2, 3)[words == ["check"]] != tried.exit_code, tried.output


def test_a_pyproject_keeps_all_that_it_has(home: Path, invoke: Invoke) -> None:
    before = b'[project]\r\nname = "gr\xc3\xbc\xc3\x9fe"\r\n# the end\r\n'
    (home / "pyproject.toml").write_bytes(before)

    document = json.loads(invoke("config", "init", "-Q", "mail", "--json").stdout)

    after = (home / "pyproject.toml").read_bytes()
    assert after.startswith(before)
    assert b"\n" not in after.replace(b"\r\n", b"")
    assert document == {
        "schema": "hueyctl.init/1", "file": str(home / "pyproject.toml"), "created": False,
    }  # fmt: skip
    assert settings(invoke)["queue"]["value"] == ["mail"]


@pytest.mark.parametrize(
    ("text", "code"), [("[[[", 78), ("tool = {x = 1}", 6), ("tool.hueyctl = {}", 6)]
)
def test_what_has_no_room_for_settings_stays_as_it_is(
    home: Path, invoke: Invoke, text: str, code: int
) -> None:
    (home / "pyproject.toml").write_text(text)

    result = invoke("config", "init", "--config", str(empty_config(home)))

    assert result.exit_code == code, result.output
    assert (home / "pyproject.toml").read_text() == text


def empty_config(home: Path) -> Path:
    (home / "other.toml").write_text("")
    return home / "other.toml"


def test_a_password_is_not_written_into_a_file(home: Path, invoke: Invoke) -> None:
    assert invoke("config", "init", "-u", "redis://ann:sesame@cache/0").exit_code == 0

    assert "sesame" not in (home / "hueyctl.toml").read_text()


def test_passwords_are_masked(home: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUEYCTL_URL", "redis://ann:sesame@cache/0")

    for form in ("tsv", "json", "jsonl", "table", "wide"):
        shown = invoke("config", "show", "-o", form).output
        assert "sesame" not in shown
        assert "redis://ann:***@cache/0" in shown


def test_no_application_is_imported_and_no_file_opened(home: Path, invoke: Invoke) -> None:
    result = invoke("config", "show", "-A", "nothing:there", "-u", "nothing.db")

    assert result.exit_code == 0
    assert not (home / "nothing.db").exists()


def test_a_bad_config_file_is_78(home: Path, invoke: Invoke) -> None:
    (home / "hueyctl.toml").write_text("[[[")

    assert invoke("config", "show").exit_code == 78
    assert invoke("config", "show", "--config", "none.toml").exit_code == 78


def test_a_group_without_a_command_shows_its_help(home: Path, invoke: Invoke) -> None:
    result = invoke("config")

    assert result.exit_code == 2
    assert "show" in result.stderr
    assert invoke("help", "config", "show").stdout == invoke("config", "show", "--help").stdout
    assert invoke("config", "shwo").stderr.splitlines()[1] == "hint: did you mean show?"


@pytest.mark.parametrize(
    ("text", "words", "key", "line"),
    [
        ("a = 1\nb = 2", [], "b", 2),
        ("b = 2\n[x]\nb = 3", ["x"], "b", 3),
        ("[tool.hueyctl]\nb = 3", [], "b", 2),
        ("[ tool . hueyctl . dead ]\n'b' = 3", ["dead"], "b", 2),
        ("[x]\nlong_name = 3", ["x"], "long-name", 2),
        ("[x]\n\ny = { b = 3 }", ["x", "y"], "b", 1),
        ("", ["x"], "b", 1),
    ],
)
def test_lines_of_keys(home: Path, text: str, words: list[str], key: str, line: int) -> None:
    (home / "some.toml").write_text(text)

    assert line_of("some.toml", words, key) == line
