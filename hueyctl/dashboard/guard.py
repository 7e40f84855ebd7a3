"""What holds for every answer and every change, alone or mounted."""

from __future__ import annotations

import logging
from hashlib import blake2b
from urllib.parse import urlsplit

from hueyctl.dashboard.asks import Answer, Ask, Respond, text

logger = logging.getLogger("hueyctl.dashboard")

_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_METHODS = ("GET", "HEAD", "POST")
PRIVATE = ("Cache-Control", "private, no-cache")


def guarded(respond: Respond) -> Respond:
    """Nobody sees anything unless there is somebody, no other page changes anything, and what a
    browser has already is not sent again."""

    def answer(ask: Ask) -> Answer:
        if ask.flaw is not None:
            return finished(ask, text(*ask.flaw))
        if ask.method not in _METHODS:
            refusal = text(405, f"{', '.join(_METHODS)}\n")
            return finished(ask, refusal.with_headers(("Allow", ", ".join(_METHODS))))
        if ask.person is None:
            return finished(ask, text(403, "Not for you: nobody is logged in who may see this.\n"))
        if ask.changes and not is_own(ask):
            return finished(ask, text(403, "The form came from another site: nothing was done.\n"))
        try:
            return finished(ask, respond(ask))
        except Exception:
            logger.exception("%s %s could not be answered", ask.method, ask.path)
            return finished(ask, text(500, "This is a bug of hueyctl; the log has more.\n"))

    return answer


def is_own(ask: Ask) -> bool:
    """Whether a page of ours sent it. No cookie and no session is needed to tell."""
    site = ask.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = ask.headers.get("origin")
    return (
        origin is not None
        and urlsplit(origin).netloc.lower() == ask.headers.get("host", "").lower()
    )


def finished(ask: Ask, answer: Answer) -> Answer:
    """With the headers of all answers; empty, if the browser has it."""
    named = {name.lower() for name, _ in answer.headers}
    answer = answer.with_headers(*HEADERS)
    if "cache-control" not in named:
        answer = answer.with_headers(PRIVATE)
    if answer.status == 200 and not ask.changes:
        tag = f'"{blake2b(answer.body, digest_size=12).hexdigest()}"'
        answer = answer.with_headers(("ETag", tag))
        if tag in ask.headers.get("if-none-match", ""):
            kept = tuple(pair for pair in answer.headers if pair[0] != "Content-Type")
            return Answer(304, kept, b"")
    length = ("Content-Length", str(len(answer.body)))
    answer = answer.with_headers(length)
    return answer._replace(body=b"") if ask.method == "HEAD" else answer
