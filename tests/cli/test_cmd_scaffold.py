"""scaffold: files that the real tools take, with command lines that consume takes."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from clikit import APP
from scaffoldkit import (
    FORMATS,
    Invoke,
    command_line,
    instructions,
    made,
    manifests,
    program,
    service,
    unit,
)

Run = Callable[..., subprocess.CompletedProcess[str]]

#: A name with everything that some format means something else by.
ODD = "a $HOME ${x} $(y) \"b\" 'c' %n %i \\z #d ;e {f} [g]: *é"


# --- what is run ----------------------------------------------------------------------------------


@pytest.mark.feature("deployment")
@pytest.mark.parametrize("format_", FORMATS)
def test_the_command_line_passes_a_preflight(
    app: str, invoke: Invoke, home: Path, format_: str
) -> None:
    text = made(
        invoke, format_, app, "-w", "4", "-t", "2m", "-n", "--log-format", "json", "--name", ODD,
        "--import", "json", "--import", "math", "-Q", "odd queue",
    )  # fmt: skip
    words = command_line(format_, text)

    at = words.index("consume")
    called = words[:at]
    assert called in (
        ["hueyctl"],
        [sys.executable, "-m", "hueyctl"],
        [os.path.join(os.path.dirname(sys.executable), "hueyctl")],
    )
    options = words[at + 1 :]
    assert ODD in options
    assert options[options.index("--shutdown-timeout") + 1] == "120"
    # Where the container has the application, this machine has its working directory.
    local = [str(home) if word == "/app" else word for word in options]
    result = invoke("consume", *local, "--preflight", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["ok"]


@pytest.mark.parametrize("format_", FORMATS)
def test_only_what_is_said_is_passed_on(
    app: str, invoke: Invoke, monkeypatch: pytest.MonkeyPatch, home: Path, format_: str
) -> None:
    monkeypatch.setenv("HUEYCTL_CONSUME_WORKERS", "7")
    monkeypatch.setenv("HUEYCTL_QUEUE", "mine")

    words = command_line(format_, made(invoke, format_, app))

    assert "--workers" not in words
    assert "--queue" not in words
    assert words[words.index("--shutdown-timeout") + 1] == "60"
    assert ("--notify" in words) == (format_ == "systemd")
    assert ("--http" in words) == (format_ not in ("systemd", "supervisor"))


@pytest.mark.parametrize("format_", FORMATS)
def test_it_says_how_it_was_made(invoke: Invoke, home: Path, format_: str) -> None:
    text = made(invoke, format_, "app:huey", "--no-periodic", "-Q", "a b", "-M", "9")

    made_by = [line for line in text.splitlines() if "Made by: " in line]
    words = shlex.split(made_by[0].partition("Made by: ")[2])
    assert words[0] == "hueyctl"
    assert invoke(*words[1:]).stdout == text


def test_where_the_storage_is_said_it_stays_there(
    app: str, invoke: Invoke, home: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other dir"
    other.mkdir()
    (other / "app.py").write_text(APP)

    words = command_line("systemd", made(invoke, "systemd", app, "--app-dir", "../other dir",
                                         "-u", "sqlite:///q%20x.db?name=mail"))  # fmt: skip
    assert words[words.index("--url") + 1] == f"sqlite:///{home}/q%20x.db?name=mail"
    plain = command_line("supervisor", made(invoke, "supervisor", app, "-u", "/var/q.db"))
    assert plain[plain.index("--url") + 1] == "/var/q.db"
    read = command_line("systemd", made(invoke, "systemd", app, "-u", "@url.txt"))
    assert read[read.index("--url") + 1] == f"@{home}/url.txt"
    inside = command_line("docker", made(invoke, "docker", app, "-u", "q.db"))
    assert inside[inside.index("--url") + 1] == "q.db"


def test_a_project_config_is_named_where_nobody_would_look_for_it(
    app: str, invoke: Invoke, home: Path
) -> None:
    (home / "hueyctl.toml").write_text("[consume]\nworkers = 3\n")

    words = command_line("docker", made(invoke, "docker", app))
    assert words[words.index("--config") + 1] == "/app/hueyctl.toml"
    assert "--config" not in made(invoke, "systemd", app)
    outside = invoke("scaffold", "docker", app, "--config", "/etc/hosts.toml")
    assert outside.exit_code in (2, 78)


# --- each format ----------------------------------------------------------------------------------


def test_a_unit_knows_our_exit_codes_signals_and_times(
    app: str, invoke: Invoke, home: Path
) -> None:
    text = made(invoke, "systemd", app, "-t", "90")
    found = {key: values[-1] for key, values in unit(text).items()}

    assert found["Type"] == "notify"
    assert found["WorkingDirectory"] == str(home)
    assert found["User"] == pwd.getpwuid(os.stat(home).st_uid).pw_name
    assert found["KillSignal"] == "SIGTERM"
    assert int(found["TimeoutStopSec"]) > 90
    assert int(found["TimeoutStartSec"]) > int(found["TimeoutStopSec"])
    assert found["Restart"] == "on-failure"
    assert found["RestartPreventExitStatus"].split() == ["2", "78"]
    assert found["ExecReload"].endswith("-HUP $MAINPID")
    assert "ReadOnlyPaths" not in found
    assert found["ProtectSystem"] == "full"

    other = unit(made(invoke, "systemd", app, "-g", "INT", "--max-time", "1d", "--user", "me",
                      "-t", "10"))  # fmt: skip
    assert other["KillSignal"] == ["SIGINT"]
    assert other["Restart"] == ["always"]
    assert other["User"] == ["me"]
    assert "TimeoutStartSec" not in other


def test_a_template_has_the_attribute_as_its_instance(invoke: Invoke, home: Path) -> None:
    text = made(invoke, "systemd", "myapp.queues", "--template", "-w", "4")

    assert "myapp.queues:%i --workers 4" in unit(text)["ExecStart"][0]
    assert "enable --now myapp-queues-worker@emails" in text
    assert unit(text)["EnvironmentFile"] == ["-/etc/default/myapp-queues-worker-%i"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_takes_the_units(
    app: str, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / 'an $odd %i "dir" \'s ;x #y \\b é'
    folder.mkdir()
    monkeypatch.chdir(folder)
    units = tmp_path / "units"
    units.mkdir()
    (units / "plain.service").write_text(made(invoke, "systemd", app, "--name", ODD))
    (units / "many@.service").write_text(made(invoke, "systemd", "app", "--template"))
    (units / "wrong.service").write_text("[Service]\nExecStart=/no/such/program\nUsre=x\n")

    def verify(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(units / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    if "Usre" not in verify("wrong.service").stderr:
        pytest.skip("this systemd-analyze checks nothing")
    for name in ("plain.service", "many@huey.service"):
        done = verify(name)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_program_of_supervisor(app: str, invoke: Invoke, home: Path) -> None:
    found = program(made(invoke, "supervisor", app, "--name", ODD, "-t", "30", "--user", "me"))

    assert found["directory"] == str(home)
    assert found["user"] == "me"
    assert found["stopsignal"] == "TERM"
    assert int(found["stopwaitsecs"]) > 30
    assert found["autorestart"] == "unexpected"
    assert found["exitcodes"] == "0,2,78"
    assert (found["stopasgroup"], found["killasgroup"]) == ("false", "true")
    ends = program(made(invoke, "supervisor", app, "--max-time", "1d"))
    assert ends["exitcodes"] == "2,78"


def test_supervisor_gets_no_directory_that_it_reads_as_a_comment(
    app: str, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, plain = tmp_path / "a #b", tmp_path / "a$b %i 'c"
    for folder in (odd, plain):
        folder.mkdir()

    assert invoke("scaffold", "supervisor", app, "--app-dir", str(odd)).exit_code == 2
    found = program(made(invoke, "supervisor", app, "--app-dir", str(plain)))
    assert found["directory"] == str(plain)


def test_an_image(app: str, invoke: Invoke) -> None:
    text = made(invoke, "docker", app, "-g", "INT", "--http", "127.0.0.1:7000")
    found = instructions(text)

    assert found["STOPSIGNAL"] == "SIGINT"
    assert found["WORKDIR"] == found["VOLUME"] == "/data"
    assert found["USER"] == "worker"
    assert found["EXPOSE"] == "7000"
    assert "7000" in found["HEALTHCHECK"]
    assert "docker stop -t 75" in text


def test_the_probe_of_an_image_tells_a_healthy_consumer_from_none(
    app: str, invoke: Invoke, spawn: Any, until: Any, home: Path
) -> None:
    spawn("consume", app, "--http", "127.0.0.1:0", "-l", "log")
    log = home / "log"
    until(lambda: log.exists() and "probes at" in log.read_text())
    (port,) = re.findall(r"probes at http://127.0.0.1:(\d+)", log.read_text())

    def probe(port: str) -> int:
        text = made(invoke, "docker", app, "--http", f"0.0.0.0:{port}")
        words = json.loads(instructions(text)["HEALTHCHECK"].partition("CMD ")[2])
        assert words[0] == "python"
        return subprocess.run([sys.executable, *words[1:]], capture_output=True).returncode

    assert probe(port) == 0
    assert probe("1") == 1


def test_a_service_of_compose(app: str, invoke: Invoke) -> None:
    text = made(invoke, "compose", app, "-t", "2m", "--image", "me/it:1")
    found = service(text)

    assert found["image"] == "me/it:1"
    assert found["stop_grace_period"] == "135s"
    assert found["stop_signal"] == "SIGTERM"
    assert found["working_dir"] == "/data"
    assert found["volumes"] == ["app-worker-data:/data"]
    assert list(yaml.safe_load(text)["volumes"]) == ["app-worker-data"]
    assert found["init"] is True
    assert found["healthcheck"]["test"][:2] == ["CMD", "python"]
    assert found["restart"] == "unless-stopped"


def test_a_service_of_compose_with_a_server_of_its_own(app: str, invoke: Invoke) -> None:
    text = made(invoke, "compose", app, "--engine", "postgres")
    found = yaml.safe_load(text)
    worker, server = found["services"]["app-worker"], found["services"]["postgres"]

    assert worker["environment"]["HUEYCTL_URL"] == "postgresql://huey@postgres/huey"
    assert worker["environment"]["PGPASSWORD"] == server["environment"]["POSTGRES_PASSWORD"]
    assert worker["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "volumes" not in worker
    assert server["volumes"] == ["app-worker-postgres:/var/lib/postgresql/data"]
    assert list(found["volumes"]) == ["app-worker-postgres"]
    image = made(invoke, "docker", app, "--engine", "postgres", "-k", "greenlet")
    assert "pip install --no-cache-dir 'hueyctl[greenlet,postgres]'" in image


def test_a_service_of_compose_with_a_redis_server_of_its_own(app: str, invoke: Invoke) -> None:
    text = made(invoke, "compose", app, "--engine", "redis")
    found = yaml.safe_load(text)
    worker, server = found["services"]["app-worker"], found["services"]["redis"]

    assert worker["environment"]["HUEYCTL_URL"] == "redis://redis:6379/0"
    assert worker["environment"]["REDISCLI_AUTH"] == server["environment"]["REDISCLI_AUTH"]
    assert worker["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert server["command"][-2:] == ["--requirepass", server["environment"]["REDISCLI_AUTH"]]
    options = dict(zip(server["command"][1::2], server["command"][2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert list(found["volumes"]) == ["app-worker-redis"]
    image = made(invoke, "docker", app, "--engine", "redis")
    assert "pip install --no-cache-dir 'hueyctl[redis]'" in image


def test_manifests_of_kubernetes(app: str, invoke: Invoke) -> None:
    text = made(invoke, "kubernetes", app, "-t", "30", "--http", "[::]:9000")
    claim, deployment, container = manifests(text)
    pod = deployment["spec"]["template"]["spec"]

    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["replicas"] == 1
    assert pod["terminationGracePeriodSeconds"] > 30
    (port,) = container["ports"]
    assert port["containerPort"] == 9000
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness",
                                                                      "readiness")}  # fmt: skip
    assert {get["port"] for get in probes.values()} == {port["name"]}
    assert probes["liveness"]["path"] == "/healthz"
    assert probes["startup"]["path"] == probes["readiness"]["path"] == "/readyz"
    (volume,) = pod["volumes"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/data"}]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert "one pod" in text


# --- names and refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("app.huey", "app-worker"),
        ("app:huey", "app-worker"),
        ("my_app.queues:emails", "my-app-queues-emails-worker"),
        ("app:make()", "app-make-worker"),
        ("x" * 80, f"{'x' * 50}-worker"),
        ("é", "huey-worker"),
        ("huey", "huey-worker"),
    ],
)
def test_names_fit_every_format(invoke: Invoke, app: str, name: str) -> None:
    claim, deployment, _ = manifests(made(invoke, "kubernetes", app))

    assert deployment["metadata"]["name"] == name
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", claim["metadata"]["name"])
    assert len(claim["metadata"]["name"]) <= 63


@pytest.mark.parametrize(
    "words",
    [
        ["systemd"],
        ["sysvinit", "app"],
        ["docker", "app", "--template"],
        ["docker", "app", "--user", "me"],
        ["systemd", "app", "--image", "x"],
        ["systemd", "app:huey", "--template"],
        ["systemd", "app", "--template", "--http", "127.0.0.1:9808"],
        ["systemd", "app", "--name", "a\nb"],
        ["systemd", "app", "--app-dir", "nowhere"],
        ["systemd", "app", "--pidfile", "x"],
        ["kubernetes", "app", "-g", "INT"],
        ["kubernetes", "app", "--http", "127.0.0.1:9808"],
        ["compose", "app", "--http", "0.0.0.0:0"],
        ["systemd", "app", "-w", "5000"],
        ["kubernetes", "app", "--engine", "postgres"],
        ["compose", "app", "--engine", "postgres", "-u", "postgresql://h/db"],
        ["systemd", "app", "-u", "postgresql://ann:sesame@h/db"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(home: Path, invoke: Invoke, words: list[str]) -> None:
    result = invoke("scaffold", *words)

    assert result.exit_code == 2
    assert result.stdout == ""


def test_the_application_may_come_from_elsewhere_and_is_not_imported(
    home: Path, invoke: Invoke
) -> None:
    assert "consume nothing:there" in made(invoke, "systemd", "-A", "nothing:there")
    assert list(home.glob("*.db")) == []


def test_a_unit_for_root_says_so(invoke: Invoke, home: Path) -> None:
    result = invoke("scaffold", "systemd", "app", "--app-dir", "/")

    assert "as root" in result.stderr
    assert "as root" not in invoke("scaffold", "systemd", "app", "--user", "me").stderr
