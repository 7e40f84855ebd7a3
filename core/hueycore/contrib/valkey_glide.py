"""Where Huey has ``ValkeyGlideHuey``."""

from functools import partial

from hueycore.absent import GLIDE, absent

_TEXTS = {"ValkeyGlideHuey": GLIDE, "ValkeyGlideStorage": GLIDE}

__getattr__ = partial(absent, __name__, _TEXTS)
