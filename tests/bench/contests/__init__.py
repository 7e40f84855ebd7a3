"""What ``make bench`` measures side by side, by engine."""

from tests.bench.contests import postgres, redis, sqlite
from tests.bench.contests.rows import Contest, Figure, Row, Run

__all__ = ["CONTESTS", "PEERS", "Contest", "Figure", "Row", "Run"]

CONTESTS = {
    "sqlite": sqlite.CONTESTS,
    "postgres": postgres.CONTESTS,
    "redis": redis.CONTESTS,
}
#: The names of their distributions.
PEERS = {"sqlite": sqlite.PEERS, "postgres": postgres.PEERS, "redis": redis.PEERS}
