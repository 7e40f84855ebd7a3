"""Pickles that are made to hang, to kill or to fill: what looks at them is done soon."""

from __future__ import annotations

import datetime
import pickle
import struct
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from hueycore.serializer import JSON, PICKLE
from hueyctl.answers.payloads import decode_arguments, decode_value, jsonable
from hueyctl.answers.safe_pickle import SAFE_LIMIT

#: Seconds of a processor; the slowest takes a tenth of it on a slow machine.
SOON = 10.0


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    size = value.bit_length() // 8 + 1
    return b"\x8b" + struct.pack("<i", size) + value.to_bytes(size, "little")


def nested(times: int) -> bytes:
    """A tuple in a tuple in a tuple …"""
    return b")" + b"\x85" * times


def doubled(times: int) -> bytes:
    """A tuple that has one tuple twice, which has one twice …"""
    return b")" + b"2\x86" * times


def called(module: str, name: str, args: bytes) -> bytes:
    return f"c{module}\n{name}\n".encode() + args + b"R"


def decimal(value: str) -> bytes:
    return called("decimal", "Decimal", text(value) + b"\x85")


LONG = text("x" * 500_000)
HUGE = number(1 << 8_000_000)
ALIKE = b"".join(number(k * (2**61 - 1)) + b"N" for k in range(50_000))
BODIES: dict[str, bytes] = {
    "a deep tuple": nested(500_000),
    "a deep tuple as key": b"}" + nested(500_000) + b"Ns",
    "a deep tuple in a set": b"\x8f(" + nested(500_000) + b"\x90",
    "a deep tuple in a frozenset": b"(" + nested(500_000) + b"\x91",
    "a deep tuple in a call of set": called("builtins", "set", nested(500_000)),
    "a deep tuple as a name": nested(500_000) + b"2\x93",
    "a deep list": b"]" * 400_000 + b"a" * 399_999,
    "deep dictionaries": b"}" + b"N}" * 300_000 + b"s" * 300_000,
    "shared tuples": doubled(60),
    "shared tuples as key": b"}" + doubled(60) + b"Ns",
    "shared tuples in a set": b"\x8f(" + doubled(60) + b"\x90",
    "shared tuples in a frozenset": b"(" + doubled(60) + b"\x91",
    "shared tuples as a name": doubled(60) + b"2\x93",
    "shared lists": b"]" + b"".join(b"q\x00](h\x00h\x00e" for _ in range(60)),
    "a list in itself": b"]q\x00h\x00a",
    "a dictionary in itself": b"}q\x00Nh\x00s",
    "a UUID without state": b"cuuid\nUUID\n)\x81",
    "a UUID with a list as state": b"cuuid\nUUID\n)\x81]b",
    "a UUID of a tuple": b"cuuid\nUUID\n)\x81}" + text("int") + doubled(60) + b"sb",
    "a UUID of a large number": b"cuuid\nUUID\n)\x81}" + text("int") + HUGE + b"sb",
    "a class that is changed": b"cuuid\nUUID\n}" + text("__str__") + b"cbuiltins\ncomplex\nsb",
    "two states": b"cuuid\nUUID\n)\x81}b}b",
    "keys of one hash": b"}(" + ALIKE + b"u",
    "elements of one hash": b"\x8f(" + ALIKE.replace(b"N", b"") + b"\x90",
    "a number of many digits": HUGE,
    "a number of many digits as key": b"}" + HUGE + b"Ns",
    "one text very often": b"(" + LONG + b"q\x00" + b"h\x00" * 200_000 + b"l",
    "one text very often as key": b"(" + LONG + b"q\x00" + b"h\x00\x85h\x00" * 90_000 + b"d",
    "one number very often": b"(" + number(1 << 13_000) + b"q\x00" + b"h\x00" * 150_000 + b"l",
    "one list in many calls": b"(]q\x00("
    + b"N" * 200_000
    + b"e"
    + b"cbuiltins\nset\nh\x00\x85R" * 30_000
    + b"l",
    "text in many calls": b"(" + LONG + b"q\x00" + b"cdecimal\nDecimal\nh\x00\x85R" * 20_000 + b"l",
    "room for many memos": b"Nr\xff\xff\xff\x7f",
    "a large frame": b"\x95" + struct.pack("<Q", 2**40) + b"N",
    "a large bytearray": b"\x96" + struct.pack("<Q", 2**36),
    "large bytes": b"\x8e" + struct.pack("<Q", 2**36),
    "a decimal that is large": decimal("1e999999999"),
    "a decimal that is large as key": b"}" + decimal("1e999999999") + b"Ns",
    "a signalling decimal as key": b"}" + decimal("sNaN") + b"Ns",
    "a duration that is too long": called("datetime", "timedelta", number(10**300) + b"\x85"),
    "a set of a number": called("builtins", "set", b"K\x01\x85"),
    "a bytearray of True": called("builtins", "bytearray", b"\x88\x85"),
    "nothing under a mark": b"(0u",
    "more than there is": b"\x87",
}  # fmt: skip


def soon(look: Callable[[], Any]) -> Any:
    started = time.process_time()
    found = look()
    assert time.process_time() - started < SOON
    return found


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_hostile_pickle_is_looked_at_soon(body: bytes) -> None:
    value = bytes([PICKLE]) + b"\x80\x04" + body + b"."
    assert len(value) < SAFE_LIMIT
    known, _ = soon(lambda: decode_value(value))
    assert known in (True, False)
    arguments = bytes([PICKLE]) + b"\x80\x04" + body + b"\x85}\x86."
    soon(lambda: decode_arguments(arguments))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 150_000,
        b"[" + b"9" * 900_000 + b"]",
        b"[" + b"[]," * 300_000 + b"1]",
    ],
)
def test_hostile_json_is_looked_at_soon(body: bytes) -> None:
    assert soon(lambda: decode_value(bytes([JSON]) + body)) == (False, None)


def test_what_is_shared_is_shown_as_often_as_it_is_there() -> None:
    row = [1, "a"]
    assert decode_value(bytes([PICKLE]) + pickle.dumps([row, row, row])) == (True, [row] * 3)


def test_keys_of_every_plain_kind_are_shown() -> None:
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    name = uuid.UUID(int=7)
    value = {(1, "a"): 1, None: 2, 3: 3, True: 4, moment: 5, name: 6, b"x": 7, frozenset([1]): 8}

    known, shown = decode_value(bytes([PICKLE]) + pickle.dumps(value))

    assert known
    assert shown == jsonable(value)
    assert shown["(1, 'a')"] == 1 and shown[str(name)] == 6 and shown["frozenset({1})"] == 8
