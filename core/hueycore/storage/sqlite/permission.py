"""Why a file that is there cannot be opened, in words."""

from __future__ import annotations

import os
import stat


def is_there(path: str) -> bool:
    """Whether there is such a file, also in a folder that this user may not enter."""
    try:
        os.stat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def refusal(path: str, *, write: bool = True) -> str:
    """What keeps this process from the file or from its folder, after a colon; '' when nothing
    does that can be seen. The file itself is not opened: its locks would go with the close."""
    folder = os.path.dirname(path) or "."
    wanted = [(outer, os.X_OK) for outer in _from_the_root(folder)] + [(path, os.R_OK)]
    if write:
        wanted += [(each, os.W_OK) for each in (path, f"{path}-wal", f"{path}-shm", folder)]
    try:
        for each, access in wanted:
            if os.path.exists(each) and not _may(each, access):
                return f": {_obstacle(each, access, 'it' if each == path else each)}"
    except OSError:
        pass  # gone meanwhile
    return ""


def _from_the_root(folder: str) -> list[str]:
    outer = [folder]
    while (parent := os.path.dirname(outer[-1])) not in ("", outer[-1]):
        outer.append(parent)
    return outer[::-1]


def _may(path: str, access: int) -> bool:
    return os.access(path, access, effective_ids=os.access in os.supports_effective_ids)


def _obstacle(path: str, access: int, name: str) -> str:
    if access == os.W_OK and os.statvfs(path).f_flag & os.ST_RDONLY:
        return "its file system is mounted read-only"
    found = os.stat(path)
    owner, me = _user(found.st_uid), _user(os.geteuid())
    return f"{name} belongs to {owner}, with mode {stat.S_IMODE(found.st_mode):04o}; this is {me}"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
