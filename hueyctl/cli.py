"""The command tree. Nothing here imports a command: ``--help`` and TAB read the registry only."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from hueyctl import errors, exits, streams
from hueyctl.options import global_options, is_verbose, settings_from, wants_json

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """Where a command lives, its line in ``--help``, and the section it stands in."""

    place: str
    short: str
    section: str


COMMANDS: dict[str, Entry] = {
    "consume": Entry("consume:consume", "Run workers until told to stop.", "Running"),
    "demo": Entry("demo:demo", "Watch a queue survive a killed consumer.", "Running"),
    "enqueue": Entry("enqueue:enqueue", "Queue a call of a task.", "Producing"),
    "list": Entry("list:list_jobs", "List jobs (also: ls).", "Looking"),
    "pending": Entry("pending:pending", "List what runs next, in running order.", "Looking"),
    "scheduled": Entry("scheduled:scheduled", "List what is due later, soonest first.", "Looking"),
    "depth": Entry("depth:depth", "Print how many jobs wait: one number.", "Looking"),
    "result": Entry("result:result", "Print what a job returned.", "Results"),
    "wait": Entry("wait:wait", "Wait for jobs, or for an empty queue.", "Results"),
    "help": Entry("help:help_", "Explain a command or a topic.", "Help"),
}
ALIASES = {"ls": "list"}


class Root(click.Group):
    """The group ``hueyctl``: lazy, and the one place where errors become exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name in COMMANDS and name not in self.commands:
            module, _, attribute = COMMANDS[name].place.partition(":")
            found = getattr(import_module(f"hueyctl.commands.{module}"), attribute)
            self.add_command(found, name)
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # The real name, not the alias: config tables and variables are named after it.
        name = ALIASES.get(args[0], args[0])
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(name, [*COMMANDS, *ALIASES], 1)
            hint = f"did you mean {near[0]}?" if near else "hueyctl --help"
            raise errors.usage(f"no such command {name!r}", hint)
        return super().resolve_command(ctx, [name, *args[1:]])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in COMMANDS.items():
            sections.setdefault(entry.section, []).append((name, entry.short))
        width = max(map(len, COMMANDS))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), short) for name, short in rows])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.short)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

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
            super().main(args, "hueyctl", "_HUEYCTL_COMPLETE", **extra)
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

    def _flushed(self, code: int, argv: list[str]) -> int:
        try:
            sys.stdout.flush()
        except (OSError, KeyboardInterrupt) as error:
            return self._report(error, argv, None)
        return code

    def _report(self, error: BaseException, argv: list[str], ctx: click.Context | None) -> int:
        as_json, verbose = wants_json(argv, os.environ), is_verbose(argv)
        if ctx is not None:
            settings = settings_from(ctx.meta)
            as_json = as_json or settings.output in ("json", "jsonl")
            verbose = verbose or settings.verbose > 0
        if isinstance(error, SystemExit):
            return error.code if isinstance(error.code, int) else exits.FAILURE
        return errors.report(error, as_json=as_json, verbose=verbose)


@click.group(
    "hueyctl",
    cls=Root,
    no_args_is_help=True,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "auto_envvar_prefix": "HUEYCTL",
        "max_content_width": 100,
    },
)
@global_options
def cli() -> None:
    """Operate durable task queues: run workers, queue jobs, look at them.

    Say where the queue is with --app (your application) or --url (the file alone; nothing of
    yours is imported).
    """
