"""A program for supervisord."""

from __future__ import annotations

import re
import shlex

from hueyctl import errors
from hueyctl.commands.scaffold.plan import Plan, header, program


def render(plan: Plan) -> str:
    words = [*program(), "consume", plan.app, *plan.words]
    return (
        header(
            plan,
            f"/etc/supervisor/conf.d/{plan.name}.conf",
            "supervisorctl reread && supervisorctl update",
        )
        + f"""\
[program:{plan.name}]
command={_command(words)}
directory={_value(plan.directory)}
user={_value(plan.user)}
environment=PYTHONFAULTHANDLER="1"
autostart=true
; 2 and 78, a wrong command line or an application that cannot be imported: trying again does not
; help.
autorestart=unexpected
exitcodes={"2,78" if plan.endless else "0,2,78"}
startsecs=2
; Only the consumer is told to stop, not the programs that its jobs run.
stopsignal={plan.stop_signal}
stopwaitsecs={plan.stop_s}
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
