"""Markdown as plain text for a terminal, and as man(7) source."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

from markdown_it import MarkdownIt

from hueyctl.docs import roff

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from markdown_it.token import Token

#: Columns of text. Longer lines of code stay as they are, so that they can be copied.
WIDTH = 80
#: A column of a table that has a longer cell may be wrapped.
_LONG = 20


class Block(NamedTuple):
    """``title``, ``heading``, ``paragraph``, ``item`` or ``verbatim`` with a text, or ``table``."""

    kind: str
    text: str = ""
    rows: Sequence[Sequence[str]] = ()


class Marks(NamedTuple):
    """What stands around code and around what is stressed."""

    code: tuple[str, str]
    strong: tuple[str, str]


_TEXT = Marks(code=("`", "`"), strong=("", ""))


def blocks(text: str, marks: Marks = _TEXT) -> list[Block]:
    """A text in its pieces."""
    found: list[Block] = []
    rows: list[list[str]] = []
    kind = "paragraph"
    for token in MarkdownIt("commonmark", {"html": False}).enable("table").parse(text):
        match token.type:
            case "heading_open":
                kind = "title" if token.tag == "h1" else "heading"
            case "list_item_open":
                kind = "item"
            case "fence" | "code_block":
                found.append(Block("verbatim", token.content.rstrip("\n")))
            case "table_open":
                rows, kind = [], "cell"
            case "table_close":
                found.append(Block("table", rows=rows))
                kind = "paragraph"
            case "tr_open":
                rows.append([])
            case "inline" if kind == "cell":
                rows[-1].append(_inline(token, marks))
            case "inline":
                found.append(Block(kind, _inline(token, marks)))
                kind = "paragraph"
    return found


def _inline(token: Token, marks: Marks) -> str:
    text = target = ""
    for child in token.children or ():
        match child.type:
            case "code_inline":
                text += f"{marks.code[0]}{child.content}{marks.code[1]}"
            case "strong_open":
                text += marks.strong[0]
            case "strong_close":
                text += marks.strong[1]
            case "link_open":
                target = str(child.attrs["href"]).replace("../", "")
            case "link_close":
                # Another page is named by its command; what has a folder is in the repository.
                text += f" ({target})" if "/" in target and target not in text else ""
            case "softbreak" | "hardbreak":
                text += " "
            case _:
                text += child.content
    return text


def as_text(text: str, width: int = WIDTH) -> str:
    """A text as ``hueyctl help`` prints it: headings in capitals."""
    found = ""
    last = ""
    for block in blocks(text):
        if found:
            found += "\n" if (last, block.kind) == ("item", "item") or last == "heading" else "\n\n"
        found += _AS_TEXT[block.kind](block, width)
        last = block.kind
    return found


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table_as_text(block: Block, width: int) -> str:
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head, *rows = block.rows
    table = Table(
        box=SIMPLE_HEAD if any(head) else None,
        show_header=any(head),
        show_edge=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for name in head:
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*map(Text, row))
    drawn = StringIO()
    # Nothing is left to the environment: this text is for pipes as well.
    console = Console(
        file=drawn, width=width - 4, force_terminal=False, color_system=None, legacy_windows=False
    )
    console.print(table)
    return _indented("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()))


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ")


_AS_TEXT: dict[str, Callable[[Block, int], str]] = {
    "title": lambda block, width: block.text,
    "heading": lambda block, width: block.text.upper(),
    "paragraph": lambda block, width: _wrapped(block.text, width),
    "item": lambda block, width: _wrapped(block.text, width, "  * ", "    "),
    "verbatim": lambda block, width: _indented(block.text),
    "table": _table_as_text,
}


#: Of the private use area: a column each when lines are wrapped, and ``escape`` names them.
_BOLD, _ROMAN = "\ue000", "\ue001"
_ROFF = Marks(code=(_BOLD, _ROMAN), strong=(_BOLD, _ROMAN))


def as_roff(text: str) -> list[str]:
    """The lines of a section of a page. A title is left out: the page has its name."""
    lines: list[str] = []
    fresh = True
    for block in blocks(text, _ROFF):
        if block.kind == "title":
            continue
        if not fresh and block.kind in ("paragraph", "verbatim"):
            lines.append(".PP")
        lines += _AS_ROFF[block.kind](block)
        fresh = block.kind == "heading"
    return lines


def _fonts(lines: list[str]) -> list[str]:
    return [line.replace(r"\[uE000]", r"\fB").replace(r"\[uE001]", r"\fR") for line in lines]


def _filled(text: str) -> list[str]:
    return _fonts(roff.filled(text))


def _table_as_roff(block: Block) -> list[str]:
    head, *rows = block.rows
    if len(head) == 2 and not any(head):
        return [line for name, what in rows for line in roff.tagged(_line(name), _filled(what))]
    columns = zip(*block.rows, strict=True)
    kinds = ["lx" if max(map(len, cells)) > _LONG else "l" for cells in columns]
    lines = [".TS", "tab(|);", " ".join("lb" for _ in kinds), f"{' '.join(kinds)}."]
    for row in block.rows:
        lines += "|".join(map(_cell, row, kinds)).split("\n")
    return [*lines, ".TE"]


def _cell(text: str, kind: str) -> str:
    line = _line(text).replace("|", r"\(ba")
    return f"T{{\n{line}\nT}}" if kind == "lx" and text else line


def _line(text: str) -> str:
    return _fonts([roff.escape(text)])[0]


_AS_ROFF: dict[str, Callable[[Block], list[str]]] = {
    "heading": lambda block: [f".SS {_line(block.text)}"],
    "paragraph": lambda block: _filled(block.text),
    "item": lambda block: [r".IP \(bu 2", *_filled(block.text)],
    "verbatim": lambda block: roff.verbatim(block.text),
    "table": _table_as_roff,
}
