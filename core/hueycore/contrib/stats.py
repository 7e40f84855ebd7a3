"""Where Huey has a log of events in a database of its own."""

from functools import partial

from hueycore.absent import EVENTS, absent

__getattr__ = partial(absent, __name__, {"HueyStats": EVENTS, "enable_stats": EVENTS})
