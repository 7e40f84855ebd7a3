"""Where Huey has a log of events in a database of its own."""

from functools import partial

from hueycore.absent import absent

_EVENTS = "Huey(events=True) records what becomes of jobs, hueyctl events and hueyctl stats show it"

__getattr__ = partial(absent, __name__, {"HueyStats": _EVENTS, "enable_stats": _EVENTS})
