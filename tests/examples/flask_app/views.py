"""Views enqueue, and answer at once."""

from typing import Any

from app import app, huey
from flask import jsonify
from tasks import send_welcome_email

from hueycore import Result, UnknownJob


@app.post("/signup/<int:user_id>")
def signup(user_id: int) -> Any:
    return jsonify(task_id=send_welcome_email(user_id).id), 202


@app.get("/status/<task_id>")
def status(task_id: str) -> Any:
    handle: Result[str] = Result(huey, task_id)
    try:
        return jsonify(state=str(handle.state), value=handle.get(preserve=True))
    except UnknownJob:
        return jsonify(error="no such job"), 404


@app.get("/huey/health/")
def health() -> Any:
    return jsonify(pending=huey.pending_count(), dead=huey.dead_count())
