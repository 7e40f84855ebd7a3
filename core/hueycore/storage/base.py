"""The storage protocol: the verbs that an engine must have.

A storage knows bytes and columns, never tasks or serializers. Each verb is one transaction that
commits whole or not at all; a selector says which jobs a verb is about. No SQL crosses this line,
so that another engine can stand behind it.
"""

from __future__ import annotations

from typing import Protocol

from hueycore.storage.protocol.huey import HueyNames
from hueycore.storage.protocol.jobs import Jobs
from hueycore.storage.protocol.limits import Limits
from hueycore.storage.protocol.migration import Migrations
from hueycore.storage.protocol.operators import Operators
from hueycore.storage.protocol.queries import Queries
from hueycore.storage.protocol.results import Results
from hueycore.storage.protocol.schedules import Schedules
from hueycore.storage.protocol.transfer import Transfer
from hueycore.storage.protocol.upkeep import Upkeep
from hueycore.storage.protocol.workers import Workers


class Storage(
    Jobs,
    Workers,
    Schedules,
    Limits,
    Operators,
    Results,
    Queries,
    Transfer,
    Migrations,
    Upkeep,
    HueyNames,
    Protocol,
):
    """What an engine must do. Times are POSIX seconds. Unless said otherwise every verb may raise
    ``StorageError``; when it raises, nothing has changed."""

    queue: str

    @property
    def url(self) -> str:
        """Where the data is, for people: no secrets."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes see it."""
        ...

    @property
    def sees_starts(self) -> bool:
        """Whether it is known of each run if it had begun when its process died. Otherwise the
        first run that kills its process at once may be doubted: it is not counted as a crash, and
        the job is claimed alone from then on."""
        ...

    @property
    def numbers_apart(self) -> bool:
        """Whether the jobs, workers and events of each queue have numbers of their own."""
        ...

    def close(self) -> None:
        """Close the connections. What this process holds here ends with the last user."""
        ...
