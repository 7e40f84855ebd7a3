"""The parameters of a task's function, and whether a call of it fits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from types import FunctionType
from typing import Any
from warnings import warn_explicit

from hueycore.exceptions import ConfigurationError

_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

#: The keyword that Sentry's integration adds to a call, and takes out before the run.
CARRIED = "sentry_headers"


class Parameters:
    """What a function takes. The function itself is asked, not one that it wraps: what a decorator
    takes as ``**kwargs`` need not be for the function inside.

    :param context: whether its run passes the job as ``task=``.

    Raises ``ConfigurationError`` when it has no place for that."""

    def __init__(self, func: Callable[..., Any], context: bool) -> None:
        self._signature = _signature(func)
        self._extra = {"task": None} if context else {}
        #: The calls that fit: how many arguments, and which keywords. Nothing else of a call says
        #: whether it fits.
        self._fitting: set[Any] = set()
        if self._signature is not None and context and not _takes(self._signature, "task"):
            name = getattr(func, "__qualname__", repr(func))
            raise ConfigurationError(
                f"{name}{self._signature}: context=True passes the job as task=, "
                "and there is no such parameter"
            )

    def check(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raises TypeError when the function of task ``name`` cannot be called like this."""
        if CARRIED in kwargs:
            kwargs = own(kwargs)
        shape = (len(args), *kwargs) if kwargs else len(args)
        if shape not in self._fitting and self._signature is not None:
            self._bind(self._signature, name, args, kwargs)
            if len(self._fitting) < 1000:  # of **kwargs there may be any number
                self._fitting.add(shape)

    def _bind(
        self,
        signature: inspect.Signature,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        try:
            signature.bind(*args, **{**kwargs, **self._extra})
        except TypeError as error:
            shown = [each for each in signature.parameters.values() if each.name not in self._extra]
            raise TypeError(f"{name}{signature.replace(parameters=shown)}: {error}") from None


def own(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords that are the function's."""
    return {name: value for name, value in kwargs.items() if name != CARRIED}


def warn_of_taken(name: str, func: Callable[..., Any], taken: Collection[str]) -> None:
    """Warn, at the place of the function, of its parameters that a call of task ``name`` cannot
    give by keyword, because the job takes those keywords."""
    signature = _signature(func)
    if signature is not None and _is_open(signature):
        signature = inspect.signature(func)  # of the function inside, for which they may be
    parameters = () if signature is None else signature.parameters.values()
    lost = [f"{each.name}=" for each in parameters if each.name in taken and _by_keyword(each)]
    if not lost:
        return
    code = getattr(inspect.unwrap(func), "__code__", None)
    warn_explicit(
        f"task {name}: a call takes {', '.join(lost)} as options of the job, and the function does "
        "not get them. Rename such parameters; by position, and in schedule(kwargs={…}), they are "
        "the function's",
        UserWarning,
        getattr(code, "co_filename", name),
        getattr(code, "co_firstlineno", 0),
        func.__module__,
    )


def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    """The function's own; None when it is not known."""
    if isinstance(func, FunctionType) and "__signature__" in vars(func):
        # What functools.wraps copies is that of the function inside.
        bare = FunctionType(
            func.__code__, func.__globals__, func.__name__, func.__defaults__, func.__closure__
        )
        bare.__kwdefaults__ = func.__kwdefaults__
        func = bare
    try:
        return inspect.signature(func, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


def _is_open(signature: inspect.Signature) -> bool:
    kinds = [each.kind for each in signature.parameters.values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


def _takes(signature: inspect.Signature, keyword: str) -> bool:
    found = signature.parameters.get(keyword)
    return _is_open(signature) or (found is not None and _by_keyword(found))


def _by_keyword(parameter: inspect.Parameter) -> bool:
    return parameter.kind in _BY_KEYWORD
