"""A way to a server, to be held, to lose answers, to be cut and to be listened to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

#: Where a server listens whose URL does not say.
PORTS = {"postgresql": 5432, "redis": 6379}


class Proxy:
    """Passes on what comes for the server of a URL, in threads of its own. Clients are given
    ``url``. With ``keeps`` what each of them says is kept in ``said``."""

    def __init__(self, url: str, *, keeps: bool = False) -> None:
        parts = urlsplit(url)
        words = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self._host = words.get("host") or parts.hostname or ""
        self._server_port = int(words.get("port") or parts.port or PORTS[parts.scheme])
        self._keeps = keeps
        self.said: list[bytearray] = []
        #: So many messages of the server end the connection instead of reaching the client; only
        #: where the client has sent ``after`` since the last one that did.
        self.drop_answers = 0
        self.after = b""
        self.dropped = 0
        self._flows = threading.Event()
        self._flows.set()
        self._there = self._answers = True
        self._ends: set[socket.socket] = set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        user, at, _ = parts.netloc.rpartition("@")
        self.url = parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}", query="").geturl()
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self.refuse()
        self.release()
        for thread in self._threads:
            thread.join(5)
        self._door.close()

    @property
    def connections(self) -> int:
        """How many have been made."""
        return len(self.said)

    def hold(self) -> None:
        """Nothing comes through, and nobody is told: connections stay open."""
        self._flows.clear()

    def release(self) -> None:
        """What was held comes through."""
        self._flows.set()

    def lose_answers(self) -> None:
        """What the server says is thrown away, until ``mend``."""
        self._answers = False

    def cut(self) -> None:
        """Connections end; new ones come through."""
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def refuse(self) -> None:
        """Connections end, and new ones do so at once, until ``mend``."""
        self._there = False
        self.cut()

    def mend(self) -> None:
        self._there = self._answers = True

    def _begin(self, work: threading._Target, *about: object) -> None:
        self._threads.append(threading.Thread(target=work, args=about, daemon=True, name="proxy"))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = self._reach() if self._there else None
                if server is None:
                    client.close()
                    continue
                for end in (client, server):
                    # As libpq does: else small messages wait for each other's receipt.
                    if end.family != socket.AF_UNIX:
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._begin(self._serve, client, server)

    def _reach(self) -> socket.socket | None:
        try:
            if not self._host.startswith("/"):
                return socket.create_connection((self._host, self._server_port))
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self._server_port}")
            return server
        except OSError:
            return None

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        """One connection, to its end."""
        unanswered, kept = bytearray(), bytearray()
        self.said.append(kept)
        with client, server:
            self._ends |= {client, server}
            there = threading.Thread(
                target=self._ask, args=(client, server, unanswered, kept), daemon=True, name="proxy"
            )
            there.start()
            self._answer(server, client, unanswered)
            there.join()
            self._ends -= {client, server}

    def _ask(
        self,
        client: socket.socket,
        server: socket.socket,
        unanswered: bytearray,
        kept: bytearray,
    ) -> None:
        with suppress(OSError):
            while data := client.recv(65_536):
                self._flows.wait()
                unanswered += data
                if self._keeps:
                    kept += data
                server.sendall(data)
        _end(client, server)

    def _answer(self, server: socket.socket, client: socket.socket, unanswered: bytearray) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                self._flows.wait()
                if self.drop_answers and self.after in unanswered:
                    self.drop_answers -= 1
                    self.dropped += 1
                    break
                unanswered.clear()
                if self._answers:
                    client.sendall(data)
        _end(client, server)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
