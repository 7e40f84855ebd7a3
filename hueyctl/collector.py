"""The garbage collector: a start makes no garbage, and to look for some is an eighth of it.

It rests from the first line of a command until that opens a queue or imports an application; what
was loaded by then is never looked at again. At the end there is nothing to collect either.
"""

from __future__ import annotations

import gc
import sys


def rest() -> None:
    gc.disable()


def work() -> None:
    """Begin, where it rests."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def leave() -> None:
    """The process ends. An application may have something that only the collector closes."""
    if "hueyctl.apps" not in sys.modules:
        gc.freeze()
