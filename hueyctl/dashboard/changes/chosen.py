"""The jobs that a form is about: ticked ones, or all that match the filters of a page."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from typing import TYPE_CHECKING

from hueycore.model.jobs import Selector
from hueyctl.answers.reason import shell_line
from hueyctl.dashboard.asks import number
from hueyctl.selection.choice import Choice
from hueyctl.selection.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hueycore.model.jobs import Job
    from hueyctl.changes.bulk import Action
    from hueyctl.dashboard.changes.forms import Form

#: Jobs that one form changes at most: somebody waits for the answer.
MOST = 10_000
#: What says of a form which jobs are meant.
FIELDS = ("id", "all", "state", "task", "where", "queue")


class Chosen:
    """``jobs`` are read once. A form that was sent carries the newest number that its page has
    seen of each queue: what came later is not meant. Raises ``CliError`` for a bad filter."""

    def __init__(self, form: Form, action: Action) -> None:
        self.form, self._action = form, action
        # Without a tick nothing is meant, and not everything.
        self.ids = () if form.word("all") else tuple(form.words("id"))
        self.is_one = len(self.ids) == 1
        self.by_filter = bool(form.word("all"))

    @cached_property
    def jobs(self) -> list[Job]:
        """In their order, ``MOST`` of them."""
        storage = self.form.view.storage
        parts = (selection.jobs(storage) for selection in self._selections())
        return list(islice(chain.from_iterable(parts), MOST))

    @cached_property
    def total(self) -> int:
        """How many match; of conditions that the storage does not know as far as ``MOST``."""
        if len(self.jobs) < MOST or self._filtered.deep:
            return len(self.jobs)
        return sum(one.count(self.form.view.storage) for one in self._selections())

    @property
    def newest(self) -> dict[str, int]:
        """By queue: a number is one job's of a queue."""
        found: dict[str, int] = {}
        for job in self.jobs:
            found[job.queue] = max(job.seq, found.get(job.queue, 0))
        return found

    @property
    def missing(self) -> list[str]:
        """The ids that no job has any more."""
        found = {job.id for job in self.jobs} | {str(job.seq) for job in self.jobs}
        return [key for key in self.ids if key not in found]

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What the next form has to say to mean these."""
        named = [(name, word) for name in FIELDS for word in self.form.words(name)]
        return [*named, *(("newest", f"{queue}:{seq}") for queue, seq in self.newest.items())]

    def _selections(self) -> Iterator[Selection]:
        queues = self.form.queues()
        if not self.by_filter:
            if self.ids:
                yield Selection(Selector(queues=queues, keys=self.ids))
        elif not self.form.is_sure:
            yield self._filtered
        else:
            for queue, seq in self._seen().items():
                if not queues or queue in queues:
                    selector = self._filtered.selector
                    narrowed = selector._replace(queues=(queue,), before=seq + 1)
                    yield replace(self._filtered, selector=narrowed)

    @cached_property
    def _filtered(self) -> Selection:
        form = self.form
        choice = Choice(
            state=tuple(self._states()),
            task=form.word("task") or None,
            where=tuple(form.words("where")),
        )
        return choice.selection(form.queues(), states=self._action.states)

    def _states(self) -> list[str]:
        """Of the page's states those that can be changed so."""
        named = self.form.words("state")
        return [name for name in named if name in self._action.states] or named

    def _seen(self) -> dict[str, int]:
        pairs = (word.rpartition(":") for word in self.form.words("newest"))
        found = {queue: number(seq) for queue, _, seq in pairs}
        return {queue: seq for queue, seq in found.items() if seq is not None}

    # --- the command line that means the same -----------------------------------------------------

    def command(self, words: Sequence[str], options: Sequence[str]) -> str:
        """``words`` begin it. A command that takes a task's name as another thing gets the jobs
        from a listing."""
        given = [*options, *self._queue_words(), "-u", self.form.view.board.url]
        task = self.form.word("task")
        if not self.by_filter:
            one_queue = len(self.newest) == 1
            keys = [str(job.seq) if one_queue else job.id for job in self.jobs]
            return shell_line(*words, *(keys or self.ids), *given)
        if task and words[0] in ("revoke", "restore"):
            listed = shell_line("list", *self._filter_words(), "--task", task, "-o", "name", *given)
            return f"{listed} | {shell_line(*words, '-', *given)}"
        states = words[0] == "dead"
        narrowed = [*self._filter_words(states=not states), *(("--task", task) if task else ())]
        return shell_line(*words, *(narrowed or ["--all"]), *given)

    def _filter_words(self, *, states: bool = True) -> list[str]:
        named = [("--state", name) for name in self._states()] if states else []
        asked = [("--where", text) for text in self.form.words("where")]
        return [word for pair in (*named, *asked) for word in pair]

    def _queue_words(self) -> list[str]:
        return [word for queue in self.newest or self.form.queues() for word in ("-Q", queue)]
