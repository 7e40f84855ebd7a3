"""``python -m hueyctl`` and the console script."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process and answer the exit code."""
    try:
        from hueyctl.streams import occupy_closed_descriptors

        occupy_closed_descriptors()
        from hueyctl.cli import cli

        return cli.main(standalone_mode=False)
    except KeyboardInterrupt:
        # Only while the imports above run: run() answers for the rest.
        return 130


if __name__ == "__main__":
    sys.exit(main())
