"""Applications that lie about here, for TAB: read, never imported."""

from __future__ import annotations

import os
from collections.abc import Iterator

_LARGEST = 1_000_000


def applications(incomplete: str) -> list[str]:
    """``MODULE`` and ``MODULE:ATTR`` that begin so, of the folder that applications come from."""
    module, colon, _ = incomplete.partition(":")
    folder = os.environ.get("HUEYCTL_APP_DIR") or "."
    if colon:
        names = [f"{module}:{name}" for name in instances(_path(folder, module))]
    else:
        names = list(_modules(folder, module.rpartition(".")[0]))
    return sorted(name for name in names if name.startswith(incomplete))


def _path(folder: str, module: str) -> str:
    stem = os.path.join(folder, *module.split("."))
    return f"{stem}.py" if os.path.isfile(f"{stem}.py") else os.path.join(stem, "__init__.py")


def _modules(folder: str, package: str) -> Iterator[str]:
    prefix = f"{package}." if package else ""
    with os.scandir(os.path.join(folder, *package.split("."))) as entries:
        for entry in entries:
            name = entry.name.removesuffix(".py")
            if not name.isidentifier() or name == "__init__":
                continue
            if entry.is_dir() and os.path.isfile(os.path.join(entry.path, "__init__.py")):
                yield f"{prefix}{name}."
                yield f"{prefix}{name}"
            elif entry.name.endswith(".py") and instances(entry.path):
                yield f"{prefix}{name}:"


def instances(path: str) -> list[str]:
    """The names that a module gives to what looks like a Huey instance."""
    import re

    try:
        if os.path.getsize(path) > _LARGEST:
            return []
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return []
    if "Huey" not in text:
        return []
    return re.findall(r"(?m)^(\w+)(?::[^=\n]+)?\s*=\s*[\w.]*Huey\(", text)
