"""Errors of redis-py and its kin in the library's words, told by the code that the server sends.

No class of a client is named here: a connection may be redis-py's or valkey-py's.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeVar

from hueycore.exceptions import (
    ConfigurationError,
    StorageBusy,
    StorageError,
    StorageFull,
    StorageReadOnly,
)
from hueycore.system.mask import masked

K = TypeVar("K", StorageError, ConfigurationError)


class Refused(StorageError):
    """A script of ours has refused: ``word`` says what."""

    def __init__(self, word: str, text: str) -> None:
        super().__init__(text)
        self.word = word


class Unanswered(StorageError):
    """The connection broke before the answer came: what was asked for may be done or not."""


class Trouble(NamedTuple):
    """What an error means. ``passes``: another try may succeed. ``lost``: the connection is gone,
    and what was sent on it may have been done. ``elsewhere``: another server has to be looked
    for. ``met``: a server was there, which is about to come or to go."""

    error: StorageError | ConfigurationError
    passes: bool = False
    lost: bool = False
    elsewhere: bool = False
    met: bool = False


_BUSY = {
    "LOADING": "the server is loading its data",
    "BUSY": "the server runs a script that takes too long",
    "TRYAGAIN": "the cluster is moving the queue to another node",
    "CLUSTERDOWN": "the cluster does not serve this part of its keys",
    "MASTERDOWN": "the replica has lost its master",
    "NOREPLICAS": "too few replicas are connected",
}
_FULL = {
    "OOM": "the server has no memory left (maxmemory)",
    "MISCONF": "the server takes no writes, for it cannot save them",
}
_RIGHTS = {
    "NOAUTH": "the user or the password is wrong, or was not given",
    "WRONGPASS": "the user or the password is wrong, or was not given",
    "NOPERM": "the server's ACL forbids it to this user",
}
#: Clients take the code away from the text of these.
_CODES = {
    "OutOfMemoryError": "OOM",
    "BusyLoadingError": "LOADING",
    "NoScriptError": "NOSCRIPT",
    "ReadOnlyError": "READONLY",
    "AuthenticationError": "WRONGPASS",
    "AuthenticationWrongNumberOfArgsError": "WRONGPASS",
    "NoPermissionError": "NOPERM",
    "MovedError": "MOVED",
    "AskError": "ASK",
    "TryAgainError": "TRYAGAIN",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "SlotNotCoveredError": "CLUSTERDOWN",
}
#: Before Redis 7, what a command in a script has answered.
_IN_SCRIPT = re.compile(r"Error running script .*: -([A-Z]+) ")
#: What OpenSSL says of a certificate.
_REFUSED = re.compile(r"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: (.*?)\.? \(_ssl")
#: What they say of a connection that there was.
_CUT = re.compile("Error while (?:reading|writing)|closed by server")
#: What they call a server that does not answer.
_GONE = ("ConnectionError", "TimeoutError", "RedisClusterException")
_HINTS = {
    "OOM": "purge jobs that are done, or raise maxmemory; its policy must be noeviction",
    "MISCONF": "see the server's log: its disk may be full",
}


def is_theirs(error: BaseException) -> bool:
    """Whether it comes from a client or its socket."""
    return isinstance(error, OSError) or any(
        kind.__module__.partition(".")[0] in ("redis", "valkey") for kind in type(error).__mro__
    )


def is_answer(error: BaseException) -> bool:
    """Whether the server has said it, so that its connection is in order."""
    return any(kind.__name__ == "ResponseError" for kind in type(error).__mro__)


def code(error: BaseException) -> str:
    """The word that the server's answer begins with; "" of an error that it did not send."""
    for kind in type(error).__mro__:
        if known := _CODES.get(kind.__name__):
            return known
    if inner := _IN_SCRIPT.search(str(error)):
        return inner[1]
    word = str(error).partition(" ")[0]
    return word if word.isupper() and word.isalpha() else ""


def trouble(error: Exception) -> Trouble:
    """What an error of a client means."""
    word, said = code(error), masked(_said(error))
    if word == "HUEY":
        _, name, text = f"{said}  ".split(" ", 2)
        return Trouble(Refused(name, text.strip()))
    if word in _BUSY:
        return Trouble(_made(StorageBusy, word, _BUSY[word], said), passes=True, met=True)
    if word in _FULL:
        return Trouble(_made(StorageFull, word, _FULL[word], said))
    if word in _RIGHTS:
        return Trouble(_made(ConfigurationError, word, _RIGHTS[word], said))
    if word == "READONLY":
        found = _made(StorageReadOnly, word, "the server is a replica", said)
        return Trouble(found, passes=True, elsewhere=True)
    if word in ("MOVED", "ASK"):
        return Trouble(_made(StorageBusy, word, "the queue is on another node", said), passes=True)
    if "max number of clients" in said:
        return Trouble(
            StorageBusy(f"Redis: the server has no connection left ({said})"), passes=True
        )
    if "unknown command" in said.lower():
        return Trouble(
            ConfigurationError(f"Redis: the server is too old, or not all of it ({said})")
        )
    if refused := _REFUSED.search(said):
        what = f"Redis: the server's certificate is refused: {refused[1]}"
        return Trouble(ConfigurationError(f"{what} (ssl_ca_certs= says whose are trusted)"))
    if _is_connection(error):
        found = StorageError(f"Redis: {said}")
        met = _CUT.search(said) is not None
        return Trouble(found, passes=True, lost=True, elsewhere=True, met=met)
    return Trouble(StorageError(f"Redis: {said}"))


def _is_connection(error: Exception) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, OSError) or not names.isdisjoint(_GONE)


def _made(kind: type[K], word: str, text: str, said: str) -> K:
    found = kind(f"Redis: {text} ({said})" if said else f"Redis: {text}")
    if isinstance(found, StorageError):
        found.hint = _HINTS.get(word)
    return found


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
