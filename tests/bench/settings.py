"""What ``measure.py`` was told, for every process of one measurement."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
#: A library: hueycore, huey, litequeue and others; with -fast, -unsynced, -synced: see where their
#: queues are opened.
SYSTEM = os.environ["BENCH_SYSTEM"]
FOLDER = Path(os.environ["BENCH_FOLDER"])
FILE = str(FOLDER / "bench.db")
#: The database of this measurement, where the queue is in a server and in no file.
URL = os.environ.get("BENCH_URL", "")
REDIS = URL.startswith("redis")
OURS = SYSTEM.startswith("hueycore")
THEIRS = SYSTEM.partition("-")[0] == "huey"
#: The only tree whose packages may be measured.
TREE = os.environ.get("BENCH_TREE")
#: Of all numbers of jobs, and of seconds: 0.1 is a quick look.
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
#: In the file that is grown before questions are asked, or through the table.
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))


def scaled(number: int) -> int:
    return max(10, int(number * SCALE))


def check_tree(*files: str) -> None:
    for file in files:
        if TREE and not Path(file).is_relative_to(TREE):
            sys.exit(f"{file} is not of {TREE}, the tree to measure")
