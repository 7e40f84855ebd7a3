"""The project tests/examples/django_app, as its users have it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

PROJECT = Path(__file__).parent / "django_app"

Manage = Callable[..., str]


def invoices(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / "shop.sqlite3")) as connection:
        return connection.execute("select customer, invoice from shop_order").fetchall()
