"""A console of rich, for the views that draw in place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def make_console(colour: bool) -> Console:
    from rich.console import Console

    # All is said, or rich would consult the environment by rules of its own.
    return Console(
        file=sys.stdout,
        force_terminal=True,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        color_system="standard" if colour else None,
        legacy_windows=False,
    )
