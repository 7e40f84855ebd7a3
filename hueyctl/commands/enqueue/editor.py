"""``enqueue --edit``: arguments as JSON in the editor of the person."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from hueyctl import errors, exits, streams
from hueyctl.answers.payloads import jsonable
from hueyctl.producers.arguments import Call, from_json

if TYPE_CHECKING:
    from hueyctl.context import Session

T = TypeVar("T")


def edited(session: Session, call: Call, accept: Callable[[Call], T], as_it_is: str) -> T:
    """What ``accept`` makes of the call as it was edited, or as it was saved. Where that is refused
    the text can be edited again; what was typed is kept in its file unless it was accepted.
    ``as_it_is`` is the command for who has saved nothing: exit 1."""
    if session.settings.no_input:
        raise errors.CliError("--edit opens an editor", exits.REFUSED, "leave out --no-input")
    try:
        shown = Call(jsonable(call.args), jsonable(call.kwargs))
    except Exception as error:  # too large, or a str() that raises
        raise errors.CliError("the arguments cannot be shown as JSON", exits.REFUSED) from error
    before = json.dumps(shown._asdict(), indent=2, ensure_ascii=False) + "\n"
    path = _new_file(before)
    made = _state(path)
    try:
        while True:
            _open_editor(session, path)
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
            if not text.strip():
                raise errors.CliError("the text is empty: nothing was queued")
            if text == before and _state(path) == made:
                raise errors.CliError(
                    "the editor was left without saving: nothing was queued",
                    hint=f"{as_it_is} queues it as it is",
                )
            try:
                found = accept(_merged(call, shown, _parsed(text)))
            except errors.CliError as error:
                if error.code != exits.USAGE or not _asked_again(session, error):
                    raise
            else:
                os.unlink(path)
                return found
    except BaseException:
        _keep(session, path, before)
        raise


def _new_file(text: str) -> str:
    # Only its owner may read it: arguments are nobody else's.
    descriptor, path = tempfile.mkstemp(prefix="hueyctl-", suffix=".json")
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    # Whoever saves it within the same tick of the file system's clock saves it as well.
    earlier = time.time() - 2
    os.utime(path, (earlier, earlier))
    return path


def _state(path: str) -> tuple[int, int]:
    """What is another one after every save: an editor writes the file, or puts another in its
    place."""
    found = os.stat(path)
    return found.st_ino, found.st_mtime_ns


def _keep(session: Session, path: str, before: str) -> None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
        if text.strip() and text != before:
            streams.say(f"hueyctl: the text is kept in {path}")
        else:
            os.unlink(path)
    except OSError:
        pass  # an editor may have taken it away


def _open_editor(session: Session, path: str) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        if not streams.is_tty(sys.stdin) or os.environ.get("TERM") == "dumb":
            raise errors.CliError("no editor is set, and vi needs a terminal", hint="set EDITOR")
        editor = "vi"
    # What stdout is piped into gets the id alone.
    screen = None if session.output.on_tty else 2
    try:
        code = subprocess.run([*shlex.split(editor), path], stdout=screen, check=False).returncode
    except (OSError, ValueError) as error:
        raise errors.CliError(
            f"cannot run the editor {editor!r}: {getattr(error, 'strerror', None) or error}",
            hint="set EDITOR",
        ) from None
    if code != 0:
        raise errors.CliError(f"the editor {editor!r} ended with {code}: nothing was queued")


def _parsed(text: str) -> Call:
    found = from_json(text, "the text", "")
    if not isinstance(found, dict) or set(found) - {"args", "kwargs"}:
        raise errors.usage('the text is not an object of "args" and "kwargs"')
    args, kwargs = found.get("args", []), found.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise errors.usage('"args" is an array, "kwargs" an object')
    return Call(args, kwargs)


def _merged(call: Call, shown: Call, found: Call) -> Call:
    """Values that nobody edited as they were: JSON does not show all of a date or of bytes."""

    def kept(value: Any, place: Any, before: Any, original: Any) -> Any:
        there = place in before if isinstance(before, dict) else place < len(before)
        same = there and json.dumps(before[place]) == json.dumps(value)
        return original[place] if same else value

    return Call(
        [kept(each, place, shown.args, call.args) for place, each in enumerate(found.args)],
        {name: kept(each, name, shown.kwargs, call.kwargs) for name, each in found.kwargs.items()},
    )


def _asked_again(session: Session, error: errors.CliError) -> bool:
    """Whether the person goes on editing; where nobody can be asked, no."""
    if not streams.is_tty(sys.stdin):
        return False
    sys.stderr.write(streams.visible_lines(f"hueyctl: {error.message}\nEdit it again? [Y/n] "))
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")
