"""The signals of an exchange."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hueycore import signals as S
from hueycore.model.jobs import Exchange
from hueycore.runs.finished import Finished

if TYPE_CHECKING:
    from hueycore.api import Huey

logger = logging.getLogger("hueycore.consumer")


def send_signals(huey: Huey, got: Exchange, finished: list[Finished]) -> None:
    """Send the signals of a committed exchange: ``got`` is its answer, ``finished`` the runs whose
    endings it wrote."""
    lost = {ended.claim[:2] for ended in got.lost}
    stopped = {ended.claim[:2] for ended in got.stopped}
    unwritable = {ended.claim[:2]: why for ended, why in got.unwritable}
    for done in finished:
        claim = done.ended.claim
        try:
            if claim[:2] in lost:
                logger.warning("job %s: its claim was lost, the ending is dropped", claim.seq)
                huey.send_finished(done, lost=True, stopped=False)
            elif done.notices or claim[:2] in stopped or claim[:2] in unwritable:
                huey.send_finished(
                    done,
                    lost=False,
                    stopped=claim[:2] in stopped,
                    unwritable=unwritable.get(claim[:2]),
                )
        except BaseException:
            logger.exception("signals of job %s could not be sent", claim.seq)
        finally:
            huey.signals.release(claim.id)
    for ref in got.revoked:
        logger.info("job %s of %s is revoked", ref.seq, ref.task)
    for ref in got.expired:
        logger.info("job %s of %s has expired", ref.seq, ref.task)
    huey.send_signals(S.SIGNAL_REVOKED, got.revoked)
    huey.send_signals(S.SIGNAL_EXPIRED, got.expired)
