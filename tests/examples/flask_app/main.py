"""`flask --app main run` serves, `hueyctl consume main.huey -w 4` works: all of it is imported."""

import tasks
import views
from app import app, huey

__all__ = ["app", "huey", "tasks", "views"]
