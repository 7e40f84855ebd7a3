"""A program for supervisord."""

from __future__ import annotations

import re
import shlex

from hueyctl import errors
from hueyctl.commands.scaffold.deployment import Deployment, header, program


def render(deployment: Deployment) -> str:
    words = [*program(), "consume", deployment.app, *deployment.words]
    return (
        header(
            deployment,
            f"/etc/supervisor/conf.d/{deployment.name}.conf",
            "supervisorctl reread && supervisorctl update",
        )
        + f"""\
[program:{deployment.name}]
command={_command(words)}
directory={_value(deployment.directory)}
user={_value(deployment.user)}
environment=PYTHONFAULTHANDLER="1"
autostart=true
; 2 and 78, a wrong command line or an application that cannot be imported: trying again does not
; help.
autorestart=unexpected
exitcodes={"2,78" if deployment.endless else "0,2,78"}
startsecs=2
; Only the consumer is told to stop, not the programs that its jobs run.
stopsignal={deployment.stop_signal}
stopwaitsecs={deployment.stop_s}
stopasgroup=false
killasgroup=true
"""
    )


def _command(words: list[str]) -> str:
    """Quoted as for a shell. A blank before ; or # begins a comment, also inside of quotes: there
    the quotes are closed and opened again."""
    text = " ".join(re.sub(r"(\s)([;#])", r"\1''\2", shlex.quote(word)) for word in words)
    return text.replace("%", "%%")


def _value(text: str) -> str:
    if re.search(r"\s[;#]", text) or text != text.strip():
        raise errors.usage(f"supervisor cannot take {text!r}: it would read a comment")
    return text.replace("%", "%%")
