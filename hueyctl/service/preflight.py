"""``consume --preflight``: would a consumer start? Runs nothing and creates nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hueycore.constants import WORKER_PROCESS
from hueyctl import errors, exits
from hueyctl.service.options import consumer_options, import_more

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.storage.open import Location
    from hueyctl.context import Session


def preflight(session: Session, names: Sequence[str], given: dict[str, Any]) -> int:
    """Check every application with the options of ``consume``; the code of the first problem, or
    0."""
    reports, code = [], exits.OK
    for name in names:
        report, found = _check(session, name, given)
        reports.append(report)
        code = code or found
    output = session.output
    if output.is_json:
        if len(reports) == 1 and output.format == "json":
            output.document(reports[0])
        else:
            output.objects(reports)
        return code
    for report in reports:
        if report["ok"]:
            output.line(
                f"{report['app']}: ok, {report['tasks']} tasks, {report['periodic']} periodic, "
                f"{report['storage']}"
            )
        for problem in report["problems"]:
            session.notice(f"{report['app']}: {problem}")
    return code


def _check(session: Session, name: str, given: dict[str, Any]) -> tuple[dict[str, Any], int]:
    report: dict[str, Any] = {
        "schema": "hueyctl.preflight/1",
        "app": name,
        "storage": None,
        "tasks": 0,
        "periodic": 0,
        "ok": False,
        "problems": [],
    }
    try:
        huey = session.app_to_write(name)
        import_more(session, given["imports"])
        where = huey.location
        report["storage"] = os.path.abspath(where.filename) if where.is_file else where.name
        report["tasks"] = len(huey.registry)
        report["periodic"] = len(huey.registry.periodic())
        if where.is_file:
            _look_into(where.filename, huey.name)
        elif where.shared:
            _connect(where, huey.name)
        _compose(huey, consumer_options(given))
    except Exception as error:
        problem = errors.explain(error)
        if problem.bug:
            raise
        report["problems"].append(problem.message)
        return report, problem.code
    report["ok"] = True
    return report, exits.OK


def _compose(huey: Huey, options: dict[str, Any]) -> None:
    """Put a consumer together, which says what its kind of workers lacks."""
    kind = options.get("worker_type", huey.consumer_defaults.get("worker_type"))
    # Worker processes would open the storage, and so create it.
    if not huey.location.shared or kind != WORKER_PROCESS:
        huey.create_consumer(**options)


def _connect(where: Location, queue: str) -> None:
    """Look into the storage; one that is not there yet is made by the first consumer."""
    from hueycore.exceptions import StorageMissing
    from hueycore.storage.open import open_storage

    try:
        storage = open_storage(where, queue, create=False, read_only=True)
    except StorageMissing:
        return
    with closing(storage):
        for found in storage.checkup().get("server", tuple)():
            if not found.facts["writable"]:
                raise errors.CliError(found.text, exits.UNAVAILABLE, found.hint)
            if found.facts.get("transaction_pooler"):
                raise errors.CliError(found.text, exits.CONFIG, found.hint)


def _look_into(path: str, queue: str) -> None:
    """Look into the file; where there is none, see whether one could be made."""
    from hueycore.storage.open import SqliteLocation, open_storage

    if os.path.exists(path):
        open_storage(SqliteLocation(path), queue, create=False, read_only=True).close()
    folder = os.path.dirname(os.path.abspath(path))
    target = path if os.path.exists(path) else folder
    if not os.access(folder, os.W_OK | os.X_OK) or not os.access(target, os.W_OK):
        raise errors.CliError(f"{target} cannot be written", exits.UNAVAILABLE)
