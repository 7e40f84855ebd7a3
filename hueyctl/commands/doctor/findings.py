"""What ``hueyctl doctor`` finds, in words and for machines."""

from __future__ import annotations

from typing import Any, NamedTuple

from hueycore.system.mask import masked
from hueyctl import errors, exits

OK, WARNING, PROBLEM, SKIPPED = "ok", "warning", "problem", "skipped"


class Note(NamedTuple):
    """The answer to one question. ``facts`` are for machines."""

    name: str
    status: str
    text: str
    facts: dict[str, Any]
    hint: str | None = None
    code: int = exits.FAILURE

    def as_object(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "message": self.text,
            "hint": self.hint,
            "facts": self.facts,
        }


def ok(name: str, text: str, **facts: Any) -> Note:
    return _note(name, OK, text, facts)


def warning(name: str, text: str, hint: str | None = None, **facts: Any) -> Note:
    return _note(name, WARNING, text, facts, hint)


def problem(name: str, text: str, hint: str | None = None, **facts: Any) -> Note:
    return _note(name, PROBLEM, text, facts, hint)


def _note(
    name: str, status: str, text: str, facts: dict[str, Any], hint: str | None = None
) -> Note:
    """Without passwords: a report is sent to others."""
    facts = {key: masked(fact) if isinstance(fact, str) else fact for key, fact in facts.items()}
    return Note(name, status, masked(text), facts, hint and masked(hint))


def skipped(name: str, why: str) -> Note:
    return Note(name, SKIPPED, why, {})


def from_error(name: str, error: Exception) -> Note:
    """A question that could not be answered is an answer. Raises what is a bug of hueyctl."""
    found = errors.explain(error)
    if found.bug:
        raise error
    code = exits.CONFIG if found.code == exits.CONFIG else exits.FAILURE
    return Note(name, PROBLEM, found.message, {}, found.hint, code)
