"""``hueyctl.change/1``: what a command has changed, for scripts and for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from hueyctl import errors, exits, streams
from hueyctl.units import counted

if TYPE_CHECKING:
    from hueycore.model.jobs import Job, JobRef
    from hueyctl.context import Session
    from hueyctl.output.columns import Column

NOT_FOUND = "not_found"
REFUSED = "refused"
#: Failures that are told one by one.
_TOLD = 20
#: Those that are kept of a tally.
LISTED = 1000


class Done(NamedTuple):
    """One thing that was changed, a job unless ``seq`` is None."""

    action: str
    seq: int | None
    id: str
    name: str


class Failed(NamedTuple):
    id: str
    code: str
    message: str


@dataclass(slots=True)
class Change:
    """Grows while a command works; ``report`` prints it and answers the exit code."""

    action: str
    matched: int = 0
    dry_run: bool = False
    done: list[Done] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    #: Where to look for what was not found.
    look: str = "hueyctl list --state all"
    #: Why jobs that a filter matched were left alone; no failure.
    left_out: list[str] = field(default_factory=list)
    #: More keys for the document, such as ``run_at``.
    more: dict[str, Any] = field(default_factory=dict)
    #: What is changed besides jobs.
    others: str = "standing order"

    def add(self, job: Job | JobRef, action: str) -> None:
        self.done.append(Done(action, job.seq, job.id, job.task))

    def add_order(self, action: str, name: str) -> None:
        """Something that is not a job, such as a standing order."""
        self.done.append(Done(action, None, name, name))
        self.more.setdefault("orders", []).append(name)

    def fail(self, id: str, code: str, message: str) -> None:
        self.failed.append(Failed(id, code, message))

    @property
    def number(self) -> int:
        """How many things were changed."""
        return len(self.done)

    @property
    def failures(self) -> int:
        return len(self.failed)

    def as_object(self) -> dict[str, Any]:
        return {
            "schema": "hueyctl.change/1",
            "action": self.action,
            "matched": self.matched,
            "changed": 0 if self.dry_run else self.number,
            "dry_run": self.dry_run,
            "ids": [line.id for line in self.done if line.seq is not None],
            "failed": [failed._asdict() for failed in self.failed],
            **self.more,
        }

    def report(self, session: Session, *, exit_code: bool = False) -> int:
        """Print it; raise for what failed."""
        self.show(session)
        if self.left_out:
            first, number = self.left_out[0], len(self.left_out)
            session.notice(f"{number:,} left out: {first}" + (", …" if number > 1 else ""))
        if self.failed:
            self._raise(session)
        if not self.done:
            session.remark(f"Nothing to {self.action}.")
        return exits.NO_MATCH if exit_code and not self.done else exits.OK

    def show(self, session: Session) -> None:
        """Print what was changed."""
        output = session.output
        if output.is_json:
            output.document(self.as_object())
        elif output.folds(len(self.done)) and not output.columns:
            for text in self._totals():
                output.line(text)
            session.remark("-o plain lists them.")
        elif output.format in ("table", "wide", "plain") and not output.columns:
            would = "would " if self.dry_run else ""
            for line in self.done:
                number = f" {line.seq} " if line.seq is not None else ""
                text = streams.visible(f"{would}{line.action}{number} {line.name}")
                output.write(output.fitted(text) + "\n")
        else:
            output.rows(self.done, _columns(self.dry_run), ("action", "seq", "task"), name=_id)

    def _totals(self) -> list[str]:
        """``revoked 4 500 jobs``: a line for each kind of change."""
        would = "would " if self.dry_run else ""
        numbers = Counter(
            (line.action, self.others if line.seq is None else "job") for line in self.done
        )
        return [
            f"{would}{action} {counted(number, what)}" for (action, what), number in numbers.items()
        ]

    def _raise(self, session: Session) -> None:
        """Exit 3 when all that was asked for is unknown, else 1."""
        *others, last = self.failed
        for failed in others[:_TOLD]:
            session.notice(failed.message)
        if len(others) > _TOLD:
            session.notice(f"and {len(others) - _TOLD:,} more")
        unknown = all(failed.code == NOT_FOUND for failed in self.failed)
        code = exits.NOT_FOUND if unknown and not self.done else exits.FAILURE
        hint = self.look if last.code == NOT_FOUND else None
        raise errors.CliError(last.message, code, hint)


@dataclass(slots=True)
class Tally(Change):
    """Of more than can be listed: how many, and the first failures."""

    _number: int = 0
    _failures: int = 0

    def add(self, job: Job | JobRef, action: str) -> None:
        self._number += 1

    def fail(self, id: str, code: str, message: str) -> None:
        self._failures += 1
        if self._failures <= LISTED:
            self.failed.append(Failed(id, code, message))

    @property
    def number(self) -> int:
        return self._number

    @property
    def failures(self) -> int:
        return self._failures

    def show(self, session: Session) -> None:
        if session.output.is_json:
            session.output.document(self.as_object())


def _id(line: Done) -> str:
    return line.id


def _columns(dry_run: bool) -> dict[str, Column]:
    from hueyctl.output.columns import Column

    would = "would-" if dry_run else ""
    return {
        "action": Column("action", "ACTION", "text", lambda line: would + line.action),
        "seq": Column("seq", "SEQ", "int", lambda line: line.seq),
        "task": Column("task", "TASK", "text", lambda line: line.name),
        "id": Column("id", "ID", "text", lambda line: line.id),
    }
