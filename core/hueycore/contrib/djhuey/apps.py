"""The app, which brings its system checks along."""

from django.apps import AppConfig


class DjhueyConfig(AppConfig):
    name = "hueycore.contrib.djhuey"
    verbose_name = "Huey"

    def ready(self) -> None:
        # Imported here: settings are not there before.
        from hueycore.contrib.djhuey import checks

        checks.register()
