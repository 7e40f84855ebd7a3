"""Passwords in URLs, which are for nobody who reads a message."""

from __future__ import annotations

import re

#: ``//ann:secret@``, also after a slash too many or too few. The last @ of the word: a password may
#: have one that nobody encoded, and a quote that does not end the text around it.
_USER = re.compile(r"(:/{1,3}[^\s:/?#@\"']*):(?:[^\s\"']|[\"'](?![\s,:;)\]}]|$))*@")
#: ``?password=secret``, and what else it is called.
_QUERY = re.compile(
    r"([?&;][\w.-]*(?:passw(?:or)?d|pwd|secret|token|api_?key)=)[^\s&;#\"']+", re.IGNORECASE
)
#: ``password=secret`` or ``password='a secret'`` among the words that libpq takes.
_WORD = re.compile(r"(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)


def masked(text: str) -> str:
    """A text without the passwords of the URLs in it."""
    if ":/" in text:
        text = _USER.sub(r"\1:***@", text)
    return _QUERY.sub(r"\1***", text) if "=" in text else text


def masked_dsn(dsn: str) -> str:
    """What libpq takes, a URL or ``key=value`` words, without its passwords."""
    return masked(dsn) if "://" in dsn else _WORD.sub(r"\1***", dsn)
