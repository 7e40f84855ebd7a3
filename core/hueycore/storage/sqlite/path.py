"""Where a queue file may live: created private, never on a network file system."""

from __future__ import annotations

import fcntl
import os

from hueycore.exceptions import StorageError, StorageMissing, StorageReadOnly
from hueycore.storage.sqlite.permission import is_there, refusal
from hueycore.system.files import sync

#: File systems whose locks or shared memory do not work across machines.
NETWORK = frozenset(
    (
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "ceph", "lustre"),
        *("glusterfs", "fuse.glusterfs", "fuse.sshfs"),
    )
)

#: What SQLite keeps beside a database.
_BESIDE = ("-wal", "-shm", "-journal")
_MAGIC = b"SQLite format 3\0"


def make_file(path: str, mode: int | None) -> None:
    """Create an empty file with exactly ``mode`` before SQLite opens it: -wal and -shm inherit it.
    None: it may not be made.

    What a removed database of this name left beside it goes first. Somebody may still have it
    mapped, and two databases on one -shm end in a bus error; the directory is locked meanwhile, so
    that nobody takes the new one's for a remnant.

    Raises ``StorageMissing`` (also: no such directory) or ``StorageReadOnly``.
    """
    if is_there(path) and not os.path.exists(path):  # it may just have been made
        raise StorageReadOnly(f"cannot open {path}{refusal(path)}")
    if mode is None:
        raise StorageMissing(f"there is no file {path}")
    directory = os.path.dirname(path)
    try:
        guard = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if not os.path.exists(path):
                _remove_remnants(path)
                _create(path, mode)
                sync(guard)
        finally:
            os.close(guard)
    except (FileNotFoundError, NotADirectoryError):
        raise StorageMissing(f"there is no directory {directory}") from None
    except PermissionError:
        raise StorageReadOnly(f"{directory} cannot be written{refusal(path)}") from None
    except OSError as error:
        raise StorageError(f"cannot create {path}: {error.strerror}") from error


def _remove_remnants(path: str) -> None:
    for suffix in _BESIDE:
        try:
            os.unlink(path + suffix)
        except FileNotFoundError:
            pass


def _create(path: str, mode: int) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    os.fchmod(descriptor, mode)
    os.close(descriptor)


def uri(path: str, access: str) -> str:
    """What SQLite calls the file: ``access`` is ``mode=ro``, ``mode=rw`` or ``immutable=1``."""
    plain = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{plain}?{access}"


def belongs_to_database(path: str) -> bool:
    """Whether a file is a database, or has the name of what lies beside one."""
    path = os.path.realpath(path)
    owners = {path.removesuffix(suffix) for suffix in (*_BESIDE, "-huey")}
    return any(_is_database(owner) for owner in owners)


def _is_database(path: str) -> bool:
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def refuse_network(path: str, mountinfo: str = "/proc/self/mountinfo") -> None:
    """Raise ``StorageError`` when ``path`` is on a network file system: SQLite's locks and its
    shared memory do not hold there, and the file would be damaged."""
    kind = file_system(path, mountinfo)
    if kind in NETWORK:
        raise StorageError(
            f"{path} is on {kind}, a network file system, where SQLite's locks are not safe; "
            "use a local disk (force_network=True if you know better)"
        )


def file_system(path: str, mountinfo: str = "/proc/self/mountinfo") -> str:
    """The type of the file system of ``path``, '' where the system does not tell."""
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as lines:
            mounts = [line.split() for line in lines]
    except OSError:
        return ""
    best, kind = "", ""
    for fields in mounts:
        point = fields[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[fields.index("-") + 1]
    return kind
