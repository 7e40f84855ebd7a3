"""What belongs to no single command: the texts of ``hueyctl help TOPIC`` and of man sections 5, 7.

Plain text that reads well as it is: ``## Heading``, paragraphs, and lines indented by four blanks
that are to stay as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

_COMMENT = r"#: (.+)\n([A-Z_]+): Final = (\d+)"


class ExitCode(NamedTuple):
    code: int
    name: str
    when: str


def exit_codes() -> list[ExitCode]:
    """The sentences that stand in ``exits.py``: the code and its meaning are one place."""
    import inspect

    from hueyctl import exits

    found = re.findall(_COMMENT, inspect.getsource(exits))
    return [ExitCode(int(code), exits.name_of(int(code)), when) for when, _, code in found]


FILTERS = """
Commands that are about several jobs take the same options to say which.

## By id
    hueyctl show 4312                 the number that listings show
    hueyctl show 01a1f937-cb66-7f5f   the long id; there is no prefix matching
    hueyctl list -o name | hueyctl revoke -      ids from stdin, one per line

A long id wins over a number. Commands that change jobs do nothing without ids, a filter or --all.

## By property
    --state S            scheduled pending blocked running done dead revoked expired;
                         repeatable, several with commas, all for all
    --task GLOB          the task's name: 'myapp.mail.*', '*.send', '[ab]*'
    --older-than DUR     in its state for longer than this
    --newer-than DUR     in its state for less
    --priority N..M      also N, N.. and ..M
    --queue NAME         a queue of the file; repeatable
    -n, --limit N        at most N; 0 for no limit
    --sort [-]COLUMN     by a column, - for the largest first
    -a, --all            everything that the command may be about

All that is said must hold.

## By expression
    --where 'FIELD OP VALUE'          repeatable; all must hold

OP is one of = != < > <= >= and ~ (contains). FIELD is a column of the job, as in list --json, or
something inside it: args.0, kwargs.user_id, kwargs.user.name, error.type, error.message. Numbers
and times are compared as such. Times are written as below, null means that there is none.

    --where 'attempt > 1'
    --where 'run_at < +1h'
    --where 'kwargs.user_id = 7'
    --where 'error.type = TimeoutError'
    --where 'error.message ~ refused'

Arguments can be looked into when they are JSON, or a pickle of plain types. Nothing of a job is
executed for it; jobs whose arguments are opaque are left out, and counted on stderr.

## Durations and times
    90  90s  5m  2h30m  7d  1w        a duration; a bare number is seconds
    +5m  -1h                          from now, ago
    18:30  today 18:30  tomorrow 09:00
    2030-01-31T12:00  2030-01-31T12:00:00Z

Times without an offset are local, with --utc they are UTC.
"""

FORMATTING = """
On a terminal results are a table, cut to its width, with colours and relative times. In a pipe
they are tab-separated lines of the same columns: whole, without headers or colours, times in
RFC 3339. Messages, questions and progress go to stderr.

## Formats
    -o table     aligned (default on a terminal)
    -o wide      the same with more columns
    -o plain     aligned, without colours, wherever it goes
    -o json      one document, UTF-8; also --json
    -o jsonl     one object per line, as it comes
    -o csv, tsv  separated, with a header line unless --no-headers
    -o name      long ids only
    -o FORMAT    any format of tabulate, such as github, html, latex, rst

## Columns
    --columns seq,task,state          these, in this order
    --no-headers                      no header line

An unknown column's error lists those that there are. In JSON, --columns leaves out the others.

## Times
    --time-format relative            3m ago, in 2h 05m
    --time-format iso                 2026-11-20T09:30:00.000Z
    --time-format unix                1795253400.000

JSON is always RFC 3339 in UTC; durations are float seconds in keys that end in _s. What is unknown
is null and never left out. New keys may be added, none is removed: see "hueyctl help schemas".

## Colours
--color always or never decides; else NO_COLOR (not empty) means never, FORCE_COLOR or
CLICOLOR_FORCE (neither empty nor 0) always, TERM=dumb never, and a terminal gets colours.

Control characters in names and arguments are spelled out (\\x1b), so that no job drives a terminal.
"""

SCRIPTING = """
Results are on stdout and nothing else is. Each command says by its exit code what became of it:
see "hueyctl help exit-codes". An empty list is no failure, unless --exit-code asks for 4.

## Ids
enqueue prints the long id alone, list -o name one id per line; "-" reads ids from stdin.

    id=$(hueyctl enqueue myapp.report.build 2026)
    hueyctl wait "$id" --for success -t 10m && hueyctl result "$id" --raw > report.html
    hueyctl list --task 'myapp.mail.*' --older-than 1h -o name | hueyctl revoke --yes -

## Numbers
    while [ "$(hueyctl depth)" -gt 1000 ]; do sleep 5; done
    hueyctl depth --max 500 --state dead || page-someone

## JSON
    hueyctl list --json | jq -r '.[] | [.seq, .task] | @tsv'
    hueyctl list --follow -o jsonl | while read -r job; do ...; done

With -o json or jsonl an error is one JSON line on stderr, with the code and the message.

## Questions
What destroys something asks, but only on a terminal. A script says --yes; without it the command
exits 6 and changes nothing. --dry-run says what would be changed, --no-input never asks.

