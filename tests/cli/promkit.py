"""Reading what Prometheus reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

_LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"')
_LINE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
_UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def parsed(text: str) -> Samples:
    """The samples of a text; AssertionError where it is not in the format."""
    kinds: dict[str, str] = {}
    found: Samples = {}
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in kinds
            kinds[name] = kind
        if line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        assert match, line
        name, inside, value = match.groups()
        labels = _LABEL.findall(inside or "")
        assert ",".join(f'{key}="{text}"' for key, text in labels) == (inside or "")
        plain = [(k, re.sub(r"\\.", lambda m: _UNESCAPED[m[0]], v)) for k, v in labels]
        key = (name, frozenset(plain))
        assert key not in found
        found[key] = float(value)
        family = name if name in kinds else re.sub("_(bucket|sum|count)$", "", name)
        assert family in kinds, line
    return found


def readable(classic: str, opened: str) -> None:
    """AssertionError or ValueError unless Prometheus' own parsers read all of both texts, and the
    same in each."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_opened
    from prometheus_client.parser import text_string_to_metric_families as read_classic

    def read(families: Iterable[Any]) -> dict[str, Any]:
        found = {family.name: family for family in families}
        assert all(family.type != "unknown" for family in found.values())
        return found

    first, second = read(read_classic(classic)), read(read_opened(opened))
    assert {name: family.type for name, family in first.items()} == {
        name: family.type for name, family in second.items()
    }
    for text, families in ((classic, first), (opened, second)):
        names = {sample.name for family in families.values() for sample in family.samples}
        assert names == {name for name, _ in _samples_of(text)}
        number = sum(len(family.samples) for family in families.values())
        assert number == len(list(_samples_of(text)))
    assert set(first) == set(map(_family, _headings(classic)))


def _family(heading: str) -> str:
    return heading.removesuffix("_total")


def _headings(text: str) -> list[str]:
    return [line.split(" ")[2] for line in text.split("\n") if line.startswith("# TYPE ")]


def _samples_of(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            yield re.split("[{ ]", line)[0], line
