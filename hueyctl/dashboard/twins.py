"""Pages as what their commands print for programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hueyctl import streams
from hueyctl.output.columns import Style, cell, choose

if TYPE_CHECKING:
    from hueyctl.dashboard.page import Table

KINDS = ("json", "tsv")


def tsv(table: Table) -> str:
    """As ``-o tsv`` writes it."""
    columns = choose(table.normal, table.known)
    style = Style("iso", time.time())
    lines = ["\t".join(column.header for column in columns)]
    for row in table.rows:
        lines.append("\t".join(streams.visible(cell(column, row, style)) for column in columns))
    return "\n".join(lines) + "\n"
