"""Path tasks: any function that can be imported, called by its dotted path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hueycore.exceptions import ConfigurationError, StorageError, UnknownTask
from hueycore.model.jobs import Claim, Selector
from hueycore.model.retry import NOT_FOUND, UNKNOWN_TASK_PATIENCE
from hueycore.registry import AnyTask, Registry
from hueycore.serializer import Serializer
from hueycore.storage.base import Storage
from hueycore.system import clock
from hueycore.tasks.options import TaskOptions
from hueycore.tasks.task import Task
from hueycore.tasks.wrapper import TaskWrapper

if TYPE_CHECKING:
    from hueycore.api import Huey
    from hueycore.tasks.result import Result


class PathTask(TaskWrapper[..., Any]):
    """A function that nobody registered: it has the default options of a task, and is imported
    when it is first called."""

    def __init__(self, huey: Huey, path: str, func: Callable[..., Any] | None = None) -> None:
        module, _, name = path.rpartition(".")

        def imported(*args: Any, **kwargs: Any) -> Any:
            return huey.load_path(path).func(*args, **kwargs)

        super().__init__(huey, func or imported, name, TaskOptions())
        self.name, self.__module__ = path, module
        self.is_async = inspect.iscoroutinefunction(func)
        self.plain = not self.is_async


class Paths:
    """Part of ``Huey``."""

    registry: Registry
    serializer: Serializer

    if TYPE_CHECKING:

        @property
        def storage(self) -> Storage: ...
        def _huey(self) -> Huey: ...
        def _by_id(self, id: str) -> Selector: ...
        def enqueue(self, task: Task) -> Result[Any] | None: ...

    def _init_paths(self, allow_paths: Sequence[str] | None) -> None:
        if isinstance(allow_paths, str):
            raise ConfigurationError(f"allow_paths is a list of patterns: [{allow_paths!r}]")
        if allow_paths is None:
            # Who can write a pickle runs code in any case; other payloads are only data.
            allow_paths = ("*",) if self.serializer.name == "pickle" else ()
        self.allow_paths = tuple(allow_paths)
        self._loaded: dict[str, AnyTask] = {}

    def call(self, path: str, *args: Any, **kwargs: Any) -> Result[Any] | None:
        """Enqueue a call of a function by its dotted path, ``huey.call("myapp.utils.reindex",
        "products")``. All keywords are the function's; ``huey.path`` takes options of the job.

        Raises ``UnknownTask`` when no such task is registered here and ``allow_paths`` does not
        allow the path."""
        return self.enqueue(Task(self.path(path), args, kwargs))

    def path(self, path: str) -> TaskWrapper[..., Any]:
        """The task of a dotted path: the one registered under this name, else a path task, which
        has the default options of a task: ``huey.path("myapp.utils.reindex").s(1, priority=5)``.

        Nothing is imported here: the function need only exist where the consumer runs. It is a
        name in a module, and may be a class or a builtin; methods have no path. Raises
        ``UnknownTask`` as ``call`` does."""
        task = self.registry.get(path) or self._loaded.get(path)
        if task is None:
            self._check_path(path)
            task = PathTask(self._huey(), path)
        return task

    def load_path(self, path: str) -> AnyTask:
        """The task of a dotted path with its function imported. Raises ``UnknownTask`` when there
        is none, and whatever the import of its module raises."""
        task = self.registry.get(path) or self._loaded.get(path)
        if task is None:
            self._check_path(path)
            task = self._import(path)
        return task

    def task_to_run(self, path: str) -> AnyTask:
        """As ``load_path``; but when the module cannot be imported it is each run that raises the
        error, so that the job fails of it as of any other."""
        try:
            return self.load_path(path)
        except UnknownTask:
            raise
        except (Exception, SystemExit) as error:
            return PathTask(self._huey(), path, _raising(error))

    def unknown_since(self, claim: Claim) -> float | None:
        """When the search for the task of this job began, POSIX seconds; None at its first sight.

        The row's last error says so, unless the job has run or was changed by somebody since."""
        try:
            (job,) = self.storage.jobs(self._by_id(claim.id))
        except (StorageError, ValueError):
            return None
        last = job.errors[-1] if job.errors else {}
        if (last.get("type"), last.get("attempt")) != (NOT_FOUND, claim.attempt):
            return None
        since = float(last["at"])
        return since if clock.now() - since < 2 * UNKNOWN_TASK_PATIENCE else None

    def _check_path(self, path: str) -> None:
        if not any(fnmatchcase(path, pattern) for pattern in self.allow_paths):
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
        if registered := self.registry.get(path):
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
            task = self._loaded[path] = PathTask(self._huey(), path, found)
        return task

    def _is_registered(self, task: AnyTask) -> bool:
        """Not when it was unregistered here: then it is to be forgotten."""
        return task.huey is not self or self.registry.get(task.name) is task

    def _is_at_home(self, func: Callable[..., Any], path: str) -> bool:
        """A pattern such as ``myapp.*`` means what is defined there, not ``subprocess.run`` because
        a module has imported it."""
        home = f"{getattr(func, '__module__', '')}.{getattr(func, '__qualname__', '')}"
        patterns = self.allow_paths
        return path in patterns or any(fnmatchcase(home, pattern) for pattern in patterns)


def _raising(error: BaseException) -> Callable[..., Any]:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fails
