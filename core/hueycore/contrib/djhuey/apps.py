"""The app: it brings its system checks along, and its tables come with those of the project."""

import os
from contextlib import suppress
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import connections
from django.db.models.signals import post_migrate

from hueycore.storage.location import SqliteLocation


class DjhueyConfig(AppConfig):
    name = "hueycore.contrib.djhuey"
    verbose_name = "Huey"

    def ready(self) -> None:
        # Imported here: settings are not there before.
        from hueycore.contrib.djhuey import checks

        checks.register()
        post_migrate.connect(_make_queue, sender=self)
        if settings.is_overridden("TASKS"):
            # Django checks them from then on, where nothing else has asked for the framework yet.
            with suppress(ImportError):
                from hueycore.contrib.djhuey import framework  # noqa: F401


def _make_queue(using: str, **_: Any) -> None:
    """With the tables of the project those of a queue in the same file: a first enqueue within a
    transaction of Django's would find the file locked, by that transaction."""
    from hueycore.contrib.djhuey import HUEY

    where, database = HUEY.location, connections[using]
    if database.vendor != "sqlite" or not isinstance(where, SqliteLocation):
        return
    name = str(database.settings_dict["NAME"])
    if where.is_file and os.path.realpath(name) == os.path.realpath(where.filename):
        HUEY.storage  # noqa: B018  it is made when it is opened
