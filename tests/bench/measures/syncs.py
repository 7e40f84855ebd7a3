"""The syncs of the programs that preload ``c/slow_sync.c``."""

import shutil
import subprocess
import sys

from measurement import Skipped
from settings import FOLDER, HERE


class Syncs:
    """Counted, and each takes so many microseconds instead of what the disk takes; 0 leaves them
    as they are. Raises ``Skipped`` where no such library can be made."""

    def __init__(self, delay_us: int) -> None:
        if not sys.platform.startswith("linux"):
            raise Skipped("only Linux preloads a library this way")
        compiler = shutil.which("cc")
        if compiler is None:
            raise Skipped("there is no C compiler (cc)")
        built, self._counter = FOLDER / "slow_sync.so", FOLDER / "syncs"
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
        source = HERE / "c" / "slow_sync.c"
        subprocess.run([compiler, *flags, "-o", str(built), str(source), "-ldl"], check=True)
        self._counter.write_bytes(bytes(8))
        self.environ = {
            "LD_PRELOAD": str(built),
            "SYNC_COUNTER": str(self._counter),
            "SYNC_DELAY_US": str(delay_us),
        }

    def count(self) -> int:
        """How many there were until now."""
        return int.from_bytes(self._counter.read_bytes(), sys.byteorder)
