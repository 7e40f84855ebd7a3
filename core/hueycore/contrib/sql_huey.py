"""Where Huey has ``SqlHuey``."""

from functools import partial

from hueycore.absent import ENGINE, FILE, absent

__getattr__ = partial(absent, __name__, {"SqlHuey": FILE, "SqlStorage": ENGINE})
