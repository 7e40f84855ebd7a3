"""Whether a pickle names what this process cannot import: a class of another release, maybe."""

from __future__ import annotations

import io
import pickle
from typing import Any


def names_unknown(data: bytes) -> bool:
    """Only imports what the pickle names, and builds nothing of it."""
    try:
        _Importer(io.BytesIO(data)).load()
    except _Unknown:
        return True
    except Exception:
        return False
    return False


class _Unknown(Exception):
    """Of a name that cannot be imported."""


class _Importer(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            super().find_class(module, name)
        except (ImportError, AttributeError) as error:
            raise _Unknown(f"{module}.{name}") from error
        return _Nothing


class _Nothing:
    """Stands for every class and function, and takes what an unpickler does with one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __call__(self, *args: Any, **kwargs: Any) -> _Nothing:
        return self

    def _take(self, *args: Any) -> None: ...

    __setstate__ = __setitem__ = append = extend = add = _take
