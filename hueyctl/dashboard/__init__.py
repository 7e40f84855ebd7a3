"""The queue in a browser, from its storage alone. ``wsgi``, ``asgi`` and ``django`` make what an
application mounts behind its own login; ``hueyctl dashboard`` serves it by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hueyctl.dashboard.asks import Person as Person
    from hueyctl.dashboard.doors.asgi import asgi as asgi
    from hueyctl.dashboard.doors.django import django as django
    from hueyctl.dashboard.doors.wsgi import wsgi as wsgi

__all__ = ["Person", "asgi", "django", "wsgi"]

_ROOMS = {"Person": "asks", "asgi": "doors.asgi", "django": "doors.django", "wsgi": "doors.wsgi"}


def __getattr__(name: str) -> Any:
    """Whoever mounts one door loads that one alone."""
    if name not in _ROOMS:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
