"""Values out of the parts of a pickle, within a budget: what is shared counts each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from importlib import import_module
from typing import Any

from hueycore.exceptions import SerializationError
from hueyctl.answers.budget import Budget, TooLarge
from hueyctl.answers.pickle_reader import Call, Elements, FrozenElements, Pairs

#: Keys of one hash that a dictionary or a set may have: each is compared with all others.
_ALIKE = 100


def build(part: Any, text: int) -> Any:
    """The value, with at most so many characters of ``text``. Raises ``TooLarge``, and any other
    exception for what is no value."""
    return _Builder(text).build(part, 0)


class _Builder:
    def __init__(self, text: int) -> None:
        self._budget = Budget(text)

    def build(self, part: Any, depth: int) -> Any:
        self._budget.enter(depth)
        kind = type(part)
        if kind is Call:
            return self._called(part, depth)
        if kind is list or kind is tuple:
            return kind(self._all(part, depth))
        if kind is Pairs:
            return self._dictionary(part, depth)
        if kind is Elements or kind is FrozenElements:
            return self._set(set if kind is Elements else frozenset, part, depth)
        self._budget.spend(part)
        return part

    def _all(self, parts: Collection[Any], depth: int) -> list[Any]:
        return [self.build(part, depth + 1) for part in parts]

    def _dictionary(self, parts: Pairs, depth: int) -> dict[Any, Any]:
        keys, values = self._all(parts[::2], depth), self._all(parts[1::2], depth)
        _refuse_alike(keys)
        return dict(zip(keys, values, strict=True))

    def _set(self, kind: Callable[[list[Any]], Any], parts: Collection[Any], depth: int) -> Any:
        found = self._all(parts, depth)
        _refuse_alike(found)
        return kind(found)

    def _called(self, call: Call, depth: int) -> Any:
        module, name = call.name
        if call.name == ("uuid", "UUID") and not call.args:
            return self._uuid(call.state, depth)
        if call.state is not None:
            raise SerializationError(f"a {name} has no state")
        if name in ("set", "frozenset"):
            (parts,) = call.args or ((),)
            if not isinstance(parts, (list, tuple)) or isinstance(parts, Pairs):
                raise SerializationError(f"a {name} of that is not decoded")
            return self._set(set if name == "set" else frozenset, parts, depth)
        args = self._all(call.args, depth)
        if name == "bytearray" and args and isinstance(args[0], int):
            raise SerializationError("a bytearray of a number would take that many bytes")
        return getattr(import_module(module), name)(*args)

    def _uuid(self, state: Any, depth: int) -> Any:
        from uuid import UUID

        return UUID(int=self.build(state, depth + 1)["int"])


def _refuse_alike(keys: list[Any]) -> None:
    if len(keys) > _ALIKE and max(Counter(map(hash, keys)).values()) > _ALIKE:
        raise TooLarge
