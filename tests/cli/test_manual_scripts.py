"""Every example of every page runs: here scripts and command lines, beside a consumer."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pagekit
import pytest
from pagekit import Block, Place, blocks, environment, place_in

from hueycore.model.states import State
from hueycore.storage.sqlite import schema
from hueyctl.docs.topics import text_of

pytestmark = pytest.mark.slow

#: How a block is run; ``text`` is a drawing.
LANGUAGES = {"python", "console", "sh", "yaml", "json", "text"}
#: Programs that only a machine of one's own has.
NOT_HERE = ("pip ", "systemctl ")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with place_in(tmp_path) as made:
        yield made


def test_every_block_is_in_a_language_that_is_run() -> None:
    assert {block.language for block in blocks()} == LANGUAGES


#: What a script has said or done, by a word of it.
EFFECTS: dict[str, Callable[[Place, str], bool]] = {
    "sum.txt": lambda place, said: place.run("cat sum.txt") == "3\n",
    "uniq -c": lambda place, said: said.split() == ["2", "app.broken", "ValueError"],
    "--rate": lambda place, said: " requeue " in place.run("hueyctl events --operators -o plain"),
    "periodic add": lambda place, said: "nightly-backup" in place.run("hueyctl periodic list"),
    "before.db": lambda place, said: said.startswith(f"{schema.VERSION}\n"),
    "--textfile": lambda place, said: "hueyctl_jobs" in place.run("cat node_exporter/huey.prom"),
    "--burst": lambda place, said: place.run("hueyctl depth").strip() == "0",
}


@pytest.fixture(params=["file", "application"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script is run as it stands beside a ``huey.db``, and again where an application is set."""
    if request.param == "application":
        monkeypatch.setattr(pagekit, "SETTINGS", {"HUEYCTL_APP": "app.huey"})


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_a_script_does_what_is_said_of_it(place: Place, block: Block) -> None:
    said = place.run(block.text)

    assert [
        word for word, is_so in EFFECTS.items() if word in block.text and not is_so(place, said)
    ] == []


def servers_of(block: Block, request: pytest.FixtureRequest) -> dict[str, str]:
    """The address of a server of tests for each that a block names."""
    found = {}
    if "postgresql://" in block.text:
        url = request.getfixturevalue("postgres_url")
        found["'postgresql://ann@db/app?schema=jobs'"] = f"'{url}'"
        found["postgresql://ann@db/app"] = f"'{url}'"
    if "redis://" in block.text:
        found["redis://db:6379/0"] = request.getfixturevalue("redis_url")
    return found


#: What a command line may exit with, and be right.
EXITS = {"check": (0, 1, 2), "doctor": (0, 1)}


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_command_lines_do_what_they_say(
    place: Place, block: Block, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pagekit, "SETTINGS", {"HUEYCTL_APP": "app.huey"})
    servers = servers_of(block, request)
    if servers:
        place.words |= servers
        bring_a_queue(place, servers)
    if "--from-huey" in block.text:
        leave_a_queue_of_huey(place, servers)
    if "4312" in block.text:
        place.words["4312"] = str(place.begin_a_long_run())
    if "db restore" in block.text or block.page == "transfer":
        place.run("hueyctl db backup backups/huey.db --overwrite")
        stop(place)
    for line in re.findall(r"^\$ (.*)$", block.text, flags=re.M):
        if line.startswith(NOT_HERE):
            continue
        if " events -f" in line:
            follow(place, line)
        elif "db restore" in line:
            place.run(f"{line} --yes")  # a terminal is asked
        elif " consume " in line:
            place.run(f"{line.partition('#')[0]} --burst -q --max-time 5s")
        else:
            name = line.removeprefix("hueyctl ").split()[0]
            place.run(line, *EXITS.get(name, ()))


def bring_a_queue(place: Place, servers: dict[str, str]) -> None:
    """Each server has what this file has."""
    place.run("hueyctl dump --to all.jsonl")
    for url in set(servers.values()):
        place.run(f"hueyctl load all.jsonl -u {url} --create")
    stop(place)


def stop(place: Place) -> None:
    place.consumer.send_signal(signal.SIGTERM)
    place.consumer.wait(30)


def leave_a_queue_of_huey(place: Place, servers: dict[str, str]) -> None:
    """As Huey has it: on the server, or in the file in the place of ours."""
    huey = pytest.importorskip("huey")
    stop(place)
    for url in servers.values():
        there = huey.RedisHuey("app", url=url)
        there.enqueue(there.task(name="add")(lambda a, b: a + b).s(1, 2))
        there.storage.conn.connection_pool.disconnect()
        return
    place.storage.close()
    for path in place.folder.glob("huey.db*"):
        path.unlink()
    old = huey.SqliteHuey("app", filename=str(place.folder / "huey.db"))
    old.enqueue(old.task(name="add")(lambda a, b: a + b).s(1, 2))
    old.storage.close()


def follow(place: Place, line: str) -> None:
    """It goes on until it is interrupted; something happens meanwhile."""
    command = ["bash", "-c", f"exec {line}"]
    with subprocess.Popen(
        command, cwd=place.folder, env=environment(place.folder), stdout=subprocess.PIPE
    ) as follower:
        place.run("hueyctl -A app.huey enqueue app.broken 3")
        assert follower.stdout is not None
        assert b"error" in follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 130


def test_what_is_stuck_on_a_thread_ends_with_its_consumer(place: Place) -> None:
    number = place.begin_a_long_run()

    (kill,) = (block.text for block in blocks("console") if "kill -TERM" in block.text)
    place.run(f"hueyctl -A app.huey revoke {number}")
    place.run(kill.removeprefix("$ "))

    place.consumer.wait(30)
    place.run("hueyctl consume app.huey --burst -q")
    job = place.storage.job(str(number))
    assert job is not None and job.state == State.REVOKED


def test_every_expression_of_the_page_of_filters_is_understood(place: Place) -> None:
    lines = re.findall(r"^    (--where '.+')$", text_of("filters"), flags=re.M)

    assert len(lines) > 4
    for line in lines:
        if "FIELD" not in line:
            place.run(f"hueyctl list --all {line}")
