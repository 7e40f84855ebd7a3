"""How long things are kept."""

from typing import NamedTuple


class Keeping(NamedTuple):
    """How long finished jobs are kept; ages in seconds (DESIGN: dead letters by age only)."""

    done_age: float = 86_400.0
    done_count: int = 100_000
    dead_age: float = 30 * 86_400.0
    metric_age: float = 7 * 86_400.0
    flag_age: float = 7 * 86_400.0
    event_age: float = 7 * 86_400.0
    event_count: int = 100_000
    batch: int = 500
