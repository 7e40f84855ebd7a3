"""Where Huey has ``MiniHuey``."""

from functools import partial

from hueycore.absent import absent

_TEXTS = {
    "MiniHuey": 'MemoryHuey().create_consumer(worker_type="greenlet") is a consumer inside of the '
    "program, with start() and stop()"
}

__getattr__ = partial(absent, __name__, _TEXTS)
