"""Other queues, by their names. Each imports its library alone: the others need not be there."""

from importlib import import_module

from peers.base import Peer

_CLASSES = {
    "procrastinate": "Procrastinate",
    "pgqueuer": "PgQueuer",
    "oban": "Oban",
    "rq": "Rq",
    "dramatiq": "Dramatiq",
    "celery": "Celery",
}


def opened(system: str, url: str) -> Peer:
    peer: Peer = getattr(import_module(f"peers.{system}"), _CLASSES[system])(url)
    return peer
