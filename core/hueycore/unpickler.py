"""Which classes and functions a pickle names. Only imports them, and builds nothing of it."""

from __future__ import annotations

import io
import pickle
from typing import Any

#: The only globals that a pickle may name where no application vouches for it. Names, not modules:
#: an allow-list of a whole module would run ``builtins.eval``.
PLAIN = frozenset(
    {
        ("builtins", "set"),
        ("builtins", "frozenset"),
        ("builtins", "complex"),
        ("builtins", "bytearray"),
        ("datetime", "datetime"),
        ("datetime", "date"),
        ("datetime", "time"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("decimal", "Decimal"),
        ("uuid", "UUID"),
    }
)


def names_unknown(data: bytes) -> bool:
    """Whether one of them cannot be imported here: a class of another release, maybe."""
    return _finds(_Importer(io.BytesIO(data)))


def names_module(data: bytes, module: str) -> bool:
    """Whether one of them is of this module."""
    return module.encode() in data and _finds(_Seeker(io.BytesIO(data), module))


def _finds(unpickler: pickle.Unpickler) -> bool:
    try:
        unpickler.load()
    except _Found:
        return True
    except Exception:
        return False
    return False


class _Found(Exception):
    """Of a name that is looked for."""


class _Importer(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            raise _Found(f"{module}.{name}") from error
        return Nothing


class _Seeker(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, module: str) -> None:
        super().__init__(file)
        self._module = module

    def find_class(self, module: str, name: str) -> Any:
        if module == self._module:
            raise _Found(f"{module}.{name}")
        return Nothing


class Nothing:
    """Stands for every class and function, and takes what an unpickler does with one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Nothing:
        return self

    def _take(self, *args: Any) -> None: ...

    __setstate__ = __setitem__ = append = extend = add = _take
