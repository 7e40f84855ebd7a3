"""A pidfile that cannot lie: while its process lives the kernel holds a lock on it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from hueyctl import errors, exits, files

#: A pid, a newline, and room for what is too long to be one.
_SIZE = 32


class Pidfile:
    """Held from ``take`` until the process ends, however it ends."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Write the number of this process. Exit 6 when the process of the file is alive, and when
        the file is anything but a pidfile; exit 74 when it cannot be written."""
        # By its name as well: what lies beside a database is empty at times.
        files.refuse_queue("--pidfile", self.path)
        while True:
            descriptor = self._locked()
            # Its holder may have removed it between open and lock.
            if _same_file(descriptor, self.path):
                break
            os.close(descriptor)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise self._cannot_write(error) from error
        self._descriptor = descriptor
        # A child would keep the lock after the end of this process.
        os.register_at_fork(after_in_child=self._close)

    def _locked(self) -> int:
        # O_NONBLOCK: a pipe under this name must not hold up the start.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            descriptor = os.open(self.path, flags, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP and os.path.islink(self.path):
                raise self._refused("is a link", "name the file itself") from None
            raise self._cannot_write(error) from error
        try:
            self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _lock(self, descriptor: int) -> None:
        """What is not a pidfile is left as it was, whatever it is: maybe the queue."""
        found = os.fstat(descriptor)
        content = os.pread(descriptor, _SIZE, 0) if stat.S_ISREG(found.st_mode) else b"no file"
        if found.st_size > _SIZE or not (content.strip() or b"0").isdigit():
            hint = "name another file, or remove this one if nobody needs it"
            raise self._refused("holds no pid, so it is no pidfile", hint)
        try:
            # flock and not lockf: no close of the file by a job drops it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = content.decode().strip() or "unknown"
            raise errors.CliError(
                f"the consumer of {self.path} is alive (pid {holder})",
                exits.REFUSED,
                "stop it first, or name another pidfile",
            ) from None

    def drop(self) -> None:
        """Remove the file; only the process that took it does."""
        if self._descriptor is None:
            return
        try:
            if _same_file(self._descriptor, self.path):
                os.unlink(self.path)
        except OSError:
            pass
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _refused(self, why: str, hint: str) -> errors.CliError:
        return errors.CliError(f"--pidfile {self.path} {why}", exits.REFUSED, hint)

    def _cannot_write(self, error: OSError) -> errors.CliError:
        message = f"cannot write the pidfile {self.path}: {error.strerror}"
        return errors.CliError(message, exits.IO_ERROR)


def _same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
