"""What was done, told by the next page, once. The cookie needs no session and no store."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hueyctl.dashboard.asks import Ask

_NAME = "hueyctl-notice"
#: Seconds until nobody wants to know it any more; bytes that a cookie has room for.
_TIME, _ROOM = 30, 3800


class Notice(NamedTuple):
    """``undo`` is the name of an act with its fields."""

    text: str
    undo: tuple[str, dict[str, str]] | None = None
    #: Whether something could not be done.
    failed: bool = False


def kept(ask: Ask, notice: Notice) -> tuple[str, str]:
    """The header that has a browser keep it for the next page."""
    for one in (notice, notice._replace(text=notice.text[:200]), Notice(notice.text[:200])):
        written = json.dumps(one, ensure_ascii=False).encode("utf-8", "replace")
        value = urlsafe_b64encode(written).decode()
        if len(value) <= _ROOM:
            break
    return _cookie(ask, value, _TIME)


def gone(ask: Ask) -> tuple[str, str]:
    """The header that has a browser forget it."""
    return _cookie(ask, "", 0)


def _cookie(ask: Ask, value: str, age: int) -> tuple[str, str]:
    path = ask.base or "/"
    cookie = f"{_NAME}={value}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Strict"
    return ("Set-Cookie", cookie)


def told(ask: Ask) -> Notice | None:
    """What the last act has left. Another page of the host may have written it: it is only ever
    text, and an act that goes back."""
    try:
        found = ask.cookie(_NAME)
        if not found:
            return None
        text, undo, failed = json.loads(urlsafe_b64decode(found.encode()))
        if undo is not None:
            name, fields = undo
            undo = (str(name), {str(key): str(value) for key, value in fields.items()})
        return Notice(str(text), undo, bool(failed))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
