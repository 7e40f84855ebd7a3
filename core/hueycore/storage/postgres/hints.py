"""What to do about an error of the server, or of the way to it.

An error of connecting has no code: libpq tells it in the words of the server, which are English
unless it was set to another language. Then there is no hint, and the words are shown as they are.
"""

from __future__ import annotations

import re

STANDBY = "name every server in the URL, with target_session_attrs=read-write"

#: By code.
_OF_CODES = {
    "55P03": "try again; hueyctl doctor names a transaction that stays open",
    "57014": "statement_timeout is too short for this, or the server has too much to do",
    "25P03": "try again",
    "53300": "raise max_connections, or use fewer processes; producers may use a pooler",
    "53100": "free some space on the server; nothing was changed",
    "25006": STANDBY,
    "42501": "let the owner of the tables grant the right, or create them: hueyctl help postgresql",
    "28P01": "set PGPASSWORD, or write it into ~/.pgpass or a service file",
    "3D000": "check the database in the URL, or createdb it",
    "42P01": "run the command again",
    "XX001": "keep a copy before repairs",
    "XX002": "reindex the tables huey_…",
}
#: The server is there, and will let us in.
_COMING = r"database system is (starting up|shutting down|in recovery mode|not yet accepting)"
#: By what libpq says of a connection that could not be made.
_OF_WORDS = (
    (
        r"password authentication failed|no password supplied",
        "set PGPASSWORD, or write it into ~/.pgpass or a service file",
    ),
    (r"resolve host|translate host name", "check the host in the URL"),
    (
        r"Connection refused|No such file or directory|timeout expired|timed out|Network is",
        "is the server running, and is it reached from here?",
    ),
    (r'database ".*" does not exist', "check the database in the URL, or createdb it"),
    (r'role ".*" does not exist', "check the user in the URL, or createuser it"),
    (r"no pg_hba\.conf entry", "the server's pg_hba.conf must let this user in from here"),
    (r"too many clients|remaining connection slots", _OF_CODES["53300"]),
    (r"definition of service", "service files are ~/.pg_service.conf and $PGSERVICEFILE"),
    (r"session is (not )?read-only|server is in hot standby", STANDBY),
    (_COMING, "try again"),
    (r"URI query parameter|connection option", "?name= and ?schema= are ours, the rest is libpq's"),
)


def hint(code: str | None, text: str) -> str:
    """What to do; "" where nobody knows."""
    if code:
        return _OF_CODES.get(code, "")
    return next((what for words, what in _OF_WORDS if re.search(words, text)), "")


def is_coming(text: str) -> bool:
    """Whether a server that lets nobody in says that it will."""
    return re.search(_COMING, text) is not None


def in_one_line(text: str) -> str:
    """What psycopg and libpq say, without what they say twice. Of several servers the answer of
    each."""
    lines = [line.strip() for line in text.splitlines()]
    if "Multiple connection attempts failed. All failures were:" in lines:
        lines = [line.partition(": connection failed: ")[2] for line in lines if line[:1] == "-"]
    else:
        lines = lines[:1]
    return "; ".join(dict.fromkeys(map(_plain, filter(None, lines))))


def _plain(line: str) -> str:
    for lead in ("connection failed: ", "connection is bad: "):
        line = line.removeprefix(lead)
    return line.replace("FATAL:  ", "")
