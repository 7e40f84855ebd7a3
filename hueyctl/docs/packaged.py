"""Files that come with the program: in an installed package, or beside it in the source tree."""

from __future__ import annotations

import os

import hueyctl


def data_file(name: str) -> str | None:
    """The path of ``man/man1/hueyctl.1`` and the like, None where it was left out."""
    package = os.path.dirname(os.path.abspath(hueyctl.__file__))
    for folder in (os.path.join(package, "_data"), os.path.dirname(package)):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    return None


def man_page(name: str) -> str | None:
    """The page of this name, whatever its section."""
    for section in (1, 5, 7):
        found = data_file(f"man/man{section}/{name}.{section}")
        if found is not None:
            return found
    return None
