"""What a page function is given and what it gives back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hueycore.model.jobs import Selector
from hueyctl.answers.figures import gather
from hueyctl.answers.look import Look
from hueyctl.answers.reason import located, shell_line
from hueyctl.dashboard.asks import number
from hueyctl.dashboard.links import joined
from hueyctl.dashboard.look import WINDOWS
from hueyctl.dashboard.twins import KINDS

if TYPE_CHECKING:
    from datetime import tzinfo

    from hueycore.model.jobs import Job
    from hueycore.model.reports import Metric
    from hueycore.storage.base import Storage
    from hueyctl.answers.figures import Figures
    from hueyctl.dashboard.asks import Ask
    from hueyctl.dashboard.board import Board
    from hueyctl.dashboard.seen import Seen
    from hueyctl.output.columns import Column

#: Of a name that ends so it is not the end of an address: browsers go up at two dots.
_ENDS = ("/", ".", ".html", *(f".{kind}" for kind in KINDS))
#: The window that a page begins with.
USUAL = "1h"


def steady() -> float:
    """The time in steps of ten seconds: a page that is asked again meanwhile is the same."""
    return time.time() // 10 * 10


class Missing(Exception):
    """There is no such page, job, task or queue: 404 with these words."""


class Table(NamedTuple):
    """What the command prints with ``-o tsv``."""

    rows: Iterable[Any]
    known: dict[str, Column]
    normal: Sequence[str]


class Page(NamedTuple):
    """``template`` names a file of templates/; ``words`` are the command line that says the same,
    without ``hueyctl``. ``document`` makes what it prints with --json, ``table`` with -o tsv."""

    template: str
    title: str
    words: tuple[str, ...]
    values: dict[str, Any]
    document: Callable[[], Any] | None = None
    table: Callable[[], Table] | None = None
    #: The place in the bar on top.
    place: str = ""


class View:
    """A request for a page: what was asked, of whom, and where things are."""

    def __init__(self, board: Board, ask: Ask, rest: str = "") -> None:
        self.board, self.ask = board, ask
        #: What follows the name of the page in its path: ``48214`` of ``/jobs/48214``.
        self.rest = rest

    @cached_property
    def storage(self) -> Storage:
        """For what is asked directly. Read only."""
        return self.board.reading()

    @property
    def queues(self) -> tuple[str, ...]:
        """Those that this dashboard is about, none for all."""
        return self.board.queues

    @property
    def may_change(self) -> bool:
        return self.ask.person is not None and self.ask.person.may_change

    def among(self, named: Sequence[str]) -> tuple[str, ...]:
        """Those of these queues that this dashboard is about; all of its own if none is named.
        Raises ``Missing`` when it is about none of them."""
        found = [name for name in named if not self.queues or name in self.queues]
        if named and not found:
            raise Missing(f"There is no queue {', '.join(named)}")
        return tuple(found) or self.queues

    def job(self, key: str) -> Job | None:
        """By id or number, in the queue of the address: some engines number each queue's jobs for
        itself."""
        queues = self.among(self.words("queue"))
        if not queues:
            return self.storage.job(key)
        return next(iter(self.storage.jobs(Selector(queues=queues, keys=(key,), limit=1))), None)

    def totals(self) -> list[Metric]:
        """What was ever counted of each task; it is asked for seldom."""
        return self.board.kept.get("totals", self.storage.totals)

    def figures(self) -> Figures:
        """As ``stats`` has them, with all that is done: to count a million takes a moment."""

        def find() -> Figures:
            return gather(Look(self.storage, self.queues), WINDOWS[self.window])

        return self.board.kept.get(("figures", self.window), find)

    def seen(self) -> Seen:
        """The newest look at the window of the address."""
        return self.board.watch.latest(self.window)

    @property
    def window(self) -> str:
        name = self.word("window")
        return name if name in WINDOWS else USUAL

    @property
    def zone(self) -> tzinfo | None:
        """Of ``?tz=UTC``; None is the server's."""
        try:
            return ZoneInfo(self.word("tz")) if self.word("tz") else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None

    def word(self, name: str) -> str:
        """The last value of a name in the query, or nothing."""
        return self.ask.query.get(name, [""])[-1].strip()

    def number(self, name: str) -> int:
        """A number of a job in the query, 0 when there is none."""
        return number(self.word(name)) or 0

    def words(self, name: str) -> list[str]:
        """Every value of a name in the query."""
        return [word.strip() for word in self.ask.query.get(name, []) if word.strip()]

    def url(self, *parts: Any, **query: Any) -> str:
        """Of a page: ``view.url("jobs", 48214)``, ``view.url("jobs", state="dead")``."""
        if parts and str(parts[-1]).endswith(_ENDS):
            parts = (*parts[:-1], f"{parts[-1]}.html")
        return joined(self.ask.base, parts, {**query, "tz": self.word("tz")})

    def here(self, **changes: Any) -> str:
        """This page with other words in its query; None takes one away."""
        query: dict[str, Any] = {**self.ask.query, **changes}
        return joined(self.ask.base, self.ask.path.strip("/").split("/"), query)

    def twin(self, kind: str) -> str:
        """This page as ``json`` or ``tsv``."""
        path = self.ask.path.strip("/").removesuffix(".html") or "overview"
        return joined(self.ask.base, f"{path}.{kind}".split("/"), dict(self.ask.query))

    def line(self, text: str) -> str:
        """A command line that an answer has made, with where the queue is, if it is one of ours."""
        return located(text, "-u", self.board.url)

    def command(self, *words: str) -> str:
        """A command line that works where the reader has no settings."""
        queues = [word for queue in self.queues for word in ("-Q", queue)]
        return shell_line(*words, *queues, "-u", self.board.url)
