"""From a page to HTML. Everything is escaped, and a name that is not there is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from hueyctl import units
from hueyctl.answers.jobs import plain_number
from hueyctl.answers.reason import shell_line
from hueyctl.dashboard import assets
from hueyctl.dashboard.asks import Answer, text
from hueyctl.dashboard.changes import notices
from hueyctl.output.figures import short

if TYPE_CHECKING:
    from datetime import tzinfo

    from jinja2 import Environment

    from hueycore.model.jobs import Job
    from hueyctl.answers.tries import Try
    from hueyctl.dashboard.page import Page, View


#: The bar on top: what is read, and the page.
PLACES = (
    ("Overview", "overview"),
    ("Jobs", "jobs"),
    ("Dead", "dead"),
    ("Periodic", "periodic"),
    ("Limits", "limits"),
    ("Tasks", "tasks"),
    ("Workers", "workers"),
    ("Events", "events"),
    ("Health", "health"),
)


#: Letters that nobody sees and that change how others are read, but for ends of lines.
_HIDDEN = {
    code: f"\\u{code:04x}"
    for codes in ((*range(9), 11, 12, *range(14, 32)), range(127, 160), (0x61C, 0x200E, 0x200F),
                  range(0x202A, 0x202F), range(0x2066, 0x206A))
    for code in codes
}  # fmt: skip


def _visible(value: Any) -> Any:
    """What a template writes. A name must not turn the words around it."""
    return value.translate(_HIDDEN) if type(value) is str and not value.isprintable() else value


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("hueyctl.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "grouped": units.grouped,
        "counted": units.counted,
        "span": span,
        "iso": iso,
        "percent": percent,
        "rate": rate,
        "size": units.size,
        "step": step,
        "plain": plain_number,
        "sentence": sentence,
        "sum_s": sum_s,
        "call_name": call_name,
        "tick": tick,
    }
    found.globals |= {"shell": shell_line, "places": PLACES}
    return found


def html(view: View, page: Page, status: int = 200) -> Answer:
    return text(status, render(view, page), "text/html")._replace(title=page.title)


def render(view: View, page: Page) -> str:
    """``values`` of the page, and besides: view, page, url, here, clock, day."""
    template = _environment().get_template(page.template)
    return template.render(
        page=page,
        view=view,
        url=view.url,
        here=view.here,
        asset=lambda name: f"{view.ask.base}/{assets.address(name)}",
        clock=partial(clock, zone=view.zone),
        day=partial(day, zone=view.zone),
        layout=_layout(view),
        **page.values,
    )


def _layout(view: View) -> dict[str, Any]:
    """What the bar on top shows of the newest look, if there is one."""
    seen = view.board.watch.peek(view.window)
    dead = 0 if seen is None else seen.status.figures.totals.counts["dead"]
    notice = notices.told(view.ask)
    where = view.board.location.name
    frame = "inside.html" if view.board.inside else "alone.html"
    return {"frame": frame, "seen": seen, "dead": dead, "where": where, "notice": notice}


def span(seconds: float | None) -> str:
    """A duration, a dash when nobody knows it."""
    return "–" if seconds is None else short(seconds)


def percent(share: float | None) -> str:
    if share is None:
        return "–"
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{100 * share:.1f} %" if 0 < share < 0.995 else f"{100 * share:.0f} %"


def rate(per_s: float) -> str:
    """Of things in a second; few of them are told by the minute."""
    if 0 < per_s < 0.095:
        return f"{60 * per_s:.1f}/min"
    return f"{per_s:.1f}/s" if per_s < 1000 else f"{units.grouped(round(per_s))}/s"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def sum_s(runs: list[Try], now: float) -> float:
    """What tries took together, seconds."""
    return sum((one.ended or now) - one.began for one in runs)


def call_name(job: Job, most: int = 21) -> str:
    """A call in few letters: ``fetch_page(1)``."""
    name = job.task.rpartition(".")[2] or job.task
    text = f"{name}({job.preview})" if job.preview is not None else name
    return text if len(text) <= most else f"{text[: most - 1]}…"


def step(seconds: float) -> str:
    """Of a chart: ``minute``, ``10 minutes``, ``4 hours``."""
    word, size = ("hour", 3600) if seconds >= 3600 else ("minute", 60)
    number = round(seconds / size)
    return word if number == 1 else f"{number} {word}s"


def tick(seconds: float) -> str:
    """Of an axis: ``10 ms``, ``0.1 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:g} s"


def iso(moment: float) -> str:
    return units.rfc3339(moment)


def clock(moment: float, zone: tzinfo | None = None) -> str:
    """The time of a day, with the day when it is not near."""
    return _moment(moment, zone, "%H:%M:%S")


def day(moment: float, zone: tzinfo | None = None) -> str:
    return _moment(moment, zone, "%Y-%m-%d %H:%M:%S")


def _moment(moment: float, zone: tzinfo | None, form: str) -> str:
    try:
        at = datetime.fromtimestamp(moment, UTC)
        return (at.astimezone(zone) if zone is not None else at.astimezone()).strftime(form)
    except (ValueError, OverflowError, OSError):
        return str(moment)  # somebody wrote it into the row
