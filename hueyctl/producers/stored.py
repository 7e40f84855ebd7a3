"""The call that a job has stored, to be made once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hueycore.exceptions import SerializationError
from hueycore.runs.inputs import call_of
from hueycore.serializer import Serializer
from hueyctl.answers.safe_pickle import safe_decode
from hueyctl.producers.arguments import Call

if TYPE_CHECKING:
    from hueycore.model.jobs import Job
    from hueycore.storage.base import Storage


class PlainSerializer(Serializer):
    """Reads what may be read without the application that wrote it; nothing in it runs."""

    def deserialize(self, data: bytes) -> Any:
        known, value = safe_decode(data)
        if not known:
            raise SerializationError("only its application can read it")
        return value


def stored_call(storage: Storage, job: Job, serializer: Serializer) -> Call:
    """With what the stages before it gave. Raises ``SerializationError``."""
    payload = storage.payload(job.seq)
    args, kwargs = call_of(payload, job.inputs, serializer, storage.inputs, job.seq)
    return Call(list(args), dict(kwargs))
