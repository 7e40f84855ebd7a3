"""Where Huey has a backend for ``django.tasks``."""

from functools import partial

from hueycore.absent import absent

_TEXTS = {"HueyBackend": "declare tasks with hueycore.contrib.djhuey.task instead of django.tasks"}

__getattr__ = partial(absent, __name__, _TEXTS)
