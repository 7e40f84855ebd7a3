"""Greenlets in the hub of the thread that starts the consumer: thousands of jobs that wait in plain
code, which gevent has patched.

In the hub run the greenlets and the receivers of signals. The feed, the scheduler, the janitor and
the time limits are native threads. Coroutines run on one loop in another native thread, because a
thread can have one running loop only.
"""

from __future__ import annotations

from hueycore.exceptions import ConfigurationError

try:
    from hueycore.consumer.workers.greenlet.kind import GreenletKind
except ImportError as error:
    raise ConfigurationError(
        "greenlet workers need gevent: pip install hueyctl[greenlet]"
    ) from error

__all__ = ["GreenletKind"]
