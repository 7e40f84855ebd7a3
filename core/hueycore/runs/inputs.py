"""What a stage is called with: the results of its parents, or the exception that it handles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hueycore.canvas import SKIPPED, Error
from hueycore.exceptions import SerializationError, TaskException
from hueycore.model.plan import Input
from hueycore.model.states import State
from hueycore.serializer import Serializer
from hueycore.tasks.canvas import extended

T = TypeVar("T")

#: The key under which the cause of a handler's call has the exception itself.
EXCEPTION = "exception"


def call_of(
    payload: bytes | None,
    needs: int,
    serializer: Serializer,
    read: Callable[[T], Sequence[Input]],
    job: T,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a job: what was enqueued, and what the stages before it gave, which is
    ``read`` of the ``job`` if it ``needs`` any. Raises ``SerializationError``."""
    if payload is None:
        raise SerializationError("the payload is missing")
    args, kwargs = serializer.deserialize(payload)
    if not needs:
        return tuple(args), kwargs
    inputs = read(job)
    if len(inputs) < needs:
        missing = needs - len(inputs)
        raise SerializationError(f"{missing} of {needs} results that it needs are not there")
    return extended(tuple(args), kwargs, given_by(inputs, serializer))


def given_by(inputs: Sequence[Input], serializer: Serializer) -> Any:
    """The value of the only parent, a list of all of them (in a tuple, which is spread: one
    argument), or an exception. Raises what the serializer raises."""
    first = inputs[0]
    if first.slot is not None:
        return ([_element(one, serializer) for one in inputs],)
    if first.state is State.DONE:
        return _value(first, serializer)
    metadata = _metadata(first, serializer)
    return metadata.pop(EXCEPTION, None) or TaskException(metadata)


def _element(one: Input, serializer: Serializer) -> Any:
    if one.state is State.DONE:
        return _value(one, serializer)
    return Error(_metadata(one, serializer)) if one.state is State.DEAD else SKIPPED


def _value(one: Input, serializer: Serializer) -> Any:
    return None if one.result is None else serializer.deserialize(one.result)


def _metadata(one: Input, serializer: Serializer) -> dict[str, Any]:
    stored = _value(one, serializer)
    if isinstance(stored, dict):
        return stored
    last = one.error or {"type": "TaskException", "message": "failed"}
    return {
        "error": f"{last['type']}({last['message']!r})",
        "retries": 0,
        "traceback": last.get("traceback", ""),
        "task_id": one.id,
    }
