"""``hueyctl config init``: a file of settings to begin with."""

from __future__ import annotations

import json
import os
import re

from hueyctl import errors, exits
from hueyctl.command import command
from hueyctl.context import Session
from hueyctl.settings import Rank, stored

OWN, PROJECT = "hueyctl.toml", "pyproject.toml"
#: The keys at the top, then the tables of commands; all of it comments until somebody wants it.
TEMPLATE = """\
# Settings of hueyctl: each is the option of its name. Options, and variables such as HUEYCTL_APP,
# beat them; "man hueyctl.toml" has all, "hueyctl config show" says what is set, and where.

# The application, as module:attribute. Commands that only look do not import what only a file
# names: they take the address of the queue, a path or the URL of a server.
# app = "app:huey"
# app-dir = "src"
# url = "huey.db"
# queue = ["huey"]

# output = "table"              # wide, plain, json, jsonl, csv, tsv …
# time-format = "relative"      # iso, unix
# color = "auto"                # always, never

# [consume]
# workers = 1
# worker-type = "thread"        # process, greenlet, asyncio
# shutdown-timeout = "30s"
# log-format = "text"           # json
# http = "127.0.0.1:9808"       # /healthz, /readyz, /metrics

# [list]
# limit = 100

# [stats]
# window = "5m"

# [check]                       # warning:critical
# depth = "500:2000"
# oldest = "60s:5m"
# workers-min = "2:1"
"""
#: What may have been said on the command line, and is written as a setting then.
_SAID = ("app", "app_dir", "url", "queue")


@command(
    "init",
    examples=["hueyctl config init", "hueyctl config init --app myapp.tasks:huey"],
    codes=[exits.REFUSED, exits.IO_ERROR, exits.CONFIG],
)
def config_init(session: Session) -> None:
    """Write a file of settings with comments, to be edited.

    It is hueyctl.toml in this folder, or where there is a pyproject.toml the table [tool.hueyctl]
    at the end of that. What is said with --app, --app-dir, --url or --queue is set in it, all else
    is a comment. Settings that are there already are never changed.
    """
    text = _filled(session)
    path = os.path.abspath(OWN if not os.path.exists(PROJECT) else PROJECT)
    if os.path.lexists(OWN):
        raise _there(os.path.abspath(OWN))
    created = os.path.basename(path) == OWN
    if created:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    else:
        _append(path, text)
    if session.output.is_json:
        found = {"schema": "hueyctl.init/1", "file": path, "created": created}
        session.output.document(found)
    elif created:
        session.notice(f"created {path}")
    else:
        session.notice(f"added [tool.hueyctl] to {path}")


def _there(path: str) -> errors.CliError:
    return errors.CliError(
        f"{path} has settings already; nothing was written", exits.REFUSED, "hueyctl config show"
    )


def _filled(session: Session) -> str:
    from hueycore.system.mask import masked

    text = TEMPLATE
    held = stored(session.ctx.meta)
    for name in _SAID:
        given = held.get(name)
        if given is None or given.rank < Rank.COMMAND_LINE:
            continue
        value = list(given.value) if isinstance(given.value, tuple) else given.value
        if isinstance(value, str) and masked(value) != value:
            continue  # a password stays out of a file that is committed
        key = name.replace("_", "-")
        comment = re.search(rf"^# {key} = .*$", text, flags=re.MULTILINE)
        assert comment is not None
        text = text.replace(comment[0], f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return text


def _append(path: str, text: str) -> None:
    """The table, at the end of a file that has none; all else in it stays as it is."""
    import tomllib

    from hueyctl import config

    if config.read(path) is not None:
        raise _there(path)
    with open(path, encoding="utf-8-sig", newline="") as file:
        before = file.read()
    table = re.sub(r"^# \[(\w+)\]", r"# [tool.hueyctl.\1]", text, flags=re.MULTILINE)
    added = f"\n[tool.hueyctl]\n{table}"
    if before and not before.endswith("\n"):
        added = f"\n{added}"
    if "\r\n" in before:
        added = added.replace("\n", "\r\n")
    try:
        tomllib.loads(before + added)
    except tomllib.TOMLDecodeError as error:
        raise errors.CliError(
            f"{path} has no room for a table [tool.hueyctl]: {error}; nothing was written",
            exits.REFUSED,
            f"add it by hand, or to a {OWN}",
        ) from error
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(added)
