"""Where Huey has semaphores in Redis."""

from functools import partial

from hueycore.absent import absent

_LIMIT = "@huey.task(max_concurrent=N, concurrency_key=NAME) lets N jobs of a name run at once"

__getattr__ = partial(absent, __name__, {"RedisSemaphore": _LIMIT, "lock_task_semaphore": _LIMIT})
