"""Questions of ``doctor`` about this machine, the settings and the application."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hueycore.model.diagnosis import Diagnosis, ok, problem, skipped, warning
from hueyctl import __version__, config, errors

if TYPE_CHECKING:
    from hueyctl.context import Session

Version = tuple[int, int, int]

#: Two connections that write and checkpoint at the same moment can lose a commit: the releases from
#: the first to before the second of each pair.
WAL_RESET_BUG: tuple[tuple[Version, Version], ...] = (
    ((3, 7, 0), (3, 44, 6)),
    ((3, 45, 0), (3, 50, 7)),
    ((3, 51, 0), (3, 51, 3)),
)
OLDEST_SQLITE: Version = (3, 37, 0)


def versions(session: Session) -> Iterator[Diagnosis]:
    import platform
    from importlib.metadata import PackageNotFoundError, version
    from sqlite3 import sqlite_version

    facts = {
        "hueyctl": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite_version,
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: version(name) for name in ("click", "rich", "tabulate")},
    }
    for driver in ("psycopg", "redis"):
        try:
            facts[driver] = version(driver)
        except PackageNotFoundError:
            pass  # who has no such server needs none
    yield ok("versions", ", ".join(f"{name} {value}" for name, value in facts.items()), **facts)


def sqlite(session: Session) -> Iterator[Diagnosis]:
    """About the release, unless it is known that the queue is in no file."""
    from sqlite3 import sqlite_version_info

    try:
        location = session.where()
    except errors.CliError:
        location = None  # the question about the storage says why
    if location is None or location.is_file:
        yield sqlite_release(sqlite_version_info)


def sqlite_release(found: Version) -> Diagnosis:
    """Whether this SQLite can be used, and whether it has the WAL-reset bug."""
    name = ".".join(map(str, found))
    if found < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        return problem("sqlite", f"SQLite {name} is too old: {oldest} is the least")
    if has_wal_reset_bug(found):
        return warning(
            "sqlite",
            f"SQLite {name} has the WAL-reset bug: two processes that checkpoint while another "
            "writes can lose a commit",
            "3.44.6, 3.50.7 and 3.51.3 have the repair, and some systems repair older ones; "
            "consumers leave checkpoints to one janitor, other programs should not checkpoint",
            wal_reset_bug=True,
        )
    return ok("sqlite", f"SQLite {name} is free of the WAL-reset bug", wal_reset_bug=False)


def has_wal_reset_bug(found: Version) -> bool:
    return any(first <= found < repaired for first, repaired in WAL_RESET_BUG)


def config_sources(session: Session) -> Iterator[Diagnosis]:
    from hueyctl.sources import current

    files = [path for path, _ in reversed(config.files_of(session.ctx))]
    given = [row.as_object() for row in current(session.ctx) if row.source != "default"]
    said = ", ".join(f"{row['setting']}={row['value']} ({row['where']})" for row in given)
    text = f"files: {', '.join(files) or 'none'}; settings: {said or 'all defaults'}"
    yield ok("config", text, files=files, settings=given)
    for path in files:
        if os.stat(path).st_mode & 0o002:
            yield problem("config", f"{path} can be written by everybody", f"chmod o-w {path}")


def application(session: Session) -> Iterator[Diagnosis]:
    if not session.has_app:
        yield skipped("app", "no application was named (--app): code was not looked at")
        return
    if not session.may_import:
        yield skipped("app", "only a config file names it: say --app to have it imported")
        return
    before = len(sys.modules)
    started = time.perf_counter()
    huey = session.app()
    took = time.perf_counter() - started
    session.ctx.call_on_close(huey.close)
    facts = {
        "app": session.settings.app,
        "queue": huey.name,
        "import_s": round(took, 3),
        "modules": len(sys.modules) - before,
        "tasks": len(huey.registry),
        "periodic": len(huey.registry.periodic()),
    }
    text = (
        f"{session.settings.app} imported in {took * 1000:.0f} ms: queue {huey.name!r}, "
        f"{facts['tasks']} tasks, {facts['periodic']} periodic"
    )
    if not len(huey.registry):
        yield warning(
            "app", f"{text}: nothing to run", "import the modules with the tasks there", **facts
        )
    else:
        yield ok("app", text, **facts)
