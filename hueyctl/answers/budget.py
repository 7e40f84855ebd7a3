"""How much of a value is looked at: a small payload can describe an endless or exponential one."""

from __future__ import annotations

#: Payloads that are decoded without their application, bytes; of compressed ones what they unpack
#: to as well.
SAFE_LIMIT = 1024 * 1024
#: The same of a single one that somebody asks for.
WHOLE_LIMIT = 64 * SAFE_LIMIT
#: Parts of one value, and how deep they lie in one another.
NODES = 200_000
DEPTH = 60
#: Characters, bytes and digits of one value: its parts may all be the same long text.
TEXT = 4 * 1024 * 1024
#: Python refuses to write an integer of more than 4,300 digits.
BITS = 14_000


class TooLarge(Exception):
    """The value has too many parts, or refers to itself."""


class Budget:
    """What is left for the value that is being looked at. Raises ``TooLarge``."""

    def __init__(self, text: float) -> None:
        self._nodes, self._text = NODES, text

    def enter(self, depth: int) -> None:
        """One more part."""
        self._nodes -= 1
        if self._nodes < 0 or depth > DEPTH:
            raise TooLarge

    def spend(self, value: object) -> None:
        """What a scalar takes when it is written."""
        if isinstance(value, (str, bytes, bytearray)):
            self._text -= len(value)
        elif isinstance(value, int):
            bits = value.bit_length()
            if bits > BITS:
                raise TooLarge
            self._text -= bits // 3
        if self._text < 0:
            raise TooLarge
