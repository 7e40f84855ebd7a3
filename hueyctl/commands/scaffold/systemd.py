"""A unit for systemd, plain or a template."""

from __future__ import annotations

import re

from hueyctl.commands.scaffold.deployment import Deployment, header, program

#: Longer than any pause between two signs of life.
WATCHDOG = 30
#: systemd gives a start or a restart by HUP so many seconds if nobody says otherwise.
DEFAULT_START = 90

#: What no consumer needs, and what leaves SQLite alone: it writes its file, the log beside it and
#: the file of locks, wherever the application has them, outside of /usr, /boot and /etc.
HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
"""


def render(deployment: Deployment) -> str:
    unit = f"{deployment.name}@" if deployment.template else deployment.name
    started = f"{unit}emails {unit}reports" if deployment.template else unit
    app = deployment.app.replace("%", "%%") + (":%i" if deployment.template else "")
    words = [*map(_word, (*program(), "consume")), *_application(deployment)]
    words += [*map(_word, deployment.words), "--notify"]
    start = deployment.stop_s + WATCHDOG
    return (
        header(
            deployment,
            f"/etc/systemd/system/{unit}.service",
            f"systemctl daemon-reload && systemctl enable --now {started}",
        )
        + f"""\
[Unit]
Description=Huey consumer of {app}
Documentation=man:hueyctl-consume(1)
After=network.target

[Service]
# Ready when its workers run; replaced when one of its loops hangs.
Type=notify
NotifyAccess=main
WatchdogSec={WATCHDOG}
User={_text(deployment.user)}
WorkingDirectory={_text(deployment.directory)}
# Settings such as HUEYCTL_CONSUME_WORKERS=8, and what the application needs.
EnvironmentFile=-/etc/default/{deployment.name}{"-%i" if deployment.template else ""}
# A consumer that hangs is ended with ABRT: the log then says where it was.
Environment=PYTHONFAULTHANDLER=1
ExecStart={_no_variables(words)}{" ".join(words)}
# Restart with new code: running jobs end first.
ExecReload=/bin/kill -HUP $MAINPID
"""
        + (f"TimeoutStartSec={start}\n" if start > DEFAULT_START else "")
        + f"""\
# Only the consumer is told to stop, not the programs that its jobs run.
KillMode=mixed
KillSignal=SIG{deployment.stop_signal}
TimeoutStopSec={deployment.stop_s}
Restart={"always" if deployment.endless else "on-failure"}
RestartSec=5
# A wrong command line, an application that cannot be imported: trying again does not help.
RestartPreventExitStatus=2 78
# The folder of the queue must stay writable: not below /usr, /boot or /etc.
{HARDENING}{_private_tmp(deployment)}
[Install]
WantedBy=multi-user.target
"""
    )


def _application(deployment: Deployment) -> list[str]:
    return [f"{_word(deployment.app)}:%i" if deployment.template else _word(deployment.app)]


def _no_variables(words: list[str]) -> str:
    """The sign before a command line whose dollar signs are meant."""
    return ":" if any("$" in word for word in words) else ""


def _private_tmp(deployment: Deployment) -> str:
    """Not for an application that lives there."""
    inside = any(f"{deployment.directory}/".startswith(f"{each}/") for each in ("/tmp", "/var/tmp"))
    return "" if inside else "PrivateTmp=yes\n"


def _text(value: str) -> str:
    """A value that is taken as it is, but for specifiers."""
    return value.replace("%", "%%")


def _word(word: str) -> str:
    """A word of a command line: specifiers, and quoting as in C."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if re.fullmatch(r"[\w@%+=:,./\[\]-]+", word) else f'"{escaped}"'
