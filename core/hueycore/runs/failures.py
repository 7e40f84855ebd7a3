"""A failed run in words: for the row that keeps it, and for the log."""

from __future__ import annotations

import logging
import traceback

from hueycore.model.endings import Dead, Ending, Failure, Retry
from hueycore.model.jobs import Claim
from hueycore.serializer import describe

logger = logging.getLogger("hueycore.execute")

#: Characters of a traceback that a row keeps, the end of it.
KEPT_TRACEBACK = 8000
KEPT_MESSAGE = 1000


def failure_of(error: BaseException) -> Failure:
    """An exception as the row keeps it; also of one whose str or repr raises."""
    try:
        message = str(error)
    except Exception:
        message = "its message cannot be shown"
    try:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        text = "".join(traceback.format_tb(error.__traceback__))
    return Failure(type(error).__name__, message[:KEPT_MESSAGE], text[-KEPT_TRACEBACK:])


def brief_failure(error: BaseException) -> Failure:
    """Of an exception that was raised on purpose: where it comes from is no news."""
    return failure_of(error)._replace(traceback="")


def log_failure(claim: Claim, error: BaseException, ending: Ending, run_s: float) -> None:
    extra = {"duration": round(run_s, 6)}
    match ending:
        case Dead():
            logger.error(
                "job %s of %s is dead (%s) in attempt %s: %s",
                claim.seq, claim.task, ending.reason, claim.attempt, describe(error),
                exc_info=error if isinstance(error, Exception) else None, extra=extra,
            )  # fmt: skip
        case Retry():
            logger.warning(
                "job %s of %s failed in attempt %s, %s retries left: %s",
                claim.seq, claim.task, claim.attempt, ending.retries, describe(error),
                extra=extra,
            )  # fmt: skip
        case _:
            logger.info("job %s of %s: %s", claim.seq, claim.task, describe(error), extra=extra)
