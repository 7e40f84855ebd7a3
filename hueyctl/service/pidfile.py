"""A pidfile that cannot lie: while its process lives the kernel holds a lock on it."""

from __future__ import annotations

import fcntl
import os

from hueyctl import errors, exits


class Pidfile:
    """Held from ``take`` until the process ends, however it ends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Write the number of this process. Exit 6 when the process of the file is alive."""
        while True:
            descriptor = self._locked()
            # Its holder may have removed it between open and lock.
            if _same_file(descriptor, self.path):
                break
            os.close(descriptor)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        # A child would keep the lock after the end of this process.
        os.register_at_fork(after_in_child=self._close)

    def _locked(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise errors.CliError(
                f"cannot write the pidfile {self.path}: {error.strerror}", exits.IO_ERROR
            ) from error
        try:
            # flock and not lockf: no close of the file by a job drops it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise errors.CliError(
                f"the consumer of {self.path} is alive (pid {holder})",
                exits.REFUSED,
                "stop it first, or name another pidfile",
            ) from None
        return descriptor

    def drop(self) -> None:
        """Remove the file; only the process that took it does."""
        if self._descriptor is None:
            return
        try:
            os.unlink(self.path)
        except OSError:
            pass
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
