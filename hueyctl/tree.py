"""The commands: their names, sections and lines in ``--help``. A new command is one line here.

The module follows from the name: ``dead list`` is ``commands/dead/list.py``; ``show``, which has
helpers, is ``commands/show/command.py``. A name that others begin with is a group of them.
"""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Running": {
        "consume": "Run workers until told to stop.",
        "run": "Call a task here, without the queue.",
        "demo": "Watch a queue survive a killed consumer.",
        "scaffold": "Print a unit file or manifest that runs a consumer.",
    },
    "Producing": {
        "enqueue": "Queue a call of a task.",
    },
    "Looking": {
        "status": "Show what is wrong, and how things stand.",
        "list": "List jobs (also: ls).",
        "pending": "List what runs next, in running order.",
        "scheduled": "List what is due later, soonest first.",
        "show": "Show everything about a job.",
        "why": "Say why a job is not running, or not done.",
        "logs": "Print what a job has logged.",
        "depth": "Print how many jobs wait: one number.",
        "workers": "List consumers and what they run.",
        "tasks": "List the tasks of an application.",
        "stats": "Show rates, waits and depths (live: top).",
        "events": "Print what happened, as it happens.",
        "dashboard": "Show the queue in a browser.",
    },
    "Monitoring": {
        "check": "Answer a monitoring system: 0, 1, 2 or 3.",
        "metrics": "Print figures for Prometheus.",
        "doctor": "Look for what is wrong with the set-up.",
    },
    "Changing": {
        "revoke": "Revoke jobs, or a task from now on.",
        "restore": "Undo revoke.",
        "reschedule": "Give waiting jobs another time or priority.",
        "pause": "Let workers take no more jobs.",
        "resume": "Undo pause.",
        "lock": "Run commands under locks that jobs respect.",
        "lock list": "List the locks that are held, and who waits for them.",
        "lock acquire": "Run a command under a lock.",
        "lock release": "Free locks.",
    },
    "Results": {
        "result": "Print what a job returned.",
        "wait": "Wait for jobs, or for an empty queue.",
    },
    "Dead letters": {
        "dead": "Keep, look at and retry what failed for good.",
        "dead list": "List dead letters.",
        "dead summary": "Count dead letters by task and error.",
        "dead show": "Show everything about a dead letter.",
        "dead dump": "Write dead letters to a file.",
        "dead load": "Bring dead letters back in.",
        "dead retry": "Run dead letters again.",
        "dead purge": "Delete dead letters.",
    },
    "Housekeeping": {
        "dump": "Write a queue to a file.",
        "load": "Bring in a dump, or what Huey left.",
        "purge": "Delete jobs, results and what lies about.",
        "db": "Look after the storage itself.",
        "db info": "Say what it is, and what it takes.",
        "db backup": "Copy the file while it is in use.",
        "db restore": "Put a copy in its place.",
        "db vacuum": "Give space back to the disk.",
    },
    "Periodic tasks": {
        "periodic": "See and steer periodic tasks.",
        "periodic list": "List schedules with their next run.",
        "periodic next": "List the coming runs.",
        "periodic trigger": "Run a periodic task now.",
        "periodic pause": "Let schedules not fire.",
        "periodic resume": "Undo periodic pause.",
        "periodic add": "Store a schedule of a call.",
        "periodic remove": "Forget a stored schedule.",
    },
    "Help": {
        "config": "Show settings, and where they come from.",
        "config show": "Print what is set, and where.",
        "config init": "Write a file of settings to begin with.",
        "completion": "Print a shell's completion script.",
        "help": "Explain a command or a topic.",
    },
}
COMMANDS = {name: line for section in SECTIONS.values() for name, line in section.items()}
#: What other programs call it, and what to type here.
SYNONYMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ps", "consumers"), ("workers", "list --state running")),
    **dict.fromkeys(("cancel", "abort"), ("revoke ID",)),
    **dict.fromkeys(("rm", "remove", "delete"), ("revoke ID", "purge TARGET")),
    **dict.fromkeys(("kill", "stop", "terminate"), ("revoke ID --terminate",)),
    **dict.fromkeys(("jobs", "queue"), ("list",)),
    **dict.fromkeys(("info", "summary"), ("status",)),
    **dict.fromkeys(("inspect", "describe", "get"), ("show ID",)),
    **dict.fromkeys(("queues", "count", "size"), ("depth --by queue",)),
    **dict.fromkeys(("worker", "work", "start", "serve"), ("consume APP",)),
    **dict.fromkeys(("add", "call", "push", "send", "submit"), ("enqueue TASK",)),
    **dict.fromkeys(("retry", "requeue", "rerun"), ("dead retry ID", "enqueue --copy ID")),
    **dict.fromkeys(("failed", "failures", "errors"), ("dead list",)),
    **dict.fromkeys(("clear", "clean", "empty", "flush"), ("purge TARGET",)),
    **dict.fromkeys(("monitor", "watch"), ("top",)),
    **dict.fromkeys(("log", "tail"), ("logs ID", "events --follow")),
    **dict.fromkeys(("cron", "beat", "schedule", "schedules"), ("periodic list",)),
    **dict.fromkeys(("ping", "health"), ("check",)),
    **dict.fromkeys(("export", "backup"), ("dump", "db backup FILE")),
    "import": ("load FILE",),
    "version": ("--version",),
}
#: An alias may add options.
ALIASES = {"ls": "list", "top": "stats --watch"}
