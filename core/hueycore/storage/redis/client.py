"""What the engine says to a server, and how often: scripts, single commands, reads of one moment.

What the server has certainly not done is tried again for ``timeout`` seconds: there was no
connection, or it was loading, moving, a replica. What may be done already is sent again only where
the caller says that it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import CLOCK_REALTIME, clock_gettime
from typing import Any, NamedTuple, TypeVar

from hueycore.exceptions import ConfigurationError, StorageError
from hueycore.storage.redis import connections, errors
from hueycore.storage.redis.connections import Connection, Nodes, Pool
from hueycore.storage.redis.wire import (
    AnyScript,
    Asking,
    Word,
    at_once,
    evaluate,
    info,
    is_stale,
    patient,
    say,
)
from hueycore.storage.redis_address import LOCAL, shown
from hueycore.system import clock, native
from hueycore.system.shield import shielded

#: Seconds that a server which is away, or busy, is tried.
DEADLINE = 5.0
#: Seconds between two tries: at first, and at last.
PAUSE, LONGEST_PAUSE = 0.01, 0.25
#: Seconds from one look at the server's clock, and at its settings, to the next.
LOOK = 60.0
#: Seconds of difference between two clocks that are none: they stem from the way of the answer.
EXACT = 0.05
#: Seconds in which a disk or a replica should have what is to be durable.
SAFE = 2.0
#: Seconds in which the server should have copied a queue.
COPY = 300.0
#: How often one try follows a queue from node to node.
REDIRECTIONS = 5

T = TypeVar("T")
Action = Callable[[Connection], T]


class Server(NamedTuple):
    """Who answers: ``run_id`` is another one after each start."""

    version: tuple[int, ...]
    run_id: str


class Client:
    """``url``: redis://, rediss:// or unix://. ``client``: a ``redis.Redis``, a ``RedisCluster``, a
    pool, or those of valkey-py, used as it is. ``replicas``: how many of them must have what is to
    be durable; ``durability``: ``full`` waits until it is on the server's disk. ``options`` are
    redis-py's, of a connection.

    It connects at its first use. A child process has connections of its own."""

    def __init__(
        self,
        url: str = "",
        *,
        client: Any = None,
        timeout: float = DEADLINE,
        replicas: int = 0,
        durability: str | None = None,
        **options: Any,
    ) -> None:
        url = url or LOCAL
        self.nodes: Nodes = connections.nodes(url, client, options)
        self.url = shown(url, client)
        self.timeout = timeout
        self.closed = False
        self._replicas, self._synced = replicas, durability == "full"
        self._server: Server | None = None
        #: It has been met once: that it is away may be a restart.
        self._was_there = False
        self._distance, self._looked = 0.0, -LOOK
        self._checked = -LOOK
        #: A socket, and the ``run_id`` of the server at its other end.
        self._met: tuple[Any, str] | None = None

    @property
    def version(self) -> tuple[int, ...]:
        """Of the server that answered last."""
        return self.server().version

    def server(self) -> Server:
        """Who answers now."""
        if self._server is None:
            self._server = self._tried(describe, "", again=True)
        return self._server

    def now(self) -> float:
        """By the server's clock, which all hosts share."""
        if clock.monotonic() - self._looked > LOOK:
            self._look_at_clock()
        return clock.now() + self._distance

    def run(
        self,
        script: AnyScript,
        keys: Sequence[str],
        args: Sequence[Word],
        *,
        again: bool = True,
        durable: bool = False,
    ) -> Any:
        """Call a script. ``again``: it may be called once more when its answer was lost.
        ``durable``: wait until it is where this client wants it, on disk, on replicas. Raises
        ``StorageError`` when it is not there in time; it is stored, then."""
        version = self.version
        waits = durable and (self._synced or self._replicas > 0)

        def action(connection: Connection) -> Any:
            found = evaluate(connection, version, script, keys, args)
            if waits:
                self._wait_until_safe(connection)
            return found

        return self._tried(action, keys[0], again=again)

    def call(self, *command: Word, again: bool = True) -> Any:
        """One command; its answer has the older protocol's shape, and is never decoded."""
        return self._tried(
            lambda connection: say(connection, command)[0], _key(command), again=again
        )

    def copy(self, pairs: Sequence[tuple[str, str]], ttl: int) -> int:
        """Copy keys of one queue at one moment, for so many seconds; how many there were. It stops
        the server for as long as it takes, so it is waited for, and sent once."""
        copies = [("COPY", key, to, "REPLACE") for key, to in pairs]
        ends = [("EXPIRE", to, ttl) for _, to in pairs]

        def action(connection: Connection) -> int:
            with patient(connection, COPY):
                return sum(at_once(connection, [*copies, *ends])[len(copies) :])

        return self._tried(action, pairs[0][0], again=False)

    def ask(self, *commands: Sequence[Word]) -> list[Any]:
        """Reads of one moment, of keys of one queue."""
        if not commands:
            return []
        if len(commands) == 1:
            return [self.call(*commands[0])]
        key = _key(commands[0])
        return self._tried(lambda connection: at_once(connection, commands), key, again=True)

    def connections(self, numbers: Iterable[int], key: str) -> tuple[str, set[int]]:
        """The ``run_id`` of the server that has a key, and which of these connections to it stand.
        All of them, where this user may not ask."""
        asked = sorted(set(numbers))

        def look(connection: Connection) -> tuple[str, set[int]]:
            # As long as the socket is the same, so is the server.
            if self._met is None or self._met[0] is not connection._sock:
                self._met = connection._sock, describe(connection).run_id
            run_id = self._met[1]
            try:
                text = say(connection, ("CLIENT", "LIST", "ID", *asked))[0] if asked else b""
            except Exception as error:
                if errors.code(error) != "NOPERM":
                    raise
                return run_id, set(asked)
            return run_id, {int(line.split()[0][3:]) for line in text.splitlines() if line}

        return self._tried(look, key, again=True)

    def info(self, section: str, key: str = "") -> dict[str, str]:
        """A section of what the server tells of itself."""
        return self._tried(lambda connection: info(connection, section), key, again=True)

    def check_policy(self) -> None:
        """Raise ``ConfigurationError`` where the server may throw away what nobody gave up: it
        would be the whole queue. Asked once a minute at most."""
        if clock.monotonic() - self._checked < LOOK:
            return
        memory = self.info("memory")
        policy = memory.get("maxmemory_policy", "")
        if policy.startswith("allkeys") and memory.get("maxmemory", "0") != "0":
            raise ConfigurationError(
                f"the server's maxmemory-policy is {policy}: when its memory is full it would"
                " delete the queue; set maxmemory-policy noeviction"
            )
        self._checked = clock.monotonic()

    def look_again(self) -> None:
        """The server has gone, or another one has its keys now."""
        self._server = None
        try:
            self.nodes.look_again()
        except Exception as error:
            if not errors.is_theirs(error):
                raise

    def close(self) -> None:
        self.closed = True
        self.nodes.close()

    # --- inside -----------------------------------------------------------------------------------

    def _tried(self, action: Action[T], key: str, *, again: bool) -> T:
        return shielded(self._try, action, key, again)

    def _try(self, action: Action[T], key: str, again: bool) -> T:
        end, pause = clock.monotonic() + self.timeout, PAUSE
        while True:
            if self.closed:
                raise StorageError("the storage is closed")
            attempt = _Attempt(self, key, careful=not again)
            try:
                found = attempt.make(action)
            except Exception as error:
                if not errors.is_theirs(error):
                    raise
                trouble = errors.trouble(error)
                if trouble.elsewhere:
                    self.look_again()
                if trouble.lost and attempt.sent and not again:
                    raise errors.Unanswered(f"{trouble.error}; it may be done or not") from error
                self._was_there = self._was_there or trouble.met
                late = not self._was_there or clock.monotonic() + pause > end
                if late or not trouble.passes:
                    raise trouble.error from error
            else:
                self._was_there = True
                return found
            # Its caller may hold a native lock: no greenlet runs meanwhile.
            native.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _wait_until_safe(self, connection: Connection) -> None:
        milliseconds = int(SAFE * 1000)
        if self._synced:
            words: Sequence[Word] = ("WAITAOF", 1, self._replicas, milliseconds)
            disks, copies = say(connection, words)[0]
        else:
            disks, copies = 1, say(connection, ("WAIT", self._replicas, milliseconds))[0]
        if disks < 1 or copies < self._replicas:
            where = f"on {copies} of {self._replicas} replicas" if disks else "not on the disk"
            raise StorageError(f"Redis: it is stored, not replicated or synced in time: {where}")

    def _look_at_clock(self) -> None:
        def look(connection: Connection) -> tuple[float, float]:
            before = clock_gettime(CLOCK_REALTIME)
            seconds, micros = say(connection, ("TIME",))[0]
            after = clock_gettime(CLOCK_REALTIME)
            ahead = int(seconds) + int(micros) / 1e6 - (before + after) / 2
            return ahead, (after - before) / 2

        ahead, inexact = self._tried(look, "", again=True)
        self._distance = ahead if abs(ahead) > max(EXACT, inexact) else 0.0
        self._looked = clock.monotonic()


