"""New names of files: on the disk, and never in the place of another file."""

from __future__ import annotations

import os


def rename_new(part: str, path: str) -> None:
    """Give a file its name, also when another file of that name came meanwhile: then
    ``FileExistsError``, where the file system can tell."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.rename(part, path)
    else:
        os.unlink(part)


def sync(directory: int) -> None:
    """The name of a new file is on disk only when its directory is."""
    try:
        os.fsync(directory)
    except OSError:
        pass  # some file systems refuse to sync a directory; they order its writes themselves


def sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
