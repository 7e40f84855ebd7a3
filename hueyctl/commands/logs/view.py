"""The log lines of a job, for people, pipes and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hueyctl.answers.joblog import as_object
from hueyctl.output.columns import Column
from hueyctl.output.lines import Lines

if TYPE_CHECKING:
    from hueycore.model.events import LogLine
    from hueycore.model.jobs import Job
    from hueyctl.context import Session

WIDTHS = (("at", 24), ("attempt", 3), ("level", 8), ("message", 0))


class JobLog:
    """Lines of one job, in the format of the settings."""

    def __init__(self, session: Session, job: Job) -> None:
        self.output, self.job = session.output, job

    def show(self, lines: Sequence[LogLine], *, stream: bool) -> None:
        """Print them. With ``stream`` more will come."""
        output = self.output
        if not stream and output.format == "json":
            output.objects(self._object(line) for line in lines)
        elif stream or output.format in ("table", "wide", "plain", "jsonl"):
            writer = Lines(output, WIDTHS)
            for line in lines:
                writer.write(
                    line, _KNOWN, output.steady, partial(self._object, line), self._name(line)
                )
        else:
            output.style = output.steady
            output.rows(lines, _KNOWN, [key for key, _ in WIDTHS], name=self._name)

    def _name(self, line: LogLine) -> str:
        return f"{self.job.seq}.{line.line}"

    def _object(self, line: LogLine) -> dict[str, Any]:
        """``hueyctl.log/1``."""
        job = self.job
        return {"seq": job.seq, "id": job.id, "task": job.task, **as_object(line)}


_KNOWN = {
    "at": Column("at", "TIME", "time", lambda line: line.at),
    "attempt": Column("attempt", "TRY", "int", lambda line: line.attempt),
    "level": Column("level", "LEVEL", "text", lambda line: line.level),
    "message": Column("message", "MESSAGE", "text", lambda line: line.message),
    "line": Column("line", "LINE", "int", lambda line: line.line),
}
