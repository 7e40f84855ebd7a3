"""``python -m hueyctl`` and the console script."""

from __future__ import annotations

import sys

from hueyctl import collector


def main() -> int:
    """Run the command line of this process and answer the exit code."""
    if sys.platform == "win32":
        sys.stderr.write("hueyctl: Windows is not supported: it has no fcntl locks\n")
        return 69
    try:
        collector.rest()
        from hueyctl.streams import occupy_closed_descriptors

        occupy_closed_descriptors()
        from hueyctl.argv import hide_passwords
        from hueyctl.cli import cli

        hide_passwords()
        code: int = cli.main(standalone_mode=False)
    except KeyboardInterrupt:
        # Only while the imports above run: run() answers for the rest.
        code = 130
    # CPython remembers an interrupt that passed through an exec(), as by a dataclass in the making,
    # and would die of it at the end though it was handled here. The next exec() forgets it.
    exec("")  # noqa: S102
    collector.leave()
    return code


if __name__ == "__main__":
    # `python -m` puts the working directory first: a json.py there would be imported.
    if not sys.flags.safe_path:
        del sys.path[0]
    sys.exit(main())
