"""What a browser asks and what it is answered, whatever stands between: plain values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, quote

#: The longest form that is read, bytes.
FORM = 64 * 1024
_FIELDS = 1000


class Person(NamedTuple):
    """Who asks, for the event log, and whether they may change anything."""

    name: str
    may_change: bool = False


#: What an application may say of who asks.
Known = Person | tuple[str, bool] | None


class Ask(NamedTuple):
    """A request. ``path`` begins with a slash and is what lies below ``base``, which has none at
    its end; names of ``headers`` are in lower case. ``person`` None is nobody who may look."""

    method: str
    path: str
    query: Mapping[str, list[str]] = {}
    headers: Mapping[str, str] = {}
    form: Mapping[str, list[str]] = {}
    base: str = ""
    person: Person | None = None
    #: What is wrong with it: a status, and words.
    flaw: tuple[int, str] | None = None

    @property
    def changes(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def host(self) -> str:
        """Which host it names, without the port."""
        host = self.headers.get("host", "").strip().lower()
        return host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host

    def cookie(self, name: str) -> str:
        """Its value, or nothing. Whatever else the host has put beside it is not read:
        ``http.cookies`` forgets all of them for one that it does not like."""
        for pair in self.headers.get("cookie", "").split(";"):
            found, _, value = pair.strip().partition("=")
            if found == name:
                return value.strip('"')
        return ""


class Answer(NamedTuple):
    """A response with all of its headers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    #: Of a page, for an application that puts it into one of its own.
    title: str = ""

    def with_headers(self, *headers: tuple[str, str]) -> Answer:
        return self._replace(headers=(*self.headers, *headers))

    @property
    def line(self) -> str:
        """The status with its words."""
        from http import HTTPStatus

        return f"{self.status} {HTTPStatus(self.status).phrase}"


Respond = Callable[[Ask], Answer]


def text(status: int, body: str, kind: str = "text/plain") -> Answer:
    written = body.encode("utf-8", "backslashreplace")
    return Answer(status, (("Content-Type", f"{kind}; charset=utf-8"),), written)


def document(value: Any, status: int = 200) -> Answer:
    from hueyctl.answers.payloads import finite

    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        written = json.dumps(finite(value), ensure_ascii=False)
    return text(status, written + "\n", "application/json")


def see(url: str, status: int = 303) -> Answer:
    """Go on there. A line of a header ends where somebody's text would begin another."""
    return text(status, "").with_headers(("Location", url.translate({10: None, 13: None})))


def number(word: str) -> int | None:
    """A number that every engine can hold, or None."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 19 else None


def fits(length: str) -> bool:
    """Whether a form of so many bytes is read; ``length`` is what a header says."""
    known = number(length)
    return known is not None and known <= FORM


def fields(encoded: str) -> dict[str, list[str]]:
    """The words of a query or a form. Raises ``ValueError`` when there are too many."""
    return parse_qs(encoded, keep_blank_values=True, max_num_fields=_FIELDS)


def read(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes | None,
    base: str,
    person: Known,
) -> Ask:
    """The request of somebody. ``body`` None was longer than a form may be."""
    known = None if person is None else Person(*person)
    # One that began with two slashes would be another host.
    base = "/" + quote(base.strip("/")) if base.strip("/") else ""
    ask = Ask(method, path or "/", {}, headers, {}, base, known)
    if body is None:
        return ask._replace(flaw=(413, "A form of more than 64 KiB is not read.\n"))
    if number(headers.get("content-length", "")) not in (None, len(body)):
        return ask._replace(flaw=(400, "The form was cut off: nothing was done.\n"))
    is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    try:
        form = fields(body.decode("ascii", "replace")) if is_form else {}
        return ask._replace(query=fields(query), form=form)
    except ValueError:
        return ask._replace(flaw=(400, "The address or the form has too many fields.\n"))
