"""A wire between clients and a PostgreSQL server, to be held, to lose answers, and to be cut."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict


class Proxy:
    """Passes on what comes for the server of a URL, in threads of its own. Clients are given the
    URL ``dsn``."""

    def __init__(self, dsn: str) -> None:
        words = conninfo_to_dict(dsn)
        self._host, self._port = str(words["host"]), int(words.get("port") or 5432)
        self._flows = threading.Event()
        self._flows.set()
        self._there = self._answers = True
        self._ends: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        user = urlsplit(dsn).netloc.rpartition("@")[0]
        here = f"{user}@127.0.0.1:{self._door.getsockname()[1]}"
        self.dsn = urlsplit(dsn)._replace(netloc=here, query="").geturl()
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
        self.cut()
        self.release()
        for thread in self._threads:
            thread.join(5)
        for end in (self._door, *self._ends):
            end.close()

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
        """Connections end; new ones do so at once, until ``mend``."""
        self._there = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._there = self._answers = True

    def _begin(self, work: threading._Target, *ends: object) -> None:
        self._threads.append(threading.Thread(target=work, args=ends, daemon=True))
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
                self._ends += client, server
                self._begin(self._pass_on, client, server, False)
                self._begin(self._pass_on, server, client, True)

    def _reach(self) -> socket.socket | None:
        try:
            if not self._host.startswith("/"):
                return socket.create_connection((self._host, self._port))
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{self._host}/.s.PGSQL.{self._port}")
            return server
        except OSError:
            return None

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                if self._answers or not is_answer:
                    target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
