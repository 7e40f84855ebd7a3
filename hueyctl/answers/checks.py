"""What ``hueyctl doctor`` has found, and the exit code that it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from hueycore.model.diagnosis import PROBLEM, Diagnosis
from hueycore.system.mask import masked
from hueyctl import errors, exits


class Note(NamedTuple):
    """The answer to one question, without passwords: a report is sent to others."""

    name: str
    status: str
    text: str
    facts: dict[str, Any]
    hint: str | None = None
    code: int = exits.FAILURE

    @classmethod
    def of(cls, found: Diagnosis) -> Note:
        facts = {
            key: masked(fact) if isinstance(fact, str) else fact
            for key, fact in found.facts.items()
        }
        text, hint = masked(found.text), found.hint and masked(found.hint)
        return cls(found.name, found.status, text, facts, hint)

    def as_object(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "message": self.text,
            "hint": self.hint,
            "facts": self.facts,
        }


def asked(name: str, question: Callable[[], Iterable[Diagnosis]]) -> Iterator[Note]:
    """A question that could not be answered is an answer. Raises what is a bug of hueyctl."""
    try:
        yield from map(Note.of, question())
    except Exception as error:
        found = errors.explain(error)
        if found.bug:
            raise
        code = exits.CONFIG if found.code == exits.CONFIG else exits.FAILURE
        yield Note(name, PROBLEM, found.message, {}, found.hint, code)


def problems(notes: Sequence[Note]) -> list[Note]:
    return [note for note in notes if note.status == PROBLEM]


def report(notes: Sequence[Note]) -> dict[str, Any]:
    """The document ``hueyctl.doctor/1``."""
    bad = problems(notes)
    return {
        "schema": "hueyctl.doctor/1",
        "ok": not bad,
        "problems": len(bad),
        "checks": [note.as_object() for note in notes],
    }
