"""config show: every setting and who set it."""

from __future__ import annotations

import json
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


def test_only_what_was_changed(home: Path, invoke: Invoke) -> None:
    assert invoke("config", "show", "--changed").stdout == ""

    shown = invoke("config", "show", "--changed", "-u", "x.db").stdout
    assert shown == "url\tx.db\tflag\t--url\n"


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