## Many jobs
    jq -c '{task:"myapp.mail.send",kwargs:.}' users.json | hueyctl enqueue --from - -q
    hueyctl dead dump --remove --gzip --to "dead-$(date +%F).jsonl.gz"

A line that is no job is reported with its number, the rest goes on, and the exit code is 1.

## Safety
Nothing creates a queue by accident: a mistyped path is exit 69. With --url no application is
imported, and no command executes anything that a job holds, except those that run tasks.
"""

SCHEDULES = """
A schedule is a cron line in a time zone, or a period of elapsed time.

## Cron lines
Five fields: minute, hour, day, month, day of the week. All five must match, the day and the day of
the week too: 0 0 13 * fri is Friday the 13th.

    *            every value
    */15         0, 15, 30 and 45; not for the day of the week
    9            that value; months and days have names: jan, mon; Sunday is 0 and 7
    1-5          a range; it may wrap around: 22-3, fri-mon
    8-18/2       every second value of a range
    1,15,20-22   several of these

    @hourly  @daily (@midnight)  @weekly  @monthly  @yearly (@annually)

A date that never comes, as 0 0 31 2 *, is refused.

## When the clock is changed
An hour that is * or */n means real hours: such a line runs whenever the clock shows its time, so
twice in an hour that is repeated. Any other hour is a time of the day, which runs once: if the
clock skips it, at the first moment after the gap; if the clock shows it twice, the first time. A
period is elapsed time, whatever the clock shows.

    30 2 * * *   in Europe/Paris runs at 03:00 in the night that has no 02:30
    0 * * * *    runs 23 times on that day, and 25 times on the one in October

## Where schedules come from
    code         the application declares it: @huey.periodic_task(...)
    process      a consumer declared it while it ran; it ends with that process
    stored       hueyctl periodic add, huey.schedule_periodic(...); it stays until it is removed

Each fire time gives one job, however many consumers there are. With old and new releases side by
side, the one that was started last says when a task runs that both have.

## Runs that were missed
    latest       the last one is made up for, if it is not older than the grace (1h)
    skip         none
    all          each of them, at most 1,000

That is after no consumer was up, and after a pause.
"""

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

A URL with a password is better kept in a file: --url @FILE or HUEYCTL_URL=@FILE.
"""

STATES = """
A job is one row from its birth until it is purged, and always in one of eight states. The words are
the same in the database, in every command, in JSON and in metrics.

    scheduled   waits for its time, or for its next try
    pending     ready; runs in the order of priority, then of time, then of number
    blocked     waits for a concurrency limit, a lock, a rate, or an earlier stage
    running     claimed by a worker
    done        returned; kept for a day, or until it is purged
    dead        failed for good; kept with arguments and errors for thirty days
    revoked     called off by somebody
    expired     not started in time

done, dead, revoked and expired are final: such a job runs again only when it is told to.
"""

CONFIG = """
A TOML file in the project or of the user. The first that is found of hueyctl.toml and the table
[tool.hueyctl] in pyproject.toml, in this folder or one above it up to the root of the repository,
is the project's; it beats $XDG_CONFIG_HOME/hueyctl/config.toml, the user's. --config FILE reads
that file alone. Options and environment variables beat all files.

A key is the long name of an option without its dashes. Keys at the top are for every command; a
table is for the command of its name, [dead.list] for one of two words.

    app = "myapp.tasks:huey"
    time-format = "iso"

    [consume]
    workers = 8
    worker-type = "thread"

    [dead.list]
    output = "wide"

An unknown key is reported and ignored.

## Keys
"""


def environment() -> str:
    """The text with the variables of the global options."""
    from hueyctl.cli import cli
    from hueyctl.options import GlobalOption

    lines = []
    for option in cli.params:
        if isinstance(option, GlobalOption) and option.allow_from_autoenv:
            if (option.name or "_").endswith("_"):
                continue  # -o json is what --json is
            name = f"HUEYCTL_{option.name.upper()}"
            lines.append(f"    {name:<20} {max(option.opts, key=len)}: {option.help}")
    return ENVIRONMENT.format(global_options="\n".join(lines))


#: Topics that are a text.
TEXTS: dict[str, Callable[[], str]] = {
    "environment": environment,
    "filters": lambda: FILTERS,
    "formatting": lambda: FORMATTING,
    "schedules": lambda: SCHEDULES,
    "scripting": lambda: SCRIPTING,
}


class Block(NamedTuple):
    """A piece of a text: ``heading``, ``paragraph``, or ``verbatim`` with its lines."""

    kind: str
    text: str


def blocks(text: str) -> list[Block]:
    """A text in its pieces."""
    found: list[Block] = []
    for piece in re.split(r"\n[ \t]*\n", text.strip("\n")):
        heading, _, rest = piece.partition("\n") if piece.startswith("## ") else ("", "", piece)
        if heading:
            found.append(Block("heading", heading[3:]))
        if not rest:
            continue
        if all(line.startswith("    ") for line in rest.split("\n")):
            found.append(Block("verbatim", "\n".join(line[4:] for line in rest.split("\n"))))
        else:
            found.append(Block("paragraph", " ".join(rest.split())))
    return found


def as_text(text: str) -> str:
    """A text as ``hueyctl help`` prints it: headings in capitals."""
    return re.sub(r"(?m)^## (.+)$", lambda match: match[1].upper(), text.strip("\n"))
