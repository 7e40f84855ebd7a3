"""What is in the files that ``scaffold`` makes, as the tools of each read it."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import yaml
from click.testing import Result

Invoke = Callable[..., Result]

FORMATS = ("systemd", "supervisor", "docker", "compose", "kubernetes")


def made(invoke: Invoke, *words: str) -> str:
    result = invoke("scaffold", *words)
    assert result.exit_code == 0, result.output
    return result.stdout


def unit(text: str) -> dict[str, list[str]]:
    """The settings of a unit; each may be there more than once."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def program(text: str) -> dict[str, str]:
    """The section as supervisord reads it."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    (section,) = parser.sections()
    assert section.startswith("program:")
    return {key: value % {} for key, value in parser.items(section)}


def instructions(text: str) -> dict[str, str]:
    """The last of each instruction of a Dockerfile."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(" ", 1) for line in lines)


def service(text: str) -> dict[str, Any]:
    (found,) = yaml.safe_load(text)["services"].values()
    return found  # type: ignore[no-any-return]


def manifests(text: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The claim, the deployment, and its container."""
    claim, deployment = yaml.safe_load_all(text)
    return claim, deployment, deployment["spec"]["template"]["spec"]["containers"][0]


def command_line(format_: str, text: str) -> list[str]:
    """The words that the tool runs, as the tool reads them."""
    match format_:
        case "systemd":
            (line,) = unit(text)["ExecStart"]
            assert ("$" in line) == line.startswith(":")
            words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line.removeprefix(":"))
            plain = [re.sub(r"\\(.)", r"\1", quoted) or bare for quoted, bare in words]
            return [word.replace("%%", "%") for word in plain]
        case "supervisor":
            return shlex.split(program(text)["command"])
        case "docker":
            found: list[str] = json.loads(instructions(text)["CMD"])
        case "compose":
            words = service(text)["command"]
            assert not any("$" in word.replace("$$", "") for word in words)
            found = [word.replace("$$", "$") for word in words]
        case _:
            words = manifests(text)[2]["command"]
            assert not any("$(" in word.replace("$$(", "") for word in words)
            found = [word.replace("$$(", "$(") for word in words]
    return found
