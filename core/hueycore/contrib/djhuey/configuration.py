"""What ``settings.HUEY`` says, as an instance."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from hueycore.api import Huey
from hueycore.api.moved import HueyOptions
from hueycore.exceptions import ConfigurationError
from hueycore.storage.base import Storage
from hueycore.storage.location import MEMORY

#: Keys of the dictionary that are not for the class.
OWN = ("huey_class", "connection", "consumer")
#: Keys of its ``consumer`` that are about the log.
FOR_LOGGING = ("logfile", "loglevel", "verbose", "simple_log")


class Misconfigured(Huey):
    """Stands in where the settings are wrong. Tasks can be declared, so that ``manage.py check``
    gets to say what is wrong; any use of the queue raises it."""

    def __init__(self, error: ConfigurationError) -> None:
        super().__init__(filename=MEMORY)
        self.error = error

    def create_storage(self) -> Storage:
        raise self.error


def configured(found: Any, consumer: dict[str, Any]) -> Huey:
    """The instance of the settings; options of its consumer go to ``consumer``."""
    try:
        return _instance(found, consumer)
    except ConfigurationError as error:
        return Misconfigured(error)


def options_of(make: Any) -> set[str]:
    """The options of a class of queues."""
    ours = {*inspect.signature(Huey).parameters, *inspect.signature(make).parameters}
    return (ours | HueyOptions.__annotations__.keys()) - {"others", "options", "kwargs", "args"}


def class_of(named: Any) -> Any:
    """A class by its path. Settings that were written for Huey name its own: that of the same name
    is meant. Raises ``ConfigurationError``."""
    if not isinstance(named, str):
        return named
    package, _, name = named.partition(".")
    try:
        return import_string(f"hueycore.{name}" if package == "huey" else named)
    except ImportError as error:
        raise ConfigurationError(f'HUEY["huey_class"] is {named!r}: {error}') from error


def _instance(found: Any, consumer: dict[str, Any]) -> Huey:
    if isinstance(found, Huey):
        return found
    if found is not None and not isinstance(found, dict):
        raise ConfigurationError(f"settings.HUEY is {found!r}: use a dictionary or an instance")
    options = {"name": _database_name(), "immediate": settings.DEBUG, **(found or {})}
    consumer.update(options.pop("consumer", {}))
    connection = options.pop("connection", {})
    make = class_of(options.pop("huey_class", "hueycore.Huey"))
    ours = options_of(make)
    options.update({name: value for name, value in connection.items() if name in ours})
    others = {name: value for name, value in connection.items() if name not in ours}
    if others:
        options["connection"] = others  # of the client of another engine; a warning says so
    if "filename" in inspect.signature(make).parameters and not options.get("url"):
        options.setdefault("filename", Path(getattr(settings, "BASE_DIR", ".")) / "huey.db")
    try:
        huey = make(**options)
    except TypeError as error:
        raise ConfigurationError(f"settings.HUEY: {error}") from error
    if not isinstance(huey, Huey):
        raise ConfigurationError(
            f'HUEY["huey_class"] is {make.__module__}.{make.__qualname__}, which is no class of '
            "hueycore: import it from there"
        )
    return huey


def _database_name() -> str:
    """That of the default database, without folder and suffix where it is a file."""
    name = settings.DATABASES.get("default", {}).get("NAME")
    return Path(str(name)).stem if name else "huey"