class _Attempt:
    """One try, on the node that has the queue."""

    def __init__(self, client: Client, key: str, *, careful: bool) -> None:
        self._client, self._key, self._careful = client, key, careful
        #: Something has left for the server.
        self.sent = False

    def make(self, action: Action[T]) -> T:
        pool, asks = self._client.nodes.pool(self._key), False
        for left in reversed(range(REDIRECTIONS)):
            try:
                return self._on(pool, action, asks)
            except Exception as error:
                word = errors.code(error)
                if word not in ("MOVED", "ASK") or not left:
                    raise
                host, _, port = str(error).rpartition(" ")[2].rpartition(":")
                asks = word == "ASK"
                if not asks:
                    self._client.look_again()
                pool = self._client.nodes.node(host, int(port))
        raise AssertionError

    def _on(self, pool: Pool, action: Action[T], asks: bool) -> T:
        connection = pool.take()
        try:
            if self._careful and is_stale(connection):
                connection.disconnect()
            connection.connect()
            self.sent = True
            found = action(Asking(connection) if asks else connection)
        except BaseException as error:
            if not errors.is_answer(error):
                connection.disconnect()
            pool.give(connection)
            raise
        pool.give(connection)
        return found


def _key(command: Sequence[Word]) -> str:
    """One that a command is about: it says to which node of a cluster it goes."""
    tagged = next((word for word in command if isinstance(word, str) and "{" in word), None)
    return tagged or (str(command[1]) if len(command) > 1 else "")


def describe(connection: Connection) -> Server:
    """Who answers on a connection."""
    about = info(connection, "server")
    version = about.get("redis_version", "0").split(".")
    return Server(tuple(int(part) for part in version if part.isdigit()), about.get("run_id", ""))
