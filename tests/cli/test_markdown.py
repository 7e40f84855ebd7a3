"""Pages in Markdown, as a terminal and as man show them."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from markdown_it import MarkdownIt

from hueyctl.docs.markdown import as_roff, as_text
from hueyctl.docs.packaged import man_page
from hueyctl.docs.topics import PAGES, text_of

Invoke = Callable[..., Result]


def words(text: str) -> Counter[str]:
    return Counter(text.lower().replace("`", "").split())


PAGE = """\
# A page

## The first part
A `code`, a **strong** word and
[a folder](../tests/examples), [here](../core/hueycore/api.py) or
[`hueyctl help states`](states.md).

```python
@task  # `kept`
def f(): ...


f()
```

* one that is long enough to be wrapped somewhere
* two

| | |
| --- | --- |
| `.a` | what a is |
| `b` | what b is, and more of it |

| what | here |
| --- | --- |
| short | long enough to need a second line |
"""


def test_a_terminal_gets_lines_of_its_width_and_code_as_it_is() -> None:
    assert as_text(PAGE, 40).splitlines() == [
        "A page",
        "",
        "THE FIRST PART",
        "A `code`, a strong word and a folder",
        "(tests/examples), here",
        "(core/hueycore/api.py) or `hueyctl help",
        "states`.",
        "",
        "    @task  # `kept`",
        "    def f(): ...",
        "",
        "",
        "    f()",
        "",
        "  * one that is long enough to be",
        "    wrapped somewhere",
        "  * two",
        "",
        "    `.a`  what a is",
        "    `b`   what b is, and more of it",
        "",
        "    what    here",
        "    ────────────────────────────────────",
        "    short   long enough to need a second",
        "            line",
    ]


def test_man_gets_requests_for_each_part_and_none_from_the_text() -> None:
    assert as_roff(PAGE) == [
        ".SS The first part",
        r"A \fBcode\fR, a \fBstrong\fR word and a folder (tests/examples), here",
        r"(core/hueycore/api.py) or \fBhueyctl help states\fR.",
        ".PP",
        *[".RS 4", ".nf", r"@task  # \(gakept\(ga", "def f(): ...", r"\&", r"\&", "f()", ".fi"],
        ".RE",
        *[r".IP \(bu 2", "one that is long enough to be wrapped somewhere"],
        *[r".IP \(bu 2", "two"],
        *[".TP", r"\fB.a\fR", "what a is"],
        *[".TP", r"\fBb\fR", "what b is, and more of it"],
        *[".TS", "tab(|);", "lb lb", "l lx."],
        *["what|T{", "here", "T}", "short|T{", "long enough to need a second line", "T}", ".TE"],
    ]


def test_a_bar_in_a_cell_is_no_border() -> None:
    table = "| a | b |\n| --- | --- |\n| x \\| y | z |\n"

    assert r"x \(ba y|z" in as_roff(table)


@pytest.mark.parametrize("name", PAGES)
def test_every_word_of_a_page_is_in_its_text(name: str) -> None:
    lines = as_text(text_of(name)).splitlines()

    prose = [line for line in lines if not line.startswith("    ")]
    assert max(map(len, prose)) <= 80
    assert not any(line != line.rstrip() for line in prose)
    shown = re.sub("<[^>]+>", "", MarkdownIt().enable("table").render(text_of(name)))
    # Behind a link stands where it leads.
    text = re.sub(r"\s+\(tests/\S+\)", "", "\n".join(lines))
    assert not words(html.unescape(shown)) - words(text)


def test_a_page_is_as_wide_as_the_terminal_and_at_most_100(
    invoke: Invoke, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns, width in ((60, 60), (100, 100), (300, 100)):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert invoke("help", "filters").stdout == as_text(text_of("filters"), width) + "\n"


@pytest.mark.parametrize(
    "words",
    [["mandoc", "-T", "utf8"], ["groff", "-t", "-man", "-T", "utf8"]],
    ids=lambda each: each[0],
)
def test_tables_are_drawn(words: list[str]) -> None:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    page = str(man_page("hueyctl-moving"))

    done = subprocess.run([*words, page], capture_output=True, text=True, check=True)

    assert "T{" not in done.stdout
    assert "runs again, at once" in done.stdout
