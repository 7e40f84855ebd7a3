"""Huey's loggers as parents of ours: what a program sets on ``huey`` and ``huey.consumer`` holds
for our records. Where nothing is set on them, nothing changes."""

from __future__ import annotations

import logging


class _Logger(logging.Logger):
    """``logging.config`` disables the loggers that it does not name, unless their parent is named:
    who names ``huey`` means ours."""

    def __setattr__(self, name: str, value: object) -> None:
        # Decided here and not where it is read, which is done twice a job.
        if name == "disabled" and value:
            value = self.parent is not None and self.parent.disabled
        super().__setattr__(name, value)


def alias() -> None:
    """Records go from ``hueycore.consumer`` by ``huey.consumer`` to ``hueycore``, ``huey`` and the
    root, and take their level from the first that has one."""
    old, ours = logging.getLogger("huey"), logging.getLogger("hueycore")
    old_consumer = logging.getLogger("huey.consumer")
    our_consumer = logging.getLogger("hueycore.consumer")
    others = map(logging.getLogger, ("hueycore.execute", "hueycore.signals", "hueycore.notes"))
    for logger in (ours, our_consumer, *others):
        if type(logger) is logging.Logger:  # else the program has a class of its own for them
            logger.__class__ = _Logger
    # There is no call for it: by itself a dotted name says whose child a logger is.
    ours.parent = old
    old_consumer.parent = ours
    our_consumer.parent = old_consumer
