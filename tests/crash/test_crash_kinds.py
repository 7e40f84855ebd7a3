"""Trouble with the disk and the jobs themselves, on every kind of workers."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

from hueycore import StorageFull
from hueycore.model.states import State
from tests.crash.crashkit import DEADLINE, KINDS, Place, every_kind
from tests.helpers import wait_until

# --- disk -----------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path, kind: str) -> Iterator[Place]:
    """A queue on a disk of six megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=6m", "hueyctl-test", str(disk)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode != 0:
        pytest.skip(f"only root can have a small disk: {done.stderr.strip()}")
    made = Place(tmp_path, disk / "queue.db", kind=kind)
    try:
        yield made
    finally:
        made.close()
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


@every_kind
def test_on_a_full_disk_what_has_ended_waits_and_is_written_when_there_is_room(
    small: Place,
) -> None:
    jobs = [small.app.bulky(small.gate(), 1_000_000) for _ in range(2)]
    consumer = small.consumer("-q", workers=2)
    small.wait_for_runs(2)
    small.app.plain("waits")
    ballast = fill(Path(small.path).parent)
    with pytest.raises(StorageFull):
        small.app.plain("x" * 1_000_000)

    small.open_gate()
    small.wait_for_runs(2, "end")
    wait_until(lambda: "endings wait, next try" in consumer.text(), DEADLINE, "trouble")
    assert not consumer.ended
    assert [small.job(job.id).state for job in jobs if job] == [State.RUNNING] * 2
    ballast.unlink()

    wait_until(lambda: small.states() == {"done": 3}, DEADLINE, "all is written")
    assert set(small.ran("start").values()) == {1}
    assert all(job.claim == 1 and job.crashes == 0 for job in small.jobs())
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    small.check_rows()


@pytest.mark.parametrize(
    "kind",
    [kind if kind == "process" else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS],
    indirect=True,
)
def test_a_file_that_somebody_locks_for_long_is_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than a verb's deadline: nothing runs twice, nobody ends, and it goes on at once."""
    monkeypatch.setenv("CRASH_TIMEOUT", "0.5")
    place.app.gated(place.gate())
    consumer = place.consumer("-q", workers=2)
    place.wait_for_runs(1)
    place.app.plain("waits")
    with place.write_lock():
        place.open_gate()
        place.wait_for_runs(1, "end")
        wait_until(lambda: "endings wait, next try" in consumer.text(), DEADLINE, "trouble")
        assert not consumer.ended

    wait_until(lambda: place.states() == {"done": 2}, DEADLINE)
    assert set(place.ran("start").values()) == {1}
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    place.check_rows()


# --- jobs -----------------------------------------------------------------------------------------


@every_kind
def test_jobs_that_cannot_be_read_run_or_kept_harm_nobody_else(place: Place) -> None:
    from hueycore.model.jobs import NewJob
    from hueycore.system.ids import new_id

    app, name = place.app, place.app.plain.name
    module = name.rpartition(".")[0]
    payload, many = (place.huey.serializer.serialize((args, {})) for args in ((), (1, 2, 3)))
    cut, unknown, junk, wrong = (
        place.storage.enqueue([NewJob(task=task, id=new_id(), payload=data)])[0].id
        for task, data in (
            (name, payload[:3]), (f"{module}.nobody", payload), (name, b"\xff" * 1_000_000),
            (name, many),  # of a release whose function took them
        )
    )  # fmt: skip
    bad = [place.huey.enqueue(task) for task in (
        app.mute.s(), app.odd.s(), app.strange.s(10_000_001, retries=3), app.strange.s(),
        app.astrange.s(),
    )]  # fmt: skip
    good = [app.plain(f"good{n}") for n in range(5)]

    consumer = place.consumer("--burst", workers=2)

    assert consumer.wait() == 0
    errors = {}
    for number in (cut, junk, wrong, *(job.id for job in bad if job)):
        row = place.job(number)
        assert (row.state, row.crashes) == (State.DEAD, 0), row
        errors[number] = row.errors[-1]["type"]
    assert errors[wrong] == "TypeError"
    assert [errors[job.id] for job in bad[:3] if job] == ["Mute", "Unwritable", "ResultTooLarge"]
    assert [place.job(job.id).attempt for job in bad[1:3] if job] == [1, 1]
    waiting = place.job(unknown)
    assert (waiting.state, waiting.attempt) == (State.SCHEDULED, 0)
    assert waiting.run_at > waiting.errors[-1]["at"]
    assert all(place.job(job.id).state is State.DONE for job in good if job)
    assert "Traceback" not in consumer.text().partition("hueyctl:")[2]
    place.check_rows()


@every_kind
def test_a_job_may_fork_and_both_sides_go_on(place: Place) -> None:
    jobs = [place.app.forks(f"k{n}") for n in range(4)]
    consumer = place.consumer("-q", workers=2)

    codes = [job.get(blocking=True, timeout=DEADLINE) for job in jobs if job]

    assert codes == [0] * 4
    wait_until(lambda: place.states() == {"done": 12}, DEADLINE)
    assert place.ran("end") == {f"k{n}-{who}": 1 for n in range(4) for who in ("child", "parent")}
    assert all(row.alive for row in place.workers())
    consumer.signal(SIGTERM)
    assert consumer.wait() == 0
    assert place.workers() == []
    place.check_rows()
