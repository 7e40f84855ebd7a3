"""The rooms that every SQL engine has, joined."""

from __future__ import annotations

from hueycore.storage.base import Storage
from hueycore.storage.sql.due import Due
from hueycore.storage.sql.events import Events
from hueycore.storage.sql.exchange import Exchanges
from hueycore.storage.sql.flags import Flags
from hueycore.storage.sql.joblog import JobLog
from hueycore.storage.sql.limits import Limits
from hueycore.storage.sql.locks import Locks
from hueycore.storage.sql.migration import Migrations
from hueycore.storage.sql.operators import Operators
from hueycore.storage.sql.periodic import Schedules
from hueycore.storage.sql.queries import Queries
from hueycore.storage.sql.reports import Reports
from hueycore.storage.sql.results import Results
from hueycore.storage.sql.retention import Retention
from hueycore.storage.sql.stages import Stages
from hueycore.storage.sql.transfer import Transfer
from hueycore.storage.sql.workers import Workers


class Rooms(
    Exchanges,
    Workers,
    Due,
    Schedules,
    Limits,
    Locks,
    Operators,
    Flags,
    Retention,
    Results,
    Queries,
    Reports,
    Stages,
    JobLog,
    Events,
    Transfer,
    Migrations,
    Storage,
):
    """What an engine adds, or does in its own way, stands before this among its bases."""
