"""The project tests/examples/django_tasks_app, as tests run code in it."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parent.parent / "examples" / "django_tasks_app"
#: What the code of a test begins with.
PRELUDE = """
import json, sys
import django; django.setup()
from hueycore.contrib.djhuey import HUEY
from hueycore.contrib.djhuey.framework import *
from letters.tasks import fail, insist, send, write
backend = task_backends["default"]
def told(result):
    return {
        "id": result.id, "status": str(result.status), "queue": result.task.queue_name,
        "attempts": result.attempts, "workers": result.worker_ids,
        "errors": [error.exception_class_path for error in result.errors],
        "value": result._return_value, "priority": result.task.priority,
    }
"""
