"""A way to a server that loses things: answers, or the whole connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Forwards connections to ``port`` on this machine. ``drop_answers``: the next so many messages
    of the server end the connection instead of reaching the client."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.drop_answers = 0
        #: What is dropped only where a client has sent this.
        self.after = b""
        self.dropped = 0
        self.connections = 0
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """All connections break."""
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                server = socket.create_connection(("127.0.0.1", self._to))
                self._open |= {client, server}
                said = bytearray()
                for source, target, answers in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._forward,
                        args=(source, target, answers, said),
                        daemon=True,
                        name="proxy",
                    ).start()

    def _forward(
        self, source: socket.socket, target: socket.socket, answers: bool, said: bytearray
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not answers:
                    said += data
                elif self.drop_answers and self.after in said:
                    self.drop_answers -= 1
                    self.dropped += 1
                    break
                else:
                    said.clear()
                target.sendall(data)
        self._open -= {source, target}
        for sock in (source, target):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        source.close()


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()
