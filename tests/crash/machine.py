"""A machine whose power is cut. Its processes run on the preloaded ``c/powercut.c``, which keeps a
disk of what was synced; it boots from what that disk holds."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

from tests.crash.crashkit import DEADLINE, ConsumerProcess, Place
from tests.crash.machineapp import Tasks
from tests.crash.tablekit import processes_of
from tests.helpers import wait_until
from tests.storage.sqlite.invariants import violations

SECTOR = 512


class Machine(Place):
    """Until its last boot only its own processes open the file: what this process wrote would be
    on no disk."""

    def __init__(self, folder: Path, kind: str, library: Path) -> None:
        self.files, self.disk = folder / "files", folder / "disk"
        self.files.mkdir()
        self.disk.mkdir()
        super().__init__(folder, self.files / "queue.db", kind=kind)
        self._library = library
        self._boot()
        self.durability = "standard"

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "LD_PRELOAD": str(self._library),
            "CUT_FOLDER": str(self.files),
            "CUT_DISK": str(self.disk),
            "CRASH_DURABILITY": self.durability,
        }

    def consumer(self, *options: str, workers: int = 2) -> ConsumerProcess:
        command = ("-m", "hueyctl", "consume", "tests.crash.machineapp:huey", "-k", self.kind)
        return self.process(*command, "-w", str(workers), "-n", *options)

    def producer(self) -> ConsumerProcess:
        return self.process("-c", "from tests.crash.machineapp import tasks; tasks.produce()")

    def acknowledged(self) -> dict[str, int]:
        """{id: the right result} of all jobs that somebody was told to be safe."""
        return {line.key: line.attempt for line in self.lines() if line.what == "acked"}

    # --- the cut --------------------------------------------------------------------------------

    def cut_power(self, chance: random.Random) -> None:
        """Everything ends at one moment, and the machine boots again."""
        with (self.disk / "power").open("a") as power:
            fcntl.flock(power, fcntl.LOCK_EX)
            for process in self.processes:
                process.destroy()
            wait_until(lambda: not any(map(self._lives, self.processes)), DEADLINE, "all gone")
            found = self._found(chance)
        self.processes.clear()
        for folder in (self.files, self.disk):
            shutil.rmtree(folder)
            folder.mkdir()
        entries = ""
        for name, content in found.items():
            file = self.files / name
            file.write_bytes(content)
            inode = file.stat().st_ino
            os.link(file, self.disk / f"{inode}.live")
            (self.disk / str(inode)).write_bytes(content)
            entries += f"{inode} {name}\n"
        (self.disk / "entries").write_text(entries)
        self._boot()

    def _boot(self) -> None:
        (self.disk / "boot_id").write_text(f"{uuid.uuid4()}\n")

    @staticmethod
    def _lives(process: ConsumerProcess) -> bool:
        return bool(processes_of(process.pid))

    def _found(self, chance: random.Random) -> dict[str, bytes]:
        """The files, as the machine finds them when it boots: what was synced alone or, as often,
        with other sectors that the system has written by itself."""
        entries = self.disk / "entries"
        lucky = chance.random() < 0.5
        found = {}
        for line in entries.read_text().splitlines() if entries.exists() else ():
            inode, name = line.split()
            synced, live = self.disk / inode, self.disk / f"{inode}.live"
            content = synced.read_bytes() if synced.exists() else b""
            if lucky and live.exists():
                content = some_sectors(content, live.read_bytes(), chance)
            found[name] = content
        return found

    def lost(self) -> set[str]:
        """What was acknowledged and is not in the file that the machine found; looked up in a copy
        of it, which must be a sound one."""
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.files, copy)
        with closing(sqlite3.connect(copy / "queue.db", isolation_level=None)) as con:
            ids = set()
            if con.execute("select 1 from sqlite_master where name = 'huey_job'").fetchall():
                assert violations(con) == []
                ids = {row[0] for row in con.execute("select id from huey_job").fetchall()}
        return self.acknowledged().keys() - ids

    # --- the end --------------------------------------------------------------------------------

    def check(self) -> None:
        """Every job ended once and rightly; some may have run twice, because an ending is not
        synced, but none of those that must not."""
        tasks = Tasks(self.huey, str(self.log))
        assert max(self.ran("start").values(), default=0) <= 1, "at most once"
        states = {job.id: (job.task, str(job.state)) for job in self.jobs()}
        for key, right in self.acknowledged().items():
            task, state = states[key]
            if task == tasks.once.name and state == "dead":
                continue
            assert state == "done", f"{key} of {task} is {state}"
            assert self.huey.result(key, preserve=True) == right
        self.check_rows()


def some_sectors(old: bytes, new: bytes, chance: random.Random) -> bytes:
    """A file some of whose sectors were written."""
    size = chance.choice((len(old), len(new)))
    found = bytearray(old[:size].ljust(size, b"\0"))
    for start in range(0, min(size, len(new)), SECTOR):
        if chance.random() < 0.5:
            sector = new[start : min(start + SECTOR, size)]
            found[start : start + len(sector)] = sector
    return bytes(found)
