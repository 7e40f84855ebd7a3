"""Topics as ``hueyctl help TOPIC`` prints them: texts for people, documents for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hueyctl import errors, exits
from hueyctl.context import Session
from hueyctl.docs.topics import PAGES, exit_codes, text_of
from hueyctl.options import GlobalOption

ENVIRONMENT = """
A variable is weaker than an option and stronger than a config file. Every option of a command has
one: HUEYCTL_, the command, the option, in capitals, as HUEYCTL_CONSUME_WORKERS=8. Flags are on with
1, true, yes, off with 0, false, no. What confirms something destructive has none.

## For every command
{global_options}

## Of others
    NO_COLOR             not empty: no colours
    FORCE_COLOR          neither empty nor 0: colours in pipes as well; also CLICOLOR_FORCE
    TERM                 dumb: no colours, nothing is redrawn
    COLUMNS              how wide tables may be
    XDG_CONFIG_HOME      where hueyctl/config.toml of the user is (default ~/.config)
    TZ                   what local times are

A URL with a password is better kept in a file: --url @FILE or HUEYCTL_URL=@FILE. For PostgreSQL
leave it out of the URL: PGPASSWORD, ~/.pgpass and service files are read as psql reads them. For
Redis REDISCLI_AUTH is, as redis-cli reads it.
"""


def unknown(name: str, known: list[str]) -> errors.CliError:
    """No command and no topic has this name; exit 3."""
    from difflib import get_close_matches

    near = get_close_matches(name.rpartition(" ")[2], known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none'}"
    return errors.CliError(f"no command or topic {name!r}", exits.NOT_FOUND, hint)


def _exit_codes(session: Session) -> None:
    from hueyctl.output.columns import Column

    rows = exit_codes()
    if session.output.is_json:
        session.output.objects(row._asdict() for row in rows)
        return
    known = {
        "code": Column("code", "CODE", "int", lambda row: row.code),
        "name": Column("name", "NAME", "text", lambda row: row.name),
        "when": Column("when", "WHEN", "text", lambda row: row.when),
    }
    session.output.rows(rows, known, tuple(known), name=lambda row: str(row.name), fold=True)


def _states(session: Session) -> None:
    """Print the page; for programs the transition table, the one that the storage's tests read."""
    if not session.output.is_json:
        _print_text(session, "states", text_of("states"))
        return
    from hueycore.model.states import TRANSITIONS

    session.output.objects(
        {
            "verb": row.verb,
            "before": [str(state) for state in row.before],
            "after": [str(state) for state in row.after],
            "fence": row.fence or None,
            "counts": row.counts or None,
        }
        for row in TRANSITIONS
    )


def _schemas(session: Session, name: str | None = None) -> None:
    """Print all schemas, or one: ``hueyctl.job/1``, ``job/1``, ``job``."""
    import json

    from hueyctl.commands.help.schemas import schemas

    found = schemas()
    shown: Any = found
    if name is not None:
        near = [each for each in found if each.removeprefix("hueyctl.").startswith(f"{name}/")]
        key = next((each for each in (name, f"hueyctl.{name}", *near) if each in found), None)
        if key is None:
            raise unknown(f"schemas {name}", [each.removeprefix("hueyctl.") for each in found])
        shown = found[key]
    session.output.line(json.dumps(shown, indent=2))


def _print_text(session: Session, name: str, text: str) -> None:
    from shutil import get_terminal_size

    from hueyctl.docs.markdown import WIDTH, as_text

    if session.output.is_json:
        session.output.document({"topic": name, "text": as_text(text)})
    else:
        width = min(get_terminal_size((WIDTH, 0)).columns, 100)
        session.output.line(as_text(text, width))


def _page(name: str) -> Callable[[Session], None]:
    return lambda session: _print_text(session, name, text_of(name))


def _environment(session: Session) -> None:
    """Print the text with the variables of the global options."""
    lines = []
    for option in session.ctx.find_root().command.params:
        if not isinstance(option, GlobalOption) or not option.allow_from_autoenv:
            continue
        # --json has no variable: HUEYCTL_OUTPUT=json is the same.
        if option.name and not option.name.endswith("_"):
            name = f"HUEYCTL_{option.name.upper()}"
            lines.append(f"    {name:<20} {max(option.opts, key=len)}: {option.help}")
    text = ENVIRONMENT.format(global_options="\n".join(lines))
    _print_text(session, "environment", text)


TOPICS: dict[str, Callable[..., None]] = {
    "exit-codes": _exit_codes,
    "schemas": _schemas,
    **{name: _page(name) for name in PAGES},
    "states": _states,
    "environment": _environment,
}
