"""Names that Huey's users import."""

from __future__ import annotations

from typing import Final

WORKER_THREAD: Final = "thread"
WORKER_PROCESS: Final = "process"
WORKER_GREENLET: Final = "greenlet"
WORKER_ASYNCIO: Final = "asyncio"
WORKER_TYPES: Final = (WORKER_THREAD, WORKER_PROCESS, WORKER_GREENLET, WORKER_ASYNCIO)


class EmptyData:
    """In place of a value: there is none. Huey's storages answer with the class itself."""


#: Workers that one consumer can have: an engine keeps a slot for each.
MAX_WORKERS: Final = 4096
