"""Tasks run in the consumer, outside any request."""

from app import flask_task
from flask import current_app


@flask_task(retries=2)
def send_welcome_email(user_id: int) -> str:
    return f"{current_app.config['SENDER']} welcomes user {user_id}"
