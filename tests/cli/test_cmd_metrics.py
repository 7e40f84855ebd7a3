"""metrics: the text format of Prometheus."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from clikit import QueueFile
from promkit import Samples, parsed, readable

from hueyctl.answers.prometheus import escaped

Invoke = Callable[..., Result]
OnTty = Callable[..., tuple[int, str]]

URL = ("-u", "queue.db")


def samples(invoke: Invoke, *words: str) -> Samples:
    result = invoke("metrics", *URL, *words)
    assert result.exit_code == 0, result.output
    return parsed(result.stdout)


def value(found: Samples, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


OF_AN_ENGINE = {
    "postgres": {
        "hueyctl_dead_rows", "hueyctl_oldest_transaction_seconds", "hueyctl_connections_left",
    },
    "redis": {"hueyctl_memory_used_bytes", "hueyctl_memory_limit_bytes", "hueyctl_replicas"},
}  # fmt: skip


@pytest.mark.feature("metrics")
def test_the_figures_have_the_names_of_the_specification(
    mixed: QueueFile, invoke: Invoke, engine_name: str
) -> None:
    found = samples(invoke)

    assert {name for name, _ in found} == {
        "hueyctl_storage_up", "hueyctl_storage_bytes", "hueyctl_jobs",
        "hueyctl_oldest_pending_seconds", "hueyctl_queue_paused", "hueyctl_workers",
        "hueyctl_runs_total", "hueyctl_run_seconds_bucket", "hueyctl_run_seconds_sum",
        "hueyctl_run_seconds_count", "hueyctl_wait_seconds_bucket",
        "hueyctl_alarms",
    } | OF_AN_ENGINE.get(engine_name, set())  # fmt: skip
    assert value(found, "hueyctl_storage_up") == 1
    assert value(found, "hueyctl_jobs", queue="huey", state="pending") == 2
    assert value(found, "hueyctl_jobs", queue="huey", state="blocked") == 0
    assert value(found, "hueyctl_workers", state="busy") == 0
    labels = {"queue": "huey", "task": "app.boom"}
    assert value(found, "hueyctl_runs_total", **labels, ending="dead") == 1
    assert value(found, "hueyctl_runs_total", **labels, ending="done") == 0
    assert value(found, "hueyctl_run_seconds_sum", **labels) == 0.5


@pytest.mark.feature("metrics")
def test_prometheus_reads_all_of_both_formats(mixed: QueueFile, invoke: Invoke) -> None:
    mixed.add('odd"\\\n\u2028name')
    mixed.finish()

    classic, opened = (invoke("metrics", *URL, *words) for words in ([], ["--openmetrics"]))

    readable(classic.stdout, opened.stdout)
    assert opened.stdout.endswith("\n# EOF\n")
    assert "# TYPE hueyctl_runs counter" in opened.stdout
    down = [invoke("metrics", "-u", "no.db", *words).stdout for words in ([], ["--openmetrics"])]
    readable(*down)


def test_buckets_only_grow_and_end_with_all(mixed: QueueFile, invoke: Invoke) -> None:
    found = samples(invoke)

    assert value(found, "hueyctl_run_seconds_count", queue="huey", task="app.add") == 1
    for name in ("hueyctl_run_seconds", "hueyctl_wait_seconds"):
        for task in ("app.add", "app.boom"):
            rows = sorted(
                (float(dict(labels)["le"]), count)
                for (each, labels), count in found.items()
                if each == f"{name}_bucket" and dict(labels)["task"] == task
            )
            counts = [count for _, count in rows]
            assert counts == sorted(counts)
            assert rows[-1] == (float("inf"), 1)


@pytest.mark.sql_only("figures are moved in their table")
def test_counters_survive_a_purge(mixed: QueueFile, invoke: Invoke) -> None:
    from hueycore.model.retention import Keeping

    mixed.storage.db.transact(
        lambda con: con.execute("update huey_metric set minute = minute - 60 * 24 * 30")
    )
    before = samples(invoke)
    assert mixed.storage.keep(Keeping())["metrics"] == 2

    after = samples(invoke)
    name = "hueyctl_runs_total"
    assert {k: v for k, v in after.items() if k[0] == name} == {
        k: v for k, v in before.items() if k[0] == name
    }


def test_an_empty_storage_has_gauges_only(queue: QueueFile, invoke: Invoke) -> None:
    found = samples(invoke)

    assert value(found, "hueyctl_storage_up") == 1
    assert not any(name == "hueyctl_runs_total" for name, _ in found)


def test_a_queue_can_be_chosen(mixed: QueueFile, home: Path, invoke: Invoke) -> None:
    other = QueueFile(mixed.where, "mail")
    other.storage.pause()
    other.storage.close()

    assert value(samples(invoke), "hueyctl_queue_paused", queue="mail") == 1
    assert ("hueyctl_queue_paused", frozenset({("queue", "mail")})) not in samples(
        invoke, "-Q", "huey"
    )
    assert invoke("metrics", *URL, "-Q", "none").exit_code == 3


@pytest.mark.parametrize("name", ['"', "\\", "\n", 'a"b\\n\n', "\x1b[2J", "ünï", "{}, ="])
def test_names_are_escaped(queue: QueueFile, invoke: Invoke, name: str) -> None:
    queue.add(name)
    queue.finish()

    found = samples(invoke)

    assert value(found, "hueyctl_runs_total", queue="huey", task=name, ending="done") == 1
    assert "\n" not in escaped(name)


def test_a_terminal_is_not_driven(queue: QueueFile, on_tty: OnTty) -> None:
    queue.add("a\x1b[2Jb")
    queue.finish()

    code, shown = on_tty("metrics", *URL)

    assert code == 0
    assert "\x1b" not in shown


def test_without_a_storage_it_is_down(home: Path, invoke: Invoke) -> None:
    (home / "garbage.db").write_bytes(b"not a database at all" * 500)

    for name in ("missing.db", "garbage.db"):
        result = invoke("metrics", "-u", name)
        assert result.exit_code == 69
        assert parsed(result.stdout) == {("hueyctl_storage_up", frozenset()): 0}
        assert "Traceback" not in result.stderr


def test_a_textfile_is_replaced_whole(mixed: QueueFile, home: Path, invoke: Invoke) -> None:
    target = home / "huey.prom"
    target.write_text("old")
    before = target.stat().st_ino

    result = invoke("metrics", *URL, "--textfile", str(target))

    assert (result.exit_code, result.stdout) == (0, "")
    assert value(parsed(target.read_text()), "hueyctl_storage_up") == 1
    assert target.stat().st_ino != before
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert sorted(path.name for path in home.iterdir() if "prom" in path.name) == ["huey.prom"]

    assert invoke("metrics", "-u", "gone.db", "--textfile", str(target)).exit_code == 69
    assert value(parsed(target.read_text()), "hueyctl_storage_up") == 0


def test_a_textfile_that_cannot_be_written_keeps_the_old_one(
    mixed: QueueFile, home: Path, invoke: Invoke
) -> None:
    (home / "folder.prom").mkdir()

    for name in ("none/huey.prom", "folder.prom"):
        result = invoke("metrics", *URL, "--textfile", str(home / name))
        assert result.exit_code == 74
        assert "Traceback" not in result.stderr
    assert not any(path.name.endswith(".tmp") for path in home.iterdir())


@pytest.mark.sqlite_only("it is about the file")
def test_a_file_that_can_only_be_read_is_enough(
    mixed: QueueFile, home: Path, invoke: Invoke
) -> None:
    mixed.storage.close()
    os.chmod(home / "queue.db", 0o400)

    assert value(samples(invoke), "hueyctl_jobs", queue="huey", state="dead") == 1
