"""Find the application: ``module:attr``, ``module.attr``, ``module`` or ``module:factory()``."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from hueyctl import collector, errors, exits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hueycore import Huey, TaskWrapper


def load(name: str, folder: str | None = None) -> Huey:
    """The Huey instance that ``name`` means. Whatever goes wrong is a ``CliError`` with 78."""
    folder = os.path.abspath(folder or os.getcwd())
    if not os.path.isdir(folder):
        raise _bad(f"--app-dir {folder}: no such directory")
    # Before the folder is on the path: what the library imports is not the application's.
    import_module("hueycore.api")
    collector.work()

    with _importable(folder), redirect_stdout(sys.stderr):
        # An application that prints while it is imported must not spoil JSON on stdout.
        module_name, separator, attribute = name.strip().partition(":")
        if not module_name or (separator and not attribute):
            raise _bad(f"{name!r} names no application", "like --app module:huey")
        if os.sep in module_name or not all(module_name.split(".")):
            raise _no_module_name(name.strip(), module_name, attribute, folder)
        if separator:
            return _pick(_imported(module_name, folder), attribute, name)
        return _dotted(module_name, folder)


def _no_module_name(name: str, module: str, attribute: str, folder: str) -> errors.CliError:
    """About a path where the name of a module is wanted: which name that file has."""
    path = os.path.normpath(os.path.join(folder, module.removesuffix(".py")))
    if not (os.path.isfile(f"{path}.py") or os.path.isfile(os.path.join(path, "__init__.py"))):
        return _bad(f"{name!r} is not the name of a module", "like --app package.module:huey")
    within = os.path.relpath(path, folder)
    more = ""
    if within.startswith(os.pardir):
        more, within = f" --app-dir {os.path.dirname(path)}", os.path.basename(path)
    dotted = within.replace(os.sep, ".") + (f":{attribute}" if attribute else "")
    return _bad(f"{name!r} is a file, and not the name of a module", f"say --app {dotted}{more}")


def import_module_of_app(name: str, folder: str | None = None) -> None:
    """Import one more module of the application, for what its import does."""
    folder = os.path.abspath(folder or os.getcwd())
    with _importable(folder), redirect_stdout(sys.stderr):
        _imported(name, folder)


def load_path(huey: Huey, path: str, folder: str | None = None) -> TaskWrapper[Any, Any]:
    """The function of a dotted path as a task. Raises ``UnknownTask``, and a ``CliError`` with 78
    when its module raises."""
    from hueycore.exceptions import UnknownTask

    folder = os.path.abspath(folder or os.getcwd())
    with _importable(folder), redirect_stdout(sys.stderr):
        try:
            return huey.load_path(path)
        except (KeyboardInterrupt, UnknownTask):
            raise
        except BaseException as error:
            raise _failed(path.rpartition(".")[0], error) from error


@contextmanager
def _importable(folder: str) -> Iterator[None]:
    """First on the path while the application is imported; last after that, so that its tasks
    can import more, and no file of its folder shadows a module that is imported later."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)


def _dotted(name: str, folder: str) -> Huey:
    parent, _, last = name.rpartition(".")
    try:
        return _only_instance(_imported(name, folder), name)
    except errors.CliError as error:
        if not parent or not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        if error.__cause__.name != name:
            raise
        return _pick(_imported(parent, folder), last, name)


def _imported(name: str, folder: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise _bad(
                f"there is no module {name!r} in {folder} or on the Python path",
                _near_module(name, folder),
            ) from error
        raise _failed(name, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> errors.CliError:
    where = "".join(f"\n  {line}" for line in _user_frames(error.__traceback__))
    if isinstance(error, SyntaxError) and error.filename:
        where += f"\n  {error.filename}:{error.lineno}"
    return _bad(f"cannot import {name!r}: {type(error).__name__}: {error}{where}")


def _user_frames(traceback: TracebackType | None) -> list[str]:
    """The frames of the application itself: no import machinery, nothing of hueyctl."""
    from linecache import getline
    from traceback import extract_tb

    import hueycore

    here = os.path.dirname(os.path.abspath(__file__))
    core = os.path.dirname(os.path.abspath(hueycore.__file__))
    frames = [
        frame
        for frame in extract_tb(traceback)
        if not frame.filename.startswith("<frozen")
        and not frame.filename.startswith((here, core))
        and f"{os.sep}importlib{os.sep}" not in frame.filename
    ]
    return [
        f"{frame.filename}:{frame.lineno}: {getline(frame.filename, frame.lineno or 0).strip()}"
        for frame in frames[-4:]
    ]


def _near_module(name: str, folder: str) -> str | None:
    from difflib import get_close_matches

    try:
        names = [entry.removesuffix(".py") for entry in sorted(os.listdir(folder))]
    except OSError:
        return None
    near = get_close_matches(name.partition(".")[0], names, 1)
    return f"did you mean {near[0]!r}?" if near else "say where it is with --app-dir"


def _pick(module: ModuleType, attribute: str, name: str) -> Huey:
    call = attribute.endswith("()")
    found: Any = module
    for part in attribute.removesuffix("()").split("."):
        if not hasattr(found, part):
            raise _bad(
                f"{name!r}: {module.__name__} has no {part!r}", _near_attribute(module, part)
            )
        found = getattr(found, part)
    if call:
        try:
            found = found()
        except Exception as error:
            raise _failed(name, error) from error
    if not _is_huey(found):
        raise _not_an_application(module, name, found, call)
    huey: Huey = found
    return huey


def _not_an_application(
    module: ModuleType, name: str, found: object, called: bool
) -> errors.CliError:
    from hueycore import TaskWrapper

    if isinstance(found, TaskWrapper):
        return _bad(f"{name!r} is a task and not an application", _near_attribute(module, "huey"))
    hint = f"write {name}()" if callable(found) and not called else None
    return _bad(f"{name!r} is not a Huey instance but {type(found).__name__}", hint)


def _only_instance(module: ModuleType, name: str) -> Huey:
    if _is_huey(getattr(module, "huey", None)):
        huey: Huey = module.huey
        return huey
    found = {
        key: value
        for key, value in vars(module).items()
        if _is_huey(value) and not key.startswith("_")
    }
    distinct = {id(value) for value in found.values()}
    if len(distinct) == 1:
        only: Huey = next(iter(found.values()))
        return only
    if found:
        names = ", ".join(f"{name}:{key}" for key in sorted(found))
        raise _bad(f"{name!r} has several Huey instances", f"choose one of {names}")
    raise _bad(f"{name!r} has no Huey instance", "like huey = SqliteHuey(filename='queue.db')")


def _near_attribute(module: ModuleType, wanted: str) -> str | None:
    from difflib import get_close_matches

    instances = sorted(key for key, value in vars(module).items() if _is_huey(value))
    near = instances or get_close_matches(wanted, dir(module), 1)
    return f"did you mean {module.__name__}:{near[0]}?" if near else None


def _is_huey(value: object) -> bool:
    from hueycore import Huey

    return isinstance(value, Huey)


def _bad(message: str, hint: str | None = None) -> errors.CliError:
    return errors.CliError(message, exits.CONFIG, hint)
