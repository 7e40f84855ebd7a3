"""MessagePack, the part of it that the scripts write: lists, numbers, texts, truth values."""

from __future__ import annotations

from struct import Struct
from typing import Any

from hueycore.storage.redis.scripts import DEFAULTS

_NUMBERS = {
    tag: (found := Struct(code), found.size)
    for tag, code in {
        0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
        0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
    }.items()
}  # fmt: skip
_DOUBLE = _NUMBERS[0xCB][0].unpack_from


def unpack_row(data: bytes) -> list[Any]:
    """The columns of a row, with the defaults that it leaves out: ``rows.lua`` writes the first
    ones as a list, and behind them the places of others, and what stands there."""
    at = 1 if data[0] & 0xF0 == 0x90 else 3
    found: list[Any] = []
    add, end = found.append, len(data)
    while at < end:
        tag = data[at]
        if tag < 0x80:
            add(tag)
            at += 1
        elif tag == 0xC2:
            add(None)
            at += 1
        elif tag == 0xCB:
            add(_DOUBLE(data, at + 1)[0])
            at += 9
        elif 0xA0 <= tag < 0xC0:
            add(data[at + 1 : at + tag - 0x9F].decode("utf-8", "replace"))
            at += tag - 0x9F
        elif tag == 0xCD:
            add(data[at + 1] << 8 | data[at + 2])
            at += 3
        elif tag == 0xD9:
            begin, at = at + 2, at + 2 + data[at + 1]
            add(data[begin:at].decode("utf-8", "replace"))
        else:
            value, at = _value(data, at)
            add(_decoded(value))
    more = found.pop() if isinstance(found[-1], dict) else {}
    found += DEFAULTS[len(found) :]
    for place, value in more.items():
        found[place - 1] = _decoded(value)
    return found


def _decoded(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def unpack(data: bytes) -> Any:
    """Any value; texts are bytes."""
    return _value(data, 0)[0]


def _value(data: bytes, at: int) -> tuple[Any, int]:
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 256, at
    if tag in (0xC0, 0xC2, 0xC3):
        return (True if tag == 0xC3 else None), at
    if tag in _NUMBERS:
        kind, size = _NUMBERS[tag]
        return kind.unpack_from(data, at)[0], at + size
    if tag < 0x90:
        return _pairs(data, at, tag - 0x80)
    if tag < 0xA0:
        return _list(data, at, tag - 0x90)
    if tag < 0xC0:
        return data[at : at + tag - 0xA0], at + tag - 0xA0
    width = {0xD9: 1, 0xDA: 2, 0xDB: 4, 0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}[tag]
    size = int.from_bytes(data[at : at + width], "big")
    at += width
    if tag in (0xDC, 0xDD):
        return _list(data, at, size)
    if tag in (0xDE, 0xDF):
        return _pairs(data, at, size)
    return data[at : at + size], at + size


def _list(data: bytes, at: int, size: int) -> tuple[list[Any], int]:
    found = []
    for _ in range(size):
        value, at = _value(data, at)
        found.append(value)
    return found, at


def _pairs(data: bytes, at: int, size: int) -> tuple[dict[Any, Any], int]:
    found = {}
    for _ in range(size):
        name, at = _value(data, at)
        found[name], at = _value(data, at)
    return found, at
