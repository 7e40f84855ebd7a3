"""Standard streams that survive closed descriptors, broken pipes and other encodings."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

#: A byte order mark at the beginning of a text, which is no part of it.
BOM = "\ufeff"

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS.update({0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"})
# Bidirectional overrides reorder what an operator reads; line separators break a row in two.
_CONTROLS.update(
    {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
)
_CONTROLS.update({code: f"\\u{code:04x}" for code in (0x200E, 0x200F, 0x2028, 0x2029)})
# JSON has an escape for every character, and leaves these as they are.
_IN_JSON = {code: f"\\u{code:04x}" for code in _CONTROLS if code >= 0x7F}
_KEEP_LINES = {code: text for code, text in _CONTROLS.items() if code not in (0x09, 0x0A)}


def visible(text: str) -> str:
    """Text with every control character spelled out, so that no argument drives a terminal."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def visible_lines(text: str) -> str:
    """Like ``visible``, but newlines and tabs stay: code is indented with them."""
    return text if text.isprintable() else text.translate(_KEEP_LINES)


def read_stdin() -> str:
    """All of it, without the byte order mark that some systems begin a text with."""
    return sys.stdin.read().removeprefix(BOM)


def visible_json(text: str) -> str:
    """Like ``visible``, for JSON, which is the same JSON afterwards."""
    return text.translate(_IN_JSON)


def masked(text: str) -> str:
    """Text without the passwords of the URLs in it."""
    if "=" not in text and "@" not in text:
        return text
    from hueycore.system import mask

    return mask.masked(text)


def occupy_closed_descriptors() -> None:
    """Open /dev/null on descriptors 0 to 2 where they are closed.

    Otherwise the next file that is opened, maybe the queue itself, becomes "standard output".
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def prepare() -> None:
    """Give the process three usable streams that can print any text."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def discard_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush cannot fail."""
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, sys.stdout.fileno())
        os.close(sink)
    except (OSError, ValueError):
        return


def say(text: str) -> None:
    """One message on stderr, broken between words where a terminal ends; never fails."""
    try:
        sys.stderr.write(_broken(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def _broken(text: str) -> str:
    """A command line stays whole, to be copied, and so does what is indented already."""
    if not is_tty(sys.stderr):
        return text
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return text
    lines = text.split("\n")
    if all(len(line) <= width for line in lines):
        return text
    import textwrap

    for place, line in enumerate(lines):
        if not line.startswith((" ", "hint: hueyctl ", "{")):
            kept = textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False)
            lines[place] = "\n".join(kept)
    return "\n".join(lines)


def can_renew(stream: IO[Any]) -> bool:
    """Whether a line can be written again in its place."""
    return is_tty(stream) and os.environ.get("TERM") != "dumb"


def renew(text: str) -> None:
    """A counter on stderr, in the place of the one before; an empty one takes it away. Nothing
    where a terminal cannot."""
    if is_tty(sys.stderr) and not can_renew(sys.stderr):
        return
    try:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # whoever looked at it has gone


def is_tty(stream: IO[Any]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def is_utf8(stream: IO[Any]) -> bool:
    encoding = getattr(stream, "encoding", None) or "ascii"
    return str(encoding).lower().replace("-", "").replace("_", "") == "utf8"


def wants_colour(choice: str, stream: IO[Any], environ: Mapping[str, str] = os.environ) -> bool:
    """Decided here and nowhere else: click and rich each follow other rules of their own."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if environ.get(name, "0") not in ("", "0"):
            return True
    return environ.get("TERM") != "dumb" and is_tty(stream)


def ready(descriptors: Iterable[int], seconds: float, *, to_write: bool = False) -> set[int]:
    """Which descriptors can be read (or written) within so many seconds. Not ``select``, which
    fails for descriptors above 1023."""
    import select

    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLOUT if to_write else select.POLLIN)
    return {found for found, _ in poll.poll(max(0.0, seconds) * 1000)}


def terminal_size() -> tuple[int, int]:
    """Columns and lines of the terminal under stdout."""
    try:
        width, height = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return width or 80, height or 24
