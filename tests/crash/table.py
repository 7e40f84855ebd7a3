"""What must hold when a consumer is struck: kind of workers × event × phase.

Every cell is played by ``test_crash_table.py`` with a real consumer that has one worker. One job is
in the phase (of an idle consumer: comes after the event) and one waits behind it. That one begins
once, ends once and is done at its first attempt, whatever the cell is; a consumer that was told to
stop has not begun it.

The events:

INT, second TERM, KILL of the parent, STOP/CONT
    the signal, to ``hueyctl consume``; STOP and CONT to its whole process group, as ^Z. After INT
    the running job ends in its time (``-t 30``). Worker processes outlive a killed parent; for the
    other kinds the parent is all there is.
TERM, HUP
    the running job does not end in its time (``-t 0.5``).
KILL of a worker
    kill -9 of the worker process. Where a worker is no process: what else ends one of its kind,
    from outside, wherever it is: SystemExit thrown into the thread, GreenletExit into the greenlet
    (``gevent.kill``), ``cancel()`` of the coroutine (``for task in asyncio.all_tasks()``). A run
    takes such a thing for its own end: it has failed; elsewhere the worker ends and another one
    takes its place.
timeout
    the time limit of the job, 0.3 s with one retry, passes: while it runs, or while it does not.
max-tasks
    ``-M 1``: each job is the last one of its worker.

The phases: ``claiming``, the claim is committed and the exchange that made it has not returned, so
that no worker has the job yet; ``running``, in the function of the user's; ``ending``, the function
has returned and the exchange that will commit that has not begun.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

KINDS = ("thread", "process", "greenlet", "asyncio")
PHASES = ("idle", "claiming", "running", "ending")

#: The consumer: ``leaves`` with one of the exit codes, ``dies``; ``stays``; ``replaces`` its worker
#: and stays; is there ``again``, after an exec: same process, same arguments, a new lock byte.
#: A job: state, attempts, crashes, and its reason when it is dead. ``then``: as the consumer left
#: it; ``finally``: when it or the next consumer has done all there is. ``begun`` and ``ended``: how
#: often the function was entered and left.
TABLE = """
event               phase     kinds    consumer  exit         then                   finally          begun  ended

INT                 idle      all      leaves    0            -                      done 1 0         1      1
INT                 claiming  all      leaves    0            pending 0 0            done 1 0         1      1
INT                 running   all      leaves    0            done 1 0               done 1 0         1      1
INT                 ending    all      leaves    0            done 1 0               done 1 0         1      1

TERM                idle      all      leaves    0            -                      done 1 0         1      1
TERM                claiming  all      leaves    0            pending 0 0            done 1 0         1      1
TERM                running   thread   leaves    1            running 1 0            done 2 0         2      1
TERM                running   others   leaves    1            pending 0 0            done 1 0         2      1
TERM                ending    all      leaves    0            done 1 0               done 1 0         1      1

second TERM         idle      all      leaves    0, 143, -15  -                      done 1 0         1      1
second TERM         claiming  all      leaves    0, 143, -15  pending 0 0            done 1 0         1      1
second TERM         running   thread   leaves    143          running 1 0            done 2 0         2      1
second TERM         running   others   leaves    143          pending 0 0            done 1 0         2      1
second TERM         ending    all      leaves    0, 143, -15  done 1 0               done 1 0         1      1

HUP                 idle      all      again     -            -                      done 1 0         1      1
HUP                 claiming  all      again     -            -                      done 1 0         1      1
HUP                 running   thread   again     -            -                      done 2 0         2      1
HUP                 running   others   again     -            -                      done 1 0         2      1
HUP                 ending    all      again     -            -                      done 1 0         1      1

KILL of a worker    idle      all      replaces  -            -                      done 1 0         1      1
KILL of a worker    claiming  all      replaces  -            -                      done 1 0         1      1
KILL of a worker    running   process  replaces  -            -                      done 2 1         2      1
KILL of a worker    running   others   stays     -            -                      dead 1 0 failed  1      0
KILL of a worker    ending    process  replaces  -            -                      done 1 0         2      2
KILL of a worker    ending    others   replaces  -            -                      done 1 0         1      1

