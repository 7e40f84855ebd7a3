"""Options of a consumer as one value, as Huey's users have them."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from functools import partial

from hueycore.absent import absent
from hueycore.constants import WORKER_PROCESS, WORKER_THREAD

_TEXTS = {"OptionParserHandler": "hueyctl consume and manage.py run_huey have Huey's options"}

__getattr__ = partial(absent, __name__, _TEXTS)

_FOR_LOGGING = ("logfile", "verbose", "simple_log")


@dataclass(frozen=True, kw_only=True)
class ConsumerConfig:
    """``huey.create_consumer(**config.values)``; the options are those of ``BaseConsumer``, and:

    :param logfile: log here instead of on stderr.
    :param verbose: True shows DEBUG, False only WARNING, None INFO.
    :param simple_log: log just the time and the message.
    """

    workers: int = 1
    worker_type: str = WORKER_THREAD
    initial_delay: float = 0.1
    backoff: float = 1.15
    max_delay: float = 10.0
    check_worker_health: bool = True
    health_check_interval: float = 10
    scheduler_interval: float = 1
    periodic: bool = True
    logfile: str | None = None
    verbose: bool | None = None
    simple_log: bool | None = None
    flush_locks: bool = False
    extra_locks: str | None = None
    max_tasks: int | None = None
    shutdown_timeout: float | None = None
    graceful_signal: str | None = None

    def validate(self) -> None:
        """Raises ValueError for what cannot be."""
        if self.backoff < 1:
            raise ValueError(f"backoff={self.backoff}: use 1 or more")
        if not 0 < self.scheduler_interval <= 60 or 60 % self.scheduler_interval:
            raise ValueError(
                f"scheduler_interval={self.scheduler_interval}: use a factor of 60 seconds"
            )
        if self.graceful_signal not in (None, "INT", "TERM"):
            raise ValueError(f"graceful_signal={self.graceful_signal!r}: use INT or TERM")

    @property
    def loglevel(self) -> int:
        """The level that ``verbose`` says."""
        if self.verbose is None:
            return logging.INFO
        return logging.DEBUG if self.verbose else logging.WARNING

    def setup_logger(self, logger: logging.Logger | None = None) -> None:
        """Give a logger, by default the root, a handler and a level."""
        worker = "process" if self.worker_type == WORKER_PROCESS else "threadName"
        full = f"[%(asctime)s] %(levelname)s:%(name)s:%({worker})s:%(message)s"
        handler = logging.FileHandler(self.logfile) if self.logfile else logging.StreamHandler()
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
            if self.simple_log
            else logging.Formatter(full)
        )
        logger = logger or logging.getLogger()
        logger.addHandler(handler)
        logger.setLevel(self.loglevel)

    @property
    def values(self) -> dict[str, object]:
        """Options of ``create_consumer``."""
        return {name: value for name, value in asdict(self).items() if name not in _FOR_LOGGING}
