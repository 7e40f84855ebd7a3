"""The app, which brings its system checks along."""

from contextlib import suppress

from django.apps import AppConfig
from django.conf import settings


class DjhueyConfig(AppConfig):
    name = "hueycore.contrib.djhuey"
    verbose_name = "Huey"

    def ready(self) -> None:
        # Imported here: settings are not there before.
        from hueycore.contrib.djhuey import checks

        checks.register()
        if settings.is_overridden("TASKS"):
            # Django checks them from then on, where nothing else has asked for the framework yet.
            with suppress(ImportError):
                from hueycore.contrib.djhuey import framework  # noqa: F401
