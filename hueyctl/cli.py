"""The command tree. A command is imported when it runs: ``--help`` and TAB read ``tree`` only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from hueyctl import errors, exits, streams
from hueyctl.helptext import Context
from hueyctl.options import global_options, is_verbose, wants_json
from hueyctl.settings import settings_from
from hueyctl.tree import ALIASES, COMMANDS, SECTIONS, SYNONYMS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Branch(click.Group):
    """A group whose commands are those of ``tree`` that begin with its name, imported when used."""

    context_class = Context
    prefix = ""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (name[len(self.prefix) :] for name in COMMANDS if name.startswith(self.prefix))
        return [name for name in names if " " not in name]

    def line_of(self, name: str) -> str:
        """What ``--help`` says of a command."""
        return COMMANDS[self.prefix + name]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = self.real_name(cmd_name)
        if name in self.list_commands(ctx) and name not in self.commands:
            self.add_command(load(self.prefix + name), name)
        return super().get_command(ctx, name)

    def real_name(self, name: str) -> str:
        """The name behind an alias, without the options that the alias adds."""
        return ALIASES.get(self.prefix + name, name).partition(" ")[0]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # The real name, not the alias: config tables and variables are named after it.
        name, *added = ALIASES.get(self.prefix + args[0], args[0]).split(" ")
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            wanted = self.prefix + args[0]
            raise errors.usage(f"no such command {wanted!r}", self._meant(ctx, args[0]))
        return super().resolve_command(ctx, [name, *added, *args[1:]])

    def _meant(self, ctx: click.Context, word: str) -> str:
        """What to type instead of a word that is no command here."""
        from difflib import get_close_matches

        if not self.prefix and word in SYNONYMS:
            meant = [f"{ctx.command_path} {words}" for words in SYNONYMS[word]]
            return f"say {', or '.join(meant)}"
        near = get_close_matches(word, [*self.list_commands(ctx), *ALIASES], 1)
        return f"did you mean {near[0]}?" if near else f"{ctx.command_path} --help"

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.list_commands(ctx)))
        for title, names in self.sections(ctx).items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), self.line_of(name)) for name in names])

    def sections(self, ctx: click.Context) -> dict[str, list[str]]:
        return {"Commands": self.list_commands(ctx)}

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=self.line_of(name))
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def load(name: str) -> click.Command:
    """The group of this name, or the one command that its module defines."""
    if any(each.startswith(f"{name} ") for each in COMMANDS):
        return branch(name)
    module = import_module(f"hueyctl.commands.{name.replace(' ', '.')}")
    if hasattr(module, "__path__"):
        module = import_module(f"{module.__name__}.command")
    return next(found for found in vars(module).values() if isinstance(found, click.Command))


def branch(name: str) -> Branch:
    """A group inside the tree, such as ``dead``. Its options are the global ones."""

    @click.group(name, cls=Branch, no_args_is_help=True, help=COMMANDS[name])
    @global_options
    def group() -> None: ...

    assert isinstance(group, Branch)
    group.prefix = f"{name} "
    return group


class Root(Branch):
    """The group ``hueyctl``, and the one place where errors become exit codes."""

    def sections(self, ctx: click.Context) -> dict[str, list[str]]:
        return {
            title: [name for name in lines if " " not in name] for title, lines in SECTIONS.items()
        }

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> int:
        if "_HUEYCTL_COMPLETE" in os.environ:
            from hueyctl.docs.completion import respond

            code = respond(self)
            if standalone_mode:
                sys.exit(code)
            return code
        argv = list(sys.argv[1:] if args is None else args)
        code = self.run(argv, prog_name or "hueyctl", **extra)
        if standalone_mode:
            sys.exit(code)
        return code

    def run(self, argv: list[str], prog_name: str = "hueyctl", **extra: Any) -> int:
        """Run a command line and answer its exit code. No exception leaves here."""
        ctx = None
        try:
            streams.prepare()
            # Not click's own main(): it turns a broken pipe into exit 1 and ^C into "Aborted!".
            with self.make_context(prog_name, list(argv), **extra) as ctx:
                code = self.invoke(ctx)
            sys.stdout.flush()
            return code if isinstance(code, int) else exits.OK
        except click.exceptions.Exit as done:
            return self._flushed(done.exit_code, argv)
        except click.exceptions.NoArgsIsHelpError as error:
            streams.say(error.format_message())
            return exits.USAGE
        except BaseException as error:
            return self._report(error, argv, ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from hueyctl.docs.topics import ABOUT

        with formatter.section('Topics, for "hueyctl help TOPIC"'):
            formatter.write_text(", ".join(ABOUT))

    def _flushed(self, code: int, argv: list[str]) -> int:
        try:
            sys.stdout.flush()
        except (OSError, KeyboardInterrupt) as error:
            return self._report(error, argv, None)
        return code

    def _report(self, error: BaseException, argv: list[str], ctx: click.Context | None) -> int:
        as_json, verbose = wants_json(argv, os.environ), is_verbose(argv)
        where: list[str] = []
        if ctx is not None:
            from hueyctl.context import place_said

            where = place_said(ctx) if streams.is_tty(sys.stderr) else []
            settings = settings_from(ctx.meta)
            as_json = as_json or settings.output in ("json", "jsonl")
            verbose = verbose or settings.verbose > 0
        if isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else exits.FAILURE
        return errors.report(error, as_json=as_json, verbose=verbose, where=where)


@click.group(
    "hueyctl",
    cls=Root,
    invoke_without_command=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "HUEYCTL",
        "max_content_width": 100,
    },
)
@global_options
@click.pass_context
def cli(ctx: click.Context) -> Any:
    """Operate durable task queues: run workers, queue jobs, look at them.

    Say where the queue is with --app (your application) or --url (the storage alone; nothing of
    yours is imported). Without a command, and where a queue is known: status.
    """
    if ctx.invoked_subcommand is not None:
        return None
    from hueyctl.context import Session

    if not Session(ctx).knows_a_queue:
        raise click.exceptions.NoArgsIsHelpError(ctx)
    status = load("status")
    with status.make_context("status", [], parent=ctx) as inner:
        return status.invoke(inner)
