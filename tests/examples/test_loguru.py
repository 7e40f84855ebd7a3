"""Loguru: its lines carry the job, ours go where its lines go, and a job keeps them as well."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import run_python

pytest.importorskip("loguru", reason="loguru is in the dev extra")


# --- the recipe -----------------------------------------------------------------------------------


def log_with_loguru() -> None:
    from loguru import logger

    from hueycore.tasks.joblog import run_of_this_context

    def add_job(record: Any) -> None:
        run = run_of_this_context.get()
        record["extra"].update(job=run and run.seq, task=run and run.task)

    class ToLogging(logging.Handler):  # for keep_logs=, and for every other handler
        def emit(self, record: logging.LogRecord) -> None:
            logging.getLogger(record.name).handle(record)

    logger.configure(patcher=add_job)
    logger.add(ToLogging(), format="{message}")


# --- and that it works ----------------------------------------------------------------------------


def main(path: str) -> None:
    """In a process of its own: Loguru has one logger for all."""
    from loguru import logger

    from hueycore import SqliteHuey
    from tests.helpers import consuming

    lines: list[str] = []
    logger.remove()
    logger.add(lines.append, format="{extra[job]} {extra[task]} {level} {message}")  # type: ignore[arg-type]
    log_with_loguru()
    huey = SqliteHuey("app", path)

    @huey.task(keep_logs=True)
    def work(name: str) -> None:
        logger.info("hello {}", name)

    logger.info("outside")
    handle = work("ann")
    with consuming(huey):
        handle.get(blocking=True, timeout=10)
    kept = [[line.level, line.message] for line in huey.storage.log(1)]
    huey.close()
    print(json.dumps({"lines": [line.strip() for line in lines], "kept": kept}))


@pytest.mark.feature("logs")
def test_lines_carry_the_job_and_are_kept_with_it(tmp_path: Path) -> None:
    code = "import sys; from tests.examples.test_loguru import main; main(sys.argv[1])"

    found = json.loads(run_python(code, str(tmp_path / "queue.db")).splitlines()[-1])

    assert found["lines"] == [
        "None None INFO outside",
        "1 tests.examples.test_loguru.work INFO hello ann",
    ]
    assert found["kept"] == [["INFO", "hello ann"]]
