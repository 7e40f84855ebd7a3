"""The oldest versions that ``pyproject.toml`` allows of what running needs, one on each line."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
#: What tests and benches need besides may be new.
_OF_DEVELOPERS = {"dev", "bench"}


def oldest() -> list[str]:
    project = tomllib.loads(PROJECT.read_text())["project"]
    wanted = [*project["dependencies"]]
    for name, more in project["optional-dependencies"].items():
        if name not in _OF_DEVELOPERS:
            wanted += more
    return [one.replace(">=", "==") for one in wanted]


if __name__ == "__main__":
    print("\n".join(oldest()))
