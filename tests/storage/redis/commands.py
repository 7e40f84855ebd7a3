"""What clients have said to a server, in the words of its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from tests.proxy import Proxy


def commands(way: Proxy) -> list[list[bytes]]:
    """Those that have been sent as a whole, each with its words, client by client."""
    return [words for said in list(way.said) for words in _commands(bytes(said))]


def _commands(said: bytes) -> Iterator[list[bytes]]:
    at = 0
    with suppress(ValueError):  # the rest of the last one is on its way
        while at < len(said):
            number, at = _number(said, at)
            words = []
            for _ in range(number):
                length, at = _number(said, at)
                words.append(said[at : at + length])
                at += length + 2
            if at <= len(said):
                yield words


def _number(said: bytes, at: int) -> tuple[int, int]:
    end = said.index(b"\r\n", at)
    return int(said[at + 1 : end]), end + 2
