"""Draw the screens of hueyctl: those of the README to ``man/``, and each at several widths to a
folder to look at.

    python tests/tools/picture.py [SECONDS [FOLDER]]     (or: make picture [SECONDS=600])

Nothing in a picture is made up: a shop works for so many seconds, its consumer is killed in the
middle, and the commands are run on terminals of these sizes.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "core"), str(ROOT / "tests" / "cli")]

from ptykit import Terminal  # noqa: E402

from tests.dashboard.browser.browserkit import chromium, served, tab  # noqa: E402
from tests.tools.drawing import THEMES, screen_of, svg  # noqa: E402
from tests.tools.mess import mess  # noqa: E402

URL = ("-u", "shop.db")
WIDTHS = (60, 80, 120, 200)
#: Those of the README: how wide, and how high where a view fills what it gets.
README = {"status": (110, 60), "top": (118, 32), "show": (100, 60)}


class Shot(NamedTuple):
    """A view as words, and what stands above its picture."""

    name: str
    words: tuple[str, ...]

    def title(self) -> str:
        return " ".join(("hueyctl", *self.words))


def main(seconds: float, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in list(os.environ):
        if name.startswith("HUEYCTL_"):
            del os.environ[name]
    os.environ.update(TERM="xterm-256color", PYTHONPATH=f"{ROOT / 'core'}:{ROOT}")
    with tempfile.TemporaryDirectory(prefix="hueyctl-picture-") as home, mess(home, seconds):
        for shot in shots():
            if shot.name in README:
                draw(shot, *README[shot.name], ROOT / "man" / shot.name)
            for width in WIDTHS:
                draw(
                    shot, width, 50 if shot.name == "top" else 100, folder / f"{shot.name}-{width}"
                )
        for theme in THEMES:
            photograph(Path(home) / "shop.db", theme, ROOT / "man" / f"dashboard-{theme}.png")
    sys.stdout.write(f"{folder}\n")


def shots() -> list[Shot]:
    return [
        Shot("top", ("top",)),
        Shot("status", ("status",)),
        Shot("show", ("show", str(an_instructive_job()))),
        Shot("list", ("list", "-n", "25")),
        Shot("dead", ("dead", "summary")),
    ]


def an_instructive_job() -> int:
    """A dead letter with many tries, and stages around it."""
    from hueycore.model.jobs import Selector
    from hueycore.model.states import State
    from hueycore.storage.open import open_storage

    storage = open_storage("shop.db", read_only=True, create=False)
    try:
        dead = storage.jobs(Selector(states=(State.DEAD,), sort="-attempt", limit=1))
    finally:
        storage.close()
    return dead[0].seq


def draw(shot: Shot, columns: int, rows: int, target: Path) -> None:
    """Its picture on each ground."""
    screen = screen_of(shown(shot, columns, rows), columns, rows)
    for theme in THEMES:
        path = target.with_name(f"{target.name}-{theme}.svg")
        path.write_text(svg(screen, shot.title(), theme), encoding="utf-8")


def shown(shot: Shot, columns: int, rows: int) -> str:
    """What the view sends to a terminal of this size."""
    terminal = Terminal(*shot.words, *URL, columns=columns, rows=rows)
    try:
        if shot.name == "top":
            terminal.wait_for("q quit")
            ended = time.monotonic() + 1
            while time.monotonic() < ended:
                terminal.read(0.1)
            return terminal.shown
        terminal.ended()
        return terminal.shown
    finally:
        terminal.close()


def photograph(path: Path, theme: str, target: Path) -> None:
    """The upper part of the dashboard, in a browser."""
    size = {"width": 1280, "height": 860}
    with (
        chromium() as browser,
        served(str(path)) as site,
        tab(browser, viewport=size, color_scheme=theme) as one,
    ):
        one.go(f"{site}/")
        one.page.screenshot(path=target)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        float(given[0]) if given else 600.0,
        Path(given[1] if len(given) > 1 else ROOT / "build" / "screens").resolve(),
    )
