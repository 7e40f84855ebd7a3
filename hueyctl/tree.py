"""The registry of commands: where each lives, and its line in ``--help``."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a command lives, its line in ``--help``, and the section it stands in.

    A name of two words is a command of a group; the group itself is an entry without a place.
    """

    place: str
    short: str
    section: str


COMMANDS: dict[str, Entry] = {
    "consume": Entry("consume:consume", "Run workers until told to stop.", "Running"),
    "run": Entry("run.command:run", "Call a task here, without the queue.", "Running"),
    "demo": Entry("demo.command:demo", "Watch a queue survive a killed consumer.", "Running"),
    "scaffold": Entry(
        "scaffold.command:scaffold",
        "Print a unit file or manifest that runs a consumer.",
        "Running",
    ),
    "enqueue": Entry("enqueue.command:enqueue", "Queue a call of a task.", "Producing"),
    "list": Entry("list:list_jobs", "List jobs (also: ls).", "Looking"),
    "pending": Entry("pending:pending", "List what runs next, in running order.", "Looking"),
    "scheduled": Entry("scheduled:scheduled", "List what is due later, soonest first.", "Looking"),
    "show": Entry("show.command:show", "Show everything about a job.", "Looking"),
    "why": Entry("why:why", "Say why a job is not running, or not done.", "Looking"),
    "logs": Entry("logs.command:logs", "Print what a job has logged.", "Looking"),
    "depth": Entry("depth:depth", "Print how many jobs wait: one number.", "Looking"),
    "workers": Entry("workers:workers", "List consumers and what they run.", "Looking"),
    "tasks": Entry("tasks:tasks", "List the tasks of an application.", "Looking"),
    "stats": Entry("stats.command:stats", "Show rates, waits and depths (live: top).", "Looking"),
    "events": Entry("events.command:events", "Print what happened, as it happens.", "Looking"),
    "check": Entry(
        "check.command:check", "Answer a monitoring system: 0, 1, 2 or 3.", "Monitoring"
    ),
    "metrics": Entry("metrics:metrics", "Print figures for Prometheus.", "Monitoring"),
    "doctor": Entry(
        "doctor.command:doctor", "Look for what is wrong with the set-up.", "Monitoring"
    ),
    "revoke": Entry("revoke.command:revoke", "Revoke jobs, or a task from now on.", "Changing"),
    "restore": Entry("restore:restore", "Undo revoke.", "Changing"),
    "reschedule": Entry(
        "reschedule:reschedule", "Give waiting jobs another time or priority.", "Changing"
    ),
    "pause": Entry("pause:pause", "Let workers take no more jobs.", "Changing"),
    "resume": Entry("resume:resume", "Undo pause.", "Changing"),
    "lock": Entry("", "Run commands under locks that jobs respect.", "Changing"),
    "lock list": Entry("lock.list:lock_list", "List the locks that processes hold.", "Changing"),
    "lock acquire": Entry("lock.acquire:lock_acquire", "Run a command under a lock.", "Changing"),
    "lock release": Entry("lock.release:lock_release", "Free locks.", "Changing"),
    "result": Entry("result:result", "Print what a job returned.", "Results"),
    "wait": Entry("wait.command:wait", "Wait for jobs, or for an empty queue.", "Results"),
    "dead": Entry("", "Keep, look at and retry what failed for good.", "Dead letters"),
    "dead list": Entry("dead.list:dead_list", "List dead letters.", "Dead letters"),
    "dead summary": Entry(
        "dead.summary:dead_summary", "Count dead letters by task and error.", "Dead letters"
    ),
    "dead show": Entry(
        "dead.show:dead_show", "Show everything about a dead letter.", "Dead letters"
    ),
    "dead dump": Entry("dead.dump:dead_dump", "Write dead letters to a file.", "Dead letters"),
    "dead load": Entry("dead.load:dead_load", "Bring dead letters back in.", "Dead letters"),
    "dead retry": Entry("dead.retry:dead_retry", "Run dead letters again.", "Dead letters"),
    "dead purge": Entry("dead.purge:dead_purge", "Delete dead letters.", "Dead letters"),
    "purge": Entry(
        "purge.command:purge", "Delete jobs, results and what lies about.", "Housekeeping"
    ),
    "periodic": Entry("", "See and steer periodic tasks.", "Periodic tasks"),
    "periodic list": Entry(
        "periodic.list:periodic_list", "List schedules with their next run.", "Periodic tasks"
    ),
    "periodic next": Entry(
        "periodic.next:periodic_next", "List the coming runs.", "Periodic tasks"
    ),
    "periodic trigger": Entry(
        "periodic.trigger:periodic_trigger", "Run a periodic task now.", "Periodic tasks"
    ),
    "periodic pause": Entry(
        "periodic.pause:periodic_pause", "Let schedules not fire.", "Periodic tasks"
    ),
    "periodic resume": Entry(
        "periodic.resume:periodic_resume", "Undo periodic pause.", "Periodic tasks"
    ),
    "periodic add": Entry(
        "periodic.add:periodic_add", "Store a schedule of a call.", "Periodic tasks"
    ),
    "periodic remove": Entry(
        "periodic.remove:periodic_remove", "Forget a stored schedule.", "Periodic tasks"
    ),
    "config": Entry("", "Show settings, and where they come from.", "Help"),
    "config show": Entry("config.show:config_show", "Print every setting and its source.", "Help"),
    "completion": Entry("completion:completion", "Print a shell's completion script.", "Help"),
    "help": Entry("help.command:help_", "Explain a command or a topic.", "Help"),
}
#: An alias may add options.
ALIASES = {"ls": "list", "top": "stats --watch"}
