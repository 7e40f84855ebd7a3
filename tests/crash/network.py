"""A network of the test's own: hosts in namespaces, and a cable to each that can be pulled out."""

from __future__ import annotations

import fcntl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: Nobody else's, with luck: 203.0.113.0/24 is kept for examples.
_ADDRESS = "203.0.113.{}"
HOST = _ADDRESS.format(1)


class Host:
    """A network namespace; ``under`` is the command that starts a program in it."""

    def __init__(self, number: int) -> None:
        self.name = f"huey-test-{number}"
        self.address = _ADDRESS.format(number + 1)
        self._cable = f"huey-cable-{number}"
        self.under = ("ip", "netns", "exec", self.name)
        _ip(f"netns add {self.name}")
        _ip(f"link add {self._cable} type veth peer name eth0 netns {self.name}")
        _ip(f"link set {self._cable} master huey-test up")
        _ip(f"-n {self.name} addr add {self.address}/24 dev eth0")
        _ip(f"-n {self.name} link set eth0 up")
        _ip(f"-n {self.name} link set lo up")

    def pull_out(self) -> None:
        """From now on nothing comes through; nobody is told."""
        _ip(f"link set {self._cable} down")

    def plug_in(self) -> None:
        _ip(f"link set {self._cable} up")


@contextmanager
def hosts(number: int) -> Iterator[list[Host]]:
    """So many, and ``HOST``, which is this one. Skips where that is not allowed."""
    # The names are those of the whole machine.
    with open(Path(tempfile.gettempdir()) / "huey-test-network", "a") as only:
        fcntl.flock(only, fcntl.LOCK_EX)
        _clean_up(number)  # after a run that was killed
        try:
            _ip("link add huey-test type bridge")
            _ip(f"addr add {HOST}/24 dev huey-test")
            _ip("link set huey-test up")
            yield [Host(each) for each in range(1, number + 1)]
        except FileNotFoundError:
            pytest.skip("ip (iproute2) is not installed")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this system allows no network of one's own: {error.stderr.strip()}")
        finally:
            _clean_up(number)


def _clean_up(number: int) -> None:
    names = ["link del huey-test"]
    for each in range(1, number + 1):
        names += f"link del huey-cable-{each}", f"netns del huey-test-{each}"
    for words in names:
        with suppress(OSError, subprocess.CalledProcessError):
            _ip(words)


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True, text=True)
