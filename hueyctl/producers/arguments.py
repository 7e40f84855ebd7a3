"""The arguments of a task as words of a command line.

``word`` is a string, ``k=v`` a string keyword, ``:json`` and ``k:=json`` are JSON, ``@file`` and
``k=@file`` the contents of a file, ``@-`` those of stdin, ``@@x`` is the string ``@x``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, NoReturn, TypeVar

import click

from hueyctl import errors, streams
from hueyctl.command import Command

F = TypeVar("F", bound=Callable[..., Any])

#: The help of the argument ARG.
GRAMMAR = (
    "A string; K=V a string keyword; :JSON and K:=JSON a JSON value; @FILE and K=@FILE the "
    "contents of a file; @- of stdin; @@X the string @X. -5 is one as well; after -- any may start "
    "with a dash."
)

#: What begins like a negative number: no option of these commands is a digit.
_NEGATIVE = re.compile(r"-\.?\d")
_KEYWORD = re.compile(r"([A-Za-z_]\w*)(:?=)(.*)", re.DOTALL)


_OPTIONS = (
    click.option("--args", "more_args", metavar="JSON", help="More arguments, as a JSON array."),
    click.option(
        "--kwargs", "more_kwargs", metavar="JSON", help="More keywords, as a JSON object."
    ),
    click.option(
        "--no-coerce", is_flag=True, help="Do not convert strings to the annotated types."
    ),
    click.option("--no-check", is_flag=True, help="Do not compare with the task's signature."),
)


def call_options(function: F) -> F:
    """The options of a command that calls a task."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


class CallingCommand(Command):
    """A command that takes the arguments of a task: a negative number is one of them."""

    def make_parser(self, ctx: click.Context) -> Any:
        parser: Any = super().make_parser(ctx)
        take_options = parser._process_opts

        def take(word: str, state: Any) -> None:
            # Not a "--" put before it, which would make arguments of the options that follow.
            if _NEGATIVE.match(word):
                state.largs.append(word)
            else:
                take_options(word, state)

        parser._process_opts = take
        return parser


class Call(NamedTuple):
    """What the task is called with."""

    args: list[Any]
    kwargs: dict[str, Any]


def parse_words(words: Iterable[str], more_args: str | None, more_kwargs: str | None) -> Call:
    """The call that the words and ``--args``/``--kwargs`` make together.

    Raises ``CliError`` with exit 2.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    stdin = _Stdin()
    for word in words:
        match = _KEYWORD.fullmatch(word)
        if match is None:
            args.append(from_json(word[1:], word) if word.startswith(":") else _text(word, stdin))
            continue
        name, sign, value = match.groups()
        if name in kwargs:
            raise errors.usage(f"keyword {name!r} is given twice")
        kwargs[name] = from_json(value, word) if sign == ":=" else _text(value, stdin)
    if more_args is not None:
        found = from_json(more_args, "--args")
        if not isinstance(found, list):
            raise errors.usage("--args is not a JSON array", "like --args '[1, \"two\"]'")
        args.extend(found)
    if more_kwargs is not None:
        _merge(kwargs, from_json(more_kwargs, "--kwargs"))
    return Call(args, kwargs)


def _merge(kwargs: dict[str, Any], found: Any) -> None:
    if not isinstance(found, dict):
        raise errors.usage("--kwargs is not a JSON object", "like --kwargs '{\"page\": 1}'")
    for name, value in found.items():
        if name in kwargs:
            raise errors.usage(f"keyword {name!r} is given twice")
        kwargs[name] = value


class _Stdin:
    """Stdin can be read once."""

    used = False

    def read(self) -> str:
        if self.used:
            raise errors.usage("stdin (@-) can be read for one argument only")
        self.used = True
        return streams.read_stdin()


def _text(word: str, stdin: _Stdin) -> str:
    if word.startswith("@@"):
        return word[1:]
    if word == "@-":
        return stdin.read()
    if word.startswith("@"):
        return _contents(word[1:], word)
    return word


def _contents(path: str, word: str) -> str:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return file.read()
    except OSError as error:
        raise errors.usage(
            f"{word}: {error.strerror}", f"@{word} is the string {word!r}"
        ) from error
    except UnicodeDecodeError:
        raise errors.usage(f"{word}: the file is not UTF-8 text", "pass its path instead") from None


def from_json(text: str, where: str, hint: str = "a plain string needs no colon") -> Any:
    """A value of JSON that was typed. Raises ``CliError`` with exit 2."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise errors.usage(f"{where}: not JSON: {error}", hint or None) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