KILL of the parent  idle      all      dies      -9           -                      done 1 0         1      1
KILL of the parent  claiming  process  dies      -9           pending 0 0, done 1 0  done 1 0         1      1
KILL of the parent  claiming  others   dies      -9           running 1 0            done 1 0         1      1
KILL of the parent  running   process  dies      -9           done 1 0               done 1 0         1      1
KILL of the parent  running   others   dies      -9           running 1 0            done 2 1         2      1
KILL of the parent  ending    process  dies      -9           done 1 0               done 1 0         1      1
KILL of the parent  ending    others   dies      -9           running 1 0            done 1 0         2      2

STOP/CONT           idle      all      stays     -            -                      done 1 0         1      1
STOP/CONT           claiming  all      stays     -            -                      done 1 0         1      1
STOP/CONT           running   all      stays     -            -                      done 1 0         1      1
STOP/CONT           ending    all      stays     -            -                      done 1 0         1      1

timeout             idle      all      stays     -            -                      done 1 0         1      1
timeout             claiming  all      stays     -            -                      done 1 0         1      1
timeout             running   all      stays     -            -                      done 2 0         2      1
timeout             ending    all      stays     -            -                      done 1 0         1      1

max-tasks           idle      all      replaces  -            -                      done 1 0         1      1
max-tasks           claiming  all      replaces  -            -                      done 1 0         1      1
max-tasks           running   all      replaces  -            -                      done 1 0         1      1
max-tasks           ending    all      replaces  -            -                      done 1 0         1      1
"""  # noqa: E501
EVENTS = (
    "INT", "TERM", "second TERM", "HUP", "KILL of a worker", "KILL of the parent", "STOP/CONT",
    "timeout", "max-tasks",
)  # fmt: skip


class Cell(NamedTuple):
    kind: str
    event: str
    phase: str

    def __str__(self) -> str:
        return "-".join(self)


class Must(NamedTuple):
    """What holds in a cell; where there are several, one of them."""

    consumer: str
    codes: frozenset[int]
    then: frozenset[str]
    finally_: str
    begun: frozenset[int]
    ended: int


def whole() -> dict[Cell, Must]:
    """Every cell; ``all`` and ``others`` are the kinds that have no line of their own."""
    lines = [re.split(r" {2,}", line) for line in TABLE.splitlines()[2:] if line]
    named = {Cell(kind, event, phase) for event, phase, kind, *_ in lines}
    cells = {}
    for event, phase, kinds, consumer, codes, then, finally_, begun, ended in lines:
        must = Must(
            consumer,
            frozenset(map(int, _several(codes))),
            frozenset(_several(then)),
            finally_,
            frozenset(map(int, _several(begun))),
            int(ended),
        )
        for kind in KINDS if kinds in ("all", "others") else (kinds,):
            cell = Cell(kind, event, phase)
            if kinds == kind or cell not in named:
                assert cell not in cells, f"twice in the table: {cell}"
                cells[cell] = must
    return cells


def _several(words: str) -> list[str]:
    return [] if words == "-" else words.split(", ")


def pairwise() -> set[Cell]:
    """The fewest cells that have every kind with every event, every event in every phase and every
    phase of every kind: each event meets its four phases in four kinds."""
    return {
        Cell(kind, event, PHASES[(k + e) % len(PHASES)])
        for k, kind in enumerate(KINDS)
        for e, event in enumerate(EVENTS)
    }


def summary(nodeids: Iterable[str]) -> str | None:
    """How many cells of each kind are among these tests; None when none is."""
    cells = {f"[{cell}]": cell for cell in whole()}
    ids = {node[node.find("[") :] for node in nodeids}
    played = [cells[cell] for cell in cells.keys() & ids]
    kinds = Counter(cell.kind for cell in played)
    each = ", ".join(f"{kind} {kinds[kind]}" for kind in KINDS)
    return f"signals x phases: {len(played)} of {len(cells)} cells: {each}" if played else None
