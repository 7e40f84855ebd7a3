"""Path tasks: any function that can be imported, called by its dotted path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from hueycore.api.part import Part
from hueycore.exceptions import ConfigurationError, UnknownTask
from hueycore.registry import AnyTask
from hueycore.serializer import Serializer
from hueycore.tasks.options import TaskOptions
from hueycore.tasks.result import Result
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api.huey import Huey


class PathTask(TaskWrapper[..., Any]):
    """A function that nobody registered: it has the default options of a task, and is imported
    when it is first called."""

    def __init__(self, huey: Huey, path: str, func: Callable[..., Any] | None = None) -> None:
        module, _, name = path.rpartition(".")

        def imported(*args: Any, **kwargs: Any) -> Any:
            return huey.load_path(path).func(*args, **kwargs)

        super().__init__(huey, func or imported, name, TaskOptions())
        self.name, self.__module__ = path, module
        self.task_class.__module__ = module
        self.is_async = inspect.iscoroutinefunction(func)
        self.plain = not self.is_async

    def __reduce__(self) -> Any:
        return methodcaller("path", self.name), (self.huey,)


class PathTasks:
    """The tasks of one application by their dotted path, registered or not."""

    def __init__(self, huey: Huey) -> None:
        self._huey = huey
        self._loaded: dict[str, AnyTask] = {}

    def known(self, path: str) -> AnyTask | None:
        """The task that is registered under this name, or was imported."""
        return self._huey.registry.get(path) or self._loaded.get(path)

    def named(self, path: str) -> AnyTask:
        """See ``Huey.path``."""
        task = self.known(path)
        if task is None:
            self._check_path(path)
            task = PathTask(self._huey, path)
        return task

    def load(self, path: str) -> AnyTask:
        """See ``Huey.load_path``."""
        task = self.known(path)
        if task is None:
            self._check_path(path)
            task = self._import(path)
        return task

    def _check_path(self, path: str) -> None:
        if not any(fnmatchcase(path, pattern) for pattern in self._huey.allow_paths):
            more = "; allow_paths= does not allow it" if "." in path else ""
            raise UnknownTask(f"no task {path!r} is registered{more}")
        parts = path.split(".")
        if len(parts) < 2 or not all(part.isidentifier() for part in parts):
            raise UnknownTask(f"no task {path!r} is registered, and it is no path of a function")

    def _import(self, path: str) -> AnyTask:
        module_name, _, name = path.rpartition(".")
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name and f"{module_name}.".startswith(f"{error.name}."):
                raise UnknownTask(f"no task {path!r}: there is no module {error.name!r}") from None
            raise
        if registered := self._huey.registry.get(path):
            return registered  # by this import
        found = getattr(module, name, None)
        task = found if isinstance(found, TaskWrapper) else None
        if not callable(found) or (task and not self._is_registered(task)):
            raise UnknownTask(f"no task {path!r}: module {module_name!r} has no function {name!r}")
        if not self._is_at_home(task.func if task else found, path):
            raise UnknownTask(
                f"no task {path!r}: it is defined elsewhere; allow it by its full path"
            )
        if task is None:
            task = self._loaded[path] = PathTask(self._huey, path, found)
        return task

    def _is_registered(self, task: AnyTask) -> bool:
        """False when it was unregistered here: its jobs wait for a process that knows it."""
        return task.huey is not self._huey or self._huey.registry.get(task.name) is task

    def _is_at_home(self, func: Callable[..., Any], path: str) -> bool:
        """A pattern such as ``myapp.*`` means what is defined there, not ``subprocess.run`` because
        a module has imported it."""
        home = f"{getattr(func, '__module__', '')}.{getattr(func, '__qualname__', '')}"
        patterns = self._huey.allow_paths
        return path in patterns or any(fnmatchcase(home, pattern) for pattern in patterns)


class Paths(Part):
    """Part of ``Huey``: calls by dotted path."""

    allow_paths: tuple[str, ...]
    _path_tasks: PathTasks

    def call(self, path: str, *args: Any, **kwargs: Any) -> Result[Any] | None:
        """Enqueue a call of a function by its dotted path, ``huey.call("myapp.utils.reindex",
        "products")``. All keywords are the function's; ``huey.path`` takes options of the job.

        Raises ``UnknownTask`` when no such task is registered here and ``allow_paths`` does not
        allow the path."""
        return self._huey.enqueue(self.path(path).task_class(args, kwargs))

    def path(self, path: str) -> TaskWrapper[..., Any]:
        """The task of a dotted path: the one registered under this name, else a path task, which
        has the default options of a task: ``huey.path("myapp.utils.reindex").s(1, priority=5)``.

        Nothing is imported here: the function need only exist where the consumer runs. It is a
        name in a module, and may be a class or a builtin; methods have no path. Raises
        ``UnknownTask`` as ``call`` does."""
        return self._path_tasks.named(path)

    def load_path(self, path: str) -> AnyTask:
        """The task of a dotted path with its function imported. Raises ``UnknownTask`` when there
        is none, and whatever the import of its module raises."""
        return self._path_tasks.load(path)

    def task_to_run(self, path: str) -> AnyTask:
        """As ``load_path``; but when the module cannot be imported it is each run that raises the
        error, so that the job fails of it as of any other."""
        try:
            return self.load_path(path)
        except UnknownTask:
            raise
        except (Exception, SystemExit) as error:
            return PathTask(self._huey, path, _raising(error))


def patterns(allow_paths: Sequence[str] | None, serializer: Serializer) -> tuple[str, ...]:
    """The ``allow_paths`` of an instance. Raises ``ConfigurationError``."""
    if isinstance(allow_paths, str):
        raise ConfigurationError(f"allow_paths is a list of patterns: [{allow_paths!r}]")
    if allow_paths is None:
        # Who can write a pickle runs code in any case; other payloads are only data.
        return ("*",) if serializer.name == "pickle" else ()
    return tuple(allow_paths)


def _raising(error: BaseException) -> Callable[..., Any]:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fails
