"""The Flask application and its queue; no extension needed."""

import functools
import os
from collections.abc import Callable
from typing import Any

from flask import Flask

from hueycore import SqliteHuey

app = Flask(__name__)
app.config["SENDER"] = "office@example.com"
huey = SqliteHuey("mail", os.environ.get("HUEY_FILE", "huey.db"))


def flask_task(*task_args: Any, **task_kwargs: Any) -> Callable[[Callable[..., Any]], Any]:
    """`@huey.task(…)` for functions that need the application's context."""

    def decorator(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            with app.app_context():
                return function(*args, **kwargs)

        return huey.task(*task_args, **task_kwargs)(inner)

    return decorator
