"""Write man/ and completions/ from the command tree and man/pages/, and tests/README.md from the
marks of the tests; ``--check`` only tells what is stale.

python tests/tools/generate.py [--check]     (or: make generate)
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def generated() -> dict[str, str]:
    """Every generated file: {path from the root: text}."""
    sys.path[:0] = [str(ROOT / "core"), str(ROOT)]
    from hueyctl.docs import manual, scripts
    from tests.tools import features

    found = {f"man/{path}": text for path, text in manual.pages().items()}
    found |= {f"completions/{name}": text for name, text in scripts.files().items()}
    return found | {"tests/README.md": features.page()}


def stale(found: dict[str, str], root: Path = ROOT) -> list[str]:
    """What differs from the files, and files that no command has any more."""
    wrong = [path for path, text in found.items() if _text(root / path) != text]
    there = {
        path.relative_to(root).as_posix()
        for folder in ("man", "completions")
        for path in (root / folder).rglob("*")
        if path.is_file() and path.suffix not in (".md", ".svg", ".png")
    }
    return sorted(wrong + list(there - set(found)))


def _text(path: Path) -> str | None:
    return path.read_text("utf-8") if path.is_file() else None


def write(found: dict[str, str], root: Path = ROOT) -> None:
    for path in stale(found, root):
        if path not in found:
            (root / path).unlink()
            continue
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(found[path], "utf-8")


def main(words: list[str]) -> int:
    found = generated()
    wrong = stale(found)
    for path in wrong:
        sys.stdout.write(f"{path}\n")
    if words == ["--check"]:
        if wrong:
            sys.stderr.write("not current: run make generate\n")
        return 1 if wrong else 0
    write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
