"""Where Huey has its backend for Django's Tasks framework."""

from hueycore.contrib.djhuey.tasks import HueyBackend

__all__ = ["HueyBackend"]
