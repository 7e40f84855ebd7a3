"""scaffold: what the real tools make of its files, on every kind of workers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from clikit import DEADLINE, living_workers
from scaffoldkit import FORMATS, Invoke, command_line, instructions, made, manifests

Until = Callable[..., None]

KINDS = ("thread", "greenlet", "asyncio", "process")


def tool(name: str) -> str:
    """A program beside this Python, or anywhere."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("kind", ["greenlet", "process"])
@pytest.mark.parametrize("format_", FORMATS)
def test_each_format_says_the_kind_and_gives_it_time_to_stop(
    app: str, invoke: Invoke, format_: str, kind: str
) -> None:
    text = made(invoke, format_, app, "-k", kind, "-w", "4", "-t", "100")
    words = command_line(format_, text)

    assert words[words.index("--worker-type") + 1] == kind
    # The jobs' own time, a second to clean up, ten for the process beside, and some more.
    (given,) = re.findall(
        r"(?:TimeoutStopSec=|stopwaitsecs=|stop -t |grace_period: |GracePeriodSeconds: )(\d+)", text
    )
    assert int(given) >= 100 + 1 + 10


def test_an_image_for_greenlets_has_gevent(app: str, invoke: Invoke) -> None:
    plain = instructions(made(invoke, "docker", app, "-k", "process"))["RUN"]
    text = made(invoke, "docker", app, "-k", "greenlet")

    assert "pip install --no-cache-dir 'hueyctl[greenlet]'\n" in text
    assert "greenlet" not in plain


def test_a_pod_has_somebody_who_buries_what_jobs_leave_behind(app: str, invoke: Invoke) -> None:
    _, deployment, _ = manifests(made(invoke, "kubernetes", app, "-k", "process"))

    assert deployment["spec"]["template"]["spec"]["shareProcessNamespace"] is True


@pytest.mark.parametrize("kind", KINDS)
def test_systemd_takes_the_unit(app: str, invoke: Invoke, tmp_path: Path, kind: str) -> None:
    words = [tool("systemd-analyze"), "verify", "--man=no", str(tmp_path / "it.service")]
    (tmp_path / "it.service").write_text("[Service]\nExecStart=/no/such/program\nUsre=x\n")
    if "Usre" not in subprocess.run(words, capture_output=True, text=True, check=False).stderr:
        pytest.skip("this systemd-analyze checks nothing")
    (tmp_path / "it.service").write_text(made(invoke, "systemd", app, "-k", kind))

    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_kubectl_reads_the_manifests(app: str, invoke: Invoke, tmp_path: Path) -> None:
    """``--dry-run`` asks a cluster; what needs none is kustomize."""
    kubectl = tool("kubectl")
    (tmp_path / "it.yaml").write_text(made(invoke, "kubernetes", app, "-k", "process"))
    (tmp_path / "kustomization.yaml").write_text("namePrefix: my-\nresources: [it.yaml]\n")

    done = subprocess.run(
        [kubectl, "kustomize", str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    read = {one["kind"]: one for one in yaml.safe_load_all(done.stdout)}
    assert read.keys() == {"PersistentVolumeClaim", "Deployment"}
    # It knows what the names mean: the volume follows its claim.
    (volume,) = read["Deployment"]["spec"]["template"]["spec"]["volumes"]
    claim = volume["persistentVolumeClaim"]["claimName"]
    assert claim == read["PersistentVolumeClaim"]["metadata"]["name"] == "my-app-worker-data"


def test_compose_reads_the_service(app: str, invoke: Invoke, home: Path) -> None:
    docker = tool("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no compose here")
    (home / "compose.yaml").write_text(made(invoke, "compose", app, "--name", "a $HOME"))

    done = subprocess.run(
        [docker, "compose", "config", "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "a $HOME" in done.stdout.replace("$$", "$")


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_supervisord_starts_restarts_and_stops_it(
    app: str, invoke: Invoke, home: Path, tmp_path: Path, until: Until, kind: str
) -> None:
    supervisord = tool("supervisord")
    path = home / "queue.db"
    config = tmp_path / "supervisord.conf"
    config.write_text(
        f"[supervisord]\nnodaemon=true\nlogfile={tmp_path}/log\npidfile={tmp_path}/pid\n"
        f"childlogdir={tmp_path}\n" + made(invoke, "supervisor", app, "-k", kind, "-w", "2")
    )
    running = subprocess.Popen(
        [supervisord, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: sum(row.slots for row in living_workers(path)) == 2)
        before = pids(path)
        os.kill(consumer_of(running.pid), signal.SIGKILL)
        until(lambda: is_replaced(path, before))

        running.terminate()
        assert running.wait(DEADLINE) == 0
        assert living_workers(path) == []
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()


def pids(path: Path) -> set[int]:
    return {row.pid for row in living_workers(path)}


def is_replaced(path: Path, before: set[int]) -> bool:
    """Seen at one moment: who was killed lives on until the kernel has come to it."""
    rows = living_workers(path)
    return sum(row.slots for row in rows) == 2 and before.isdisjoint(row.pid for row in rows)


def consumer_of(supervisord: int) -> int:
    children: Any = Path(f"/proc/{supervisord}/task/{supervisord}/children").read_text().split()
    return int(children[0])
