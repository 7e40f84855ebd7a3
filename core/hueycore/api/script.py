"""Tasks and classes of the script that runs. ``__main__`` is another module in every process, so a
job that names it is lost on a consumer; only this process can run it.

It goes on its way where this process works on the queue: in memory and in immediate mode, where it
has made a consumer or has dequeued or executed a job, and where its own code says that it will.
``allow_paths=["*", "__main__.*"]`` says so too, for scripts that are started once to enqueue and
once to consume.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from types import CodeType, FrameType
from typing import TYPE_CHECKING

from hueycore.exceptions import ConfigurationError, SerializationError
from hueycore.unpickler import names_module

if TYPE_CHECKING:
    from hueycore.api.huey import Huey

#: The script, and what ``multiprocessing`` calls it in a process that it has spawned.
MAINS = frozenset(("__main__", "__mp_main__"))
#: What a script calls that works on its queue itself.
_WORKS = frozenset(("create_consumer", "Consumer", "dequeue"))

_HOW = (
    "a script that works on the queue itself makes its consumer first, or has "
    'allow_paths=["*", "__main__.*"]'
)


def check_task(huey: Huey, name: str) -> None:
    """Raises ``ConfigurationError`` for a task of the script when no consumer can know it."""
    if not _runs_here(huey, name):
        raise ConfigurationError(
            f"{name} is in the script that runs, which a consumer has under another name, if at "
            f"all: {_where()} and import it from there; {_HOW}"
        )


def check_arguments(huey: Huey, name: str, pickled: bytes) -> None:
    """Raises ``SerializationError`` for arguments of a class of the script, if no consumer can
    know it."""
    # The text may stand in a string as well, so the pickle itself is asked.
    if any(names_module(pickled, main) for main in MAINS) and not _runs_here(huey, "__main__.*"):
        raise SerializationError(
            f"an argument of {name} is of a class in the script that runs, and no consumer can "
            f"import that: {_where()} and import it from there; {_HOW}"
        )


def _runs_here(huey: Huey, name: str) -> bool:
    said = [path for path in huey.allow_paths if path.partition(".")[0] in MAINS]
    if any(fnmatchcase(name, path) for path in said) or huey.immediate:
        return True
    if not huey.storage.shared or any(map(_says_so, _main_codes())):
        huey.works_here = True  # it stays so, and jobs of a script are not looked at again
    return huey.works_here


def _where() -> str:
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    return (
        f"move it out of {os.path.basename(file)} into a module" if file else "move it to a module"
    )


def _main_codes() -> Iterator[CodeType]:
    """What threads run as ``__main__``, as far as it can be seen: one script may run another."""
    for inner in sys._current_frames().values():
        frame: FrameType | None = inner
        while frame is not None:
            if frame.f_globals.get("__name__") in MAINS and frame.f_code.co_name == "<module>":
                yield frame.f_code
            frame = frame.f_back


def _says_so(code: CodeType) -> bool:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return not _WORKS.isdisjoint(code.co_names) or any(map(_says_so, inner))
