"""How a command is declared: with examples, argument help and its exit codes in its help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import click

from hueyctl.helptext import Context, Formatter
from hueyctl.options import GlobalOption, global_options
from hueyctl.settings import key_of

#: So wide is a line of exit codes with where they are explained.
_WIDE = 75


class Command(click.Command):
    """A command whose ``examples`` are printed, documented and tested.

    ``arguments`` holds (metavar, sentence) pairs; ``codes`` the exit codes besides 0 and 2.
    """

    context_class = Context

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        arguments: Sequence[tuple[str, str]] = (),
        codes: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.examples = list(examples)
        self.arguments = list(arguments)
        self.codes = sorted({0, 2, *codes})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.default_map:
            from hueyctl import config

            config.set_defaults(ctx)
        for param in self.params:
            key = key_of(param)
            if key != param.name and key is not None and not isinstance(param, GlobalOption):
                # click would name the variable after the parameter: HUEYCTL_RESULT_WAIT_.
                param.envvar = f"{ctx.auto_envvar_prefix}_{key.upper()}"
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.arguments:
            with formatter.section("Arguments"):
                formatter.write_dl(self.arguments)
        own: list[tuple[str, str]] = []
        shared: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None or isinstance(param, click.Argument):
                continue
            (shared if isinstance(param, GlobalOption) else own).append(record)
        if own:
            with formatter.section("Options"):
                formatter.write_dl(own)
        if shared:
            with formatter.section("Global options"):
                formatter.write_dl(shared)

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """``format_options`` writes them: ``Argument(help=…)`` needs click 8.5."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_epilog(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                assert isinstance(formatter, Formatter)
                formatter.write_commands(self.examples)
        formatter.write(f"\nExit codes: {' '.join(str(code) for code in self.codes)}")
        see = '(see "hueyctl help exit-codes")'
        gap = "  " if formatter.width >= _WIDE else "\n"
        formatter.write(f"{gap}{see}\n")


def command(
    name: str,
    *,
    examples: Sequence[str],
    arguments: Sequence[tuple[str, str]] = (),
    codes: Sequence[int] = (),
    cls: type[Command] = Command,
) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function that takes the ``Session`` first."""

    def decorate(function: Callable[..., Any]) -> Command:
        @click.pass_context
        def callback(ctx: click.Context, /, *args: Any, **kwargs: Any) -> Any:
            from hueyctl.context import Session

            return function(Session(ctx), *args, **kwargs)

        update_wrapper(callback, function)
        return click.command(
            name,
            cls=cls,
            examples=examples,
            arguments=arguments,
            codes=codes,
        )(global_options(callback))

    return decorate
