"""One connection: commands sent, answers read as the older protocol gives them, never decoded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, Protocol

from hueycore.storage.redis import errors
from hueycore.system import native

#: The first server that takes flags of a script.
FLAGS = (7, 0)

#: Bytes of a word from which on it is sent by itself.
LONG = 6000
#: What a command begins with that is packed as a whole.
_NOTHING = (0, b"")

Connection = Any
Word = bytes | str | int | float


class AnyScript(Protocol):
    """Lua, and the SHA1 by which the server may know it."""

    @property
    def text(self) -> str: ...
    @property
    def sha(self) -> str: ...


class Asking:
    """A connection to a node that is taking keys over: it is asked for them before they are its
    own, and each time has to be told so."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send_packed_command(self, packed: Any) -> None:
        self._connection.send_command("ASKING")
        self._connection.read_response()
        self._connection.send_packed_command(packed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def say(connection: Connection, *commands: Sequence[Word]) -> list[Any]:
    """Send commands in one message. Raises the first error among their answers."""
    pieces = [piece for command in commands for piece in _packed(_NOTHING, command)]
    connection.send_packed_command([b"".join(pieces)])
    if len(commands) == 1:
        return [read(connection)]
    found: list[Any] = []
    failed: Exception | None = None
    for _ in commands:
        try:
            found.append(read(connection))
        except Exception as error:
            if not errors.is_answer(error):
                raise
            failed = failed or error
    if failed is not None:
        raise failed
    return found


def at_once(connection: Connection, commands: Sequence[Sequence[Word]]) -> list[Any]:
    """Reads of one moment, in a transaction of the server's; a server without memory refuses to
    queue them, and is asked one by one."""
    try:
        *_, answers = say(connection, ("MULTI",), *commands, ("EXEC",))
    except Exception as error:
        if errors.code(error) != "OOM":
            raise
        return say(connection, *commands)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return list(answers)


def evaluate(
    connection: Connection,
    version: tuple[int, ...],
    script: AnyScript,
    keys: Sequence[str],
    args: Sequence[Word],
) -> Any:
    """Call a script by its name, and by its text where the server does not know it: it is new, was
    restarted, or is another one."""
    try:
        send(connection, version, script, keys, args)
        return read(connection)
    except Exception as error:
        if errors.code(error) != "NOSCRIPT":
            raise
    text, _ = _known(script, version)
    return say(connection, ("EVAL", text, len(keys), *keys, *args))[0]


def send(
    connection: Connection,
    version: tuple[int, ...],
    script: AnyScript,
    keys: Sequence[str],
    args: Sequence[Word],
) -> None:
    """Call a script by its name; ``read`` gives the answer."""
    _, sha = _known(script, version)
    connection.send_packed_command(_packed(_beginning(sha, tuple(keys)), args))


@contextmanager
def patient(connection: Connection, seconds: float) -> Iterator[None]:
    """Wait that long for an answer."""
    sock = connection._sock
    before = sock.gettimeout()
    sock.settimeout(seconds)
    try:
        yield
    finally:
        with suppress(OSError):  # it was closed meanwhile
            sock.settimeout(before)


def info(connection: Connection, section: str) -> dict[str, str]:
    text = say(connection, ("INFO", section))[0]
    # The newer protocol may mark it as a text.
    lines = text.decode("utf-8", "replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def is_stale(connection: Connection) -> bool:
    """Whether the server has closed a connection, or said something that nobody has read."""
    sock = connection._sock
    if sock is None:
        return False
    with native.DefaultSelector() as selector:
        selector.register(sock.fileno(), 1)
        return bool(selector.select(0))


@lru_cache(maxsize=1024)
def _beginning(sha: str, keys: tuple[str, ...]) -> tuple[int, bytes]:
    """What is the same in each call of a script: how many words, and these as they are sent."""
    words = [b"EVALSHA", sha.encode(), b"%d" % len(keys), *(key.encode() for key in keys)]
    return len(words), b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _packed(beginning: tuple[int, bytes], args: Sequence[Word]) -> list[bytes]:
    """A command as it is sent, in UTF-8 whatever the application's client would write. redis-py
    would pack the keys each time, which takes longer than all the rest of a call. What is long is
    not copied."""
    number, words = beginning
    pieces: list[bytes] = []
    piece = [b"*%d\r\n" % (number + len(args)), words]
    for arg in args:
        word = arg.encode() if isinstance(arg, str) else _plain(arg)
        piece.append(b"$%d\r\n" % len(word))
        if len(word) > LONG:
            pieces += b"".join(piece), word
            piece = [b"\r\n"]
        else:
            piece += word, b"\r\n"
    return [*pieces, b"".join(piece)]


def _plain(arg: bytes | float) -> bytes:
    return str(arg).encode() if isinstance(arg, int | float) else arg


def _known(script: AnyScript, version: tuple[int, ...]) -> tuple[str, str]:
    """The text of a script for such a server, and its name."""
    return (script.text, script.sha) if version >= FLAGS else _without_flags(script.text)


@lru_cache
def _without_flags(text: str) -> tuple[str, str]:
    text = text.partition("\n")[2] if text.startswith("#!") else text
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def read(connection: Connection) -> Any:
    """The answer to a command."""
    return _as_older(connection.read_response(disable_decoding=True))


def _as_older(answer: Any) -> Any:
    """An answer of the newer protocol, which a connection of the application's may speak."""
    if isinstance(answer, (bytes, int)) or answer is None:
        return int(answer) if isinstance(answer, bool) else answer
    if isinstance(answer, dict):
        return [_as_older(each) for pair in answer.items() for each in pair]
    if isinstance(answer, (list, set, tuple)):
        if all(_is_scored(each) for each in answer):
            answer = [part for pair in answer for part in pair]
        return [_as_older(each) for each in answer]
    if isinstance(answer, float):
        return f"{answer:.17g}".encode()
    return answer.encode() if isinstance(answer, str) else answer


def _is_scored(answer: Any) -> bool:
    """A member of a sorted set and its score, in a pair of their own. No script gives a float."""
    return isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], float)
