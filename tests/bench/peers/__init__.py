"""Other queues in PostgreSQL, by their names."""

from peers.base import Peer


def opened(system: str, url: str) -> Peer:
    """Each imports its library alone: the others need not be there."""
    if system == "procrastinate":
        from peers.procrastinate import Procrastinate

        return Procrastinate(url)
    if system == "pgqueuer":
        from peers.pgqueuer import PgQueuer

        return PgQueuer(url)
    from peers.oban import Oban

    return Oban(url)
