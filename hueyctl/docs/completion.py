"""TAB: what the ``scripts`` of bash, zsh and fish ask for, and the answers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    split_arg_string,
)

if TYPE_CHECKING:
    import click

VARIABLE = "_HUEYCTL_COMPLETE"


class _Own(ShellComplete):
    """What the three have in common: values from the queue where a parameter means one."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        # The two that click's own method calls: it keeps the parameter that they find to itself.
        from click.shell_completion import _resolve_context, _resolve_incomplete

        ctx = _resolve_context(self.cli, self.ctx_args, self.prog_name, list(args))
        found, rest = _resolve_incomplete(ctx, list(args), incomplete)
        if hasattr(found, "commands") and getattr(ctx, "_protected_args", None):
            return []  # after a word that is no command, none can follow
        items: list[CompletionItem[str]] | None = None
        if not hasattr(found, "commands") and hasattr(found, "opts"):
            from hueyctl.docs.values import values_of

            items = values_of(ctx, found, rest, args)  # type: ignore[arg-type]
        if items is None:
            items = found.shell_complete(ctx, rest)
        if rest != incomplete:
            # --option=value is one word: the value is completed, the word is what is replaced.
            name = incomplete.removesuffix(rest)
            for item in items:
                item.value = name + item.value if item.type == "plain" else item.value
        return [item for item in items if "\n" not in item.value]


class Bash(_Own, BashComplete):
    """``COMP_LINE`` up to the cursor, not ``COMP_WORDS``, which bash splits at ``:`` and ``=``."""

    _kept = ""

    @staticmethod
    def _check_version() -> None:
        """click would start a bash to ask it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ.get("COMP_LINE")
        if line is None:
            return super().get_completion_args()
        words, incomplete = _split(line)
        breaks = [char for char in ":=" if char in os.environ.get("COMP_BREAKS", ":=")]
        end = max((incomplete.rfind(char) for char in breaks), default=-1) + 1
        # What is before the last break is on the line already, and bash will leave it there.
        self._kept = incomplete[:end]
        return words, incomplete

    def format_completion(self, item: CompletionItem[Any]) -> str:
        value = str(item.value)
        if item.type == "plain":
            value = value.removeprefix(self._kept)
            return f"plain,{_quoted(value)}"
        return f"{item.type},{value}"


class Zsh(_Own, ZshComplete):
    def format_completion(self, item: CompletionItem[str]) -> str:
        item.help = _line(item.help)
        return super().format_completion(item)


class Fish(_Own, FishComplete):
    def get_completion_args(self) -> tuple[list[str], str]:
        return _split(os.environ["COMP_LINE"])

    def format_completion(self, item: CompletionItem[str]) -> str:
        item.help = _line(item.help)
        return super().format_completion(item)


SHELLS: dict[str, type[_Own]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def _split(line: str) -> tuple[list[str], str]:
    """The whole words of a line up to the cursor, and the one that is being typed."""
    words = split_arg_string(line)[1:]
    incomplete = "" if not words or line[-1:].isspace() else words.pop()
    return words, incomplete


def _line(text: str | None) -> str | None:
    """A description is one line, and drives no terminal."""
    if text is None:
        return None
    from hueyctl.streams import visible

    return visible(" ".join(text.split()))


def _quoted(value: str) -> str:
    """A value as the shell needs it typed; a task or a queue may be named anything."""
    import re

    return re.sub(r"([^\w@%+=:,./~^*{}\[\]-])", r"\\\1", value)


def respond(cli: click.Command) -> int:
    """Answer a shell. No error is printed: it would land in a command line."""
    shell, _, verb = os.environ[VARIABLE].partition("_")
    answer = ""
    try:
        if verb == "source":
            from hueyctl.docs.scripts import script

            answer = script(shell)
        elif verb == "complete":
            answer = SHELLS[shell](cli, {}, "hueyctl", VARIABLE).complete() + "\n"
    except BaseException:
        answer = ""
    try:
        sys.stdout.buffer.write(answer.encode("utf-8", "replace"))
        sys.stdout.flush()
    except OSError:
        from hueyctl.streams import discard_stdout

        discard_stdout()
    return 0
