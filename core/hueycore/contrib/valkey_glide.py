"""Where Huey has ``ValkeyGlideHuey``."""

from functools import partial

from hueycore.absent import ENGINE, FILE, REDIS, absent

_TEXTS = {"ValkeyGlideHuey": REDIS + FILE, "ValkeyGlideStorage": REDIS + ENGINE}

__getattr__ = partial(absent, __name__, _TEXTS)
