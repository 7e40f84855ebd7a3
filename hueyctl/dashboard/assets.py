"""The style sheet and the script. Their addresses change with them, so that browsers keep them."""

from __future__ import annotations

import re
from functools import cache
from hashlib import blake2b
from importlib.resources import files

from hueyctl.dashboard.asks import Answer, text

_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOLDER = "static"


@cache
def _read(name: str) -> str:
    if name == INSIDE:
        return inside(_read("board.css"))
    return (files("hueyctl.dashboard") / _FOLDER / name).read_text("utf-8")


@cache
def address(name: str) -> str:
    """``static/board.3f2a….css`` of ``board.css``."""
    stem, _, kind = name.rpartition(".")
    tag = blake2b(_read(name).encode(), digest_size=6).hexdigest()
    return f"{_FOLDER}/{stem}.{tag}.{kind}"


def answer(name: str) -> Answer:
    """The file that has this name now; another one is of another version of the pages."""
    known = {address(own).removeprefix(f"{_FOLDER}/"): own for own in NAMES}
    own = known.get(name)
    if own is None:
        return text(404, "There is no such file.\n")
    kind = _KINDS[own.rpartition(".")[2]]
    kept = ("Cache-Control", "private, max-age=31536000, immutable")
    return text(200, _read(own), kind).with_headers(kept)


def inside(css: str) -> str:
    """The style sheet for pages that stand in one of an application: its rules are about what is
    in ``#hq`` alone, and the theme is the one that Django's admin was told, if it was told one."""
    moving = re.findall(r"@keyframes \w+ \{.*?\}\s*\}", css, flags=re.S)
    for rule in moving:
        css = css.replace(rule, "")  # it cannot stand within another one
    light, dark = re.findall(r":root \{(.*?)\}", css, flags=re.S)
    css = re.sub(r"^(\s*)(?::root|html|body)(?= \{)", r"\1&", css, flags=re.M)
    css = css.replace(".stale ", "&.stale ").replace("@media (max-width", "@container (max-width")
    themes = "".join(
        f'html[data-theme="{name}"] #hq {{ {colours} color-scheme: {name}; }}\n'
        for name, colours in (("light", light), ("dark", dark))
    )
    return "\n".join((f"#hq {{\n{css}\n{_ADMIN}}}", *moving, themes))


#: What Django's admin says of all code, how much of the window is ours, and where it ends.
_ADMIN = """
& { container-type: inline-size; padding: 0; }
code, pre { color: inherit; }
.cmd { position: sticky; }
"""
INSIDE = "inside.css"
NAMES = ("board.css", INSIDE, "board.js", "icon.svg")
