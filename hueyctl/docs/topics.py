"""What belongs to no single command: the topics of ``hueyctl help``, and man sections 5 and 7.

Most are pages, Markdown in ``man/pages/``. What is made from the code has its text here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from hueyctl import errors, exits
from hueyctl.docs.packaged import data_file

#: The pages of ``man/pages/``, each with what it is about.
PAGES = {
    "python": "tasks: pipelines, limits, schedules, transactions, async",
    "worker-kinds": "workers: threads, greenlets, coroutines, processes",
    "production": "unit files and images, probes, log lines and events",
    "operating": "alerts and their limits, a dashboard, users that differ, what is stuck",
    "upgrading": "a new release beside the old one, unknown tasks, the schema",
    "states": "the states of a job, and what leads from one to another",
    "browser": "the queue in a browser, alone and in Flask, FastAPI, Django",
    "engines": "a file or a server: what each engine promises",
    "transfer": "a queue to a file, and to another engine",
    "postgresql": "a queue in PostgreSQL: the address, the password, what to expect",
    "redis": "a queue in Redis or Valkey: the address, durability, what it cannot do",
    "testing": "tests with a queue in memory and a clock that stands still",
    "django": "tasks in Django, Django's own tasks, the queue in its admin",
    "scripting": "hueyctl in scripts: what they can rely on, and ten of them",
    "schedules": "when periodic tasks run",
    "filters": "how hueyctl is told which jobs",
    "formatting": "tables for people, TSV for pipes, JSON for scripts",
    "moving": "moving over from Huey, and where this differs on purpose",
    "benchmarks": "figures, against Huey in the same run",
}
#: Every topic.
ABOUT = PAGES | {
    "environment": "the variables that stand for options",
    "exit-codes": "what the exit codes of hueyctl mean",
    "schemas": "the schemas of the JSON documents",
}

_COMMENT = r"#: (.+)\n([A-Z_]+): Final = (\d+)"


class ExitCode(NamedTuple):
    code: int
    name: str
    when: str


def exit_codes() -> list[ExitCode]:
    """The sentences that stand in ``exits.py``: the code and its meaning are one place."""
    import inspect

    found = re.findall(_COMMENT, inspect.getsource(exits))
    return [ExitCode(int(code), exits.name_of(int(code)), when) for when, _, code in found]


CONFIG = """
A TOML file in the project or of the user. The first that is found of hueyctl.toml and the table
[tool.hueyctl] in pyproject.toml, in this folder or one above it up to the root of the repository,
is the project's; it beats $XDG_CONFIG_HOME/hueyctl/config.toml, the user's. --config FILE reads
that file alone. Options and environment variables beat all files.

A file of the project that others may write, or that belongs to neither you nor root (in this
folder: nor its owner), is not read, and a line on stderr says so; --config reads it all the same.
An application that only a file names is imported by commands that change or run something. Those
that only look need --app, HUEYCTL_APP or the url of the queue, which may stand in the file.

A key is the long name of an option without its dashes. Keys at the top are for every command; a
table is for the command of its name, [dead.list] for one of two words.

    app = "myapp.tasks:huey"
    time-format = "iso"

    [consume]
    workers = 8
    worker-type = "thread"

    [dead.list]
    output = "wide"

An unknown key is reported and ignored. "hueyctl config init" writes such a file with comments.

## Keys
"""


def text_of(name: str) -> str:
    """The Markdown of a page."""
    path = data_file(f"man/pages/{name}.md")
    if path is None:
        raise errors.CliError(f"the page of {name!r} was not installed", exits.NOT_FOUND)
    with open(path, encoding="utf-8") as file:
        return file.read()
