"""A way to a server that loses things: answers, or the whole connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Proxy:
    """Forwards connections to ``port`` on this machine. ``drop_answers``: the next so many messages
    of the server end the connection instead of reaching the client. ``keeps``: what the clients
    say is kept in ``commands``, each with its words."""

    def __init__(self, port: int, *, keeps: bool = False) -> None:
        self._to = port
        self._keeps = keeps
        self.commands: list[list[bytes]] = []
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
                try:
                    server = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    client.close()
                    continue
                self._open |= {client, server}
                said, kept = bytearray(), bytearray()
                for source, target, answers in ((client, server, False), (server, client, True)):
                    threading.Thread(
                        target=self._forward,
                        args=(source, target, answers, said, kept),
                        daemon=True,
                        name="proxy",
                    ).start()

    def _forward(
        self,
        source: socket.socket,
        target: socket.socket,
        answers: bool,
        said: bytearray,
        kept: bytearray,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not answers:
                    said += data
                    if self._keeps:
                        kept += data
                        self.commands += _commands(kept)
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


def _commands(said: bytearray) -> Iterator[list[bytes]]:
    """Those that have been sent as a whole; they are taken away."""
    with suppress(ValueError):  # the rest of the last one is on its way
        while said:
            number, at = _number(said, 0)
            words = []
            for _ in range(number):
                length, at = _number(said, at)
                words.append(bytes(said[at : at + length]))
                at += length + 2
            if at > len(said):
                break
            del said[:at]
            yield words


def _number(said: bytearray, at: int) -> tuple[int, int]:
    end = said.index(b"\r\n", at)
    return int(said[at + 1 : end]), end + 2


@contextmanager
def proxy(port: int, *, keeps: bool = False) -> Iterator[Proxy]:
    made = Proxy(port, keeps=keeps)
    try:
        yield made
    finally:
        made.close()
