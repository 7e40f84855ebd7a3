"""Text as man(7) source: nothing of it can be taken for a request."""

from __future__ import annotations

import re
import textwrap

_WIDTH = 78
_SPECIAL = {
    "\\": r"\e",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
    # In print no font of groff has this cross.
    "✗": r"\(mu",
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def escape(text: str) -> str:
    """Every character as itself, in any encoding, at the beginning of a line as well."""
    plain = _CONTROL.sub("", text)
    found = "".join(_SPECIAL.get(char) or _character(char) for char in plain)
    return re.sub(r"(?m)^(?=\.)", r"\\&", found)


def _character(char: str) -> str:
    return char if ord(char) < 128 else rf"\[u{ord(char):04X}]"


def bold(text: str) -> str:
    return rf"\fB{escape(text)}\fR"


def italic(text: str) -> str:
    return rf"\fI{escape(text)}\fR"


def filled(text: str) -> list[str]:
    """A paragraph, wrapped in the source as well so that its changes can be read."""
    lines = textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [escape(line) for line in lines]


def verbatim(text: str) -> list[str]:
    """Lines that stay as they are."""
    return [".RS 4", ".nf", *(escape(line) or r"\&" for line in text.split("\n")), ".fi", ".RE"]


def prose(text: str, *, between: str = ".PP") -> list[str]:
    """The paragraphs of a docstring; click's ``\\b`` keeps the lines of the one that follows it."""
    found: list[str] = []
    for piece in re.split(r"\n[ \t]*\n", textwrap.dedent(text).strip("\n")):
        if not piece.strip():
            continue
        first, _, rest = piece.partition("\n")
        if found:
            found.append(between)
        found += verbatim(rest) if first.strip() == "\b" else filled(" ".join(piece.split()))
    return found


def tagged(tag: str, lines: list[str]) -> list[str]:
    """An entry of a list: what it is, in roff, and what is said of it."""
    return [".TP", tag, *lines]
