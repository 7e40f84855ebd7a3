"""Letters, sent in the background by Django's own Tasks framework."""

import os
from pathlib import Path

import django

BASE_DIR = Path(__file__).parent
SECRET_KEY = "of no use here"
USE_TZ = True
INSTALLED_APPS = ["hueycore.contrib.djhuey", "letters"]
if django.VERSION < (6, 0):
    INSTALLED_APPS.append("django_tasks")  # the backport of the framework
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}

HUEY = {"name": "letters", "url": os.environ.get("LETTERS_QUEUE", "letters.db")}
BACKEND = "hueycore.contrib.djhuey.tasks.HueyBackend"
TASKS = {
    "default": {"BACKEND": BACKEND, "QUEUES": ["default", "mail"]},
    "patient": {"BACKEND": BACKEND, "OPTIONS": {"retries": 2, "retry_delay": 0}},
}
