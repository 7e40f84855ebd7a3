"""``python -m hueycore.bin.huey_consumer app.huey -w 4``: ``hueyctl consume`` for launchers that
know Huey's consumer. The options are Huey's and those of ``hueyctl consume``."""

from __future__ import annotations

import sys
from typing import NoReturn

from hueyctl.__main__ import main


def consumer_main() -> NoReturn:
    """Run a consumer with the words of the command line, and exit with its code."""
    sys.argv[:1] = ["hueyctl", "consume"]
    sys.exit(main())


if __name__ == "__main__":
    # As in hueyctl: a json.py of the working directory is not ours.
    if not sys.flags.safe_path:
        del sys.path[0]
    consumer_main()
