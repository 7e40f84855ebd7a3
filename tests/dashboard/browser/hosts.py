"""Applications that show a queue behind a prefix, served on a free port: ``hosts.py KIND WHERE``.
The first line that it prints is the address."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from waitress import create_server

BASE = "/ops/queue"
ANN = ("ann", True)


def plain(where: str) -> Any:
    """A WSGI application with nothing around it but the prefix."""
    from hueyctl.dashboard import wsgi

    shown = wsgi(where, person=lambda _environ: ANN)

    def application(environ: Any, start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if not path.startswith(BASE):
            start_response("404 Not Found", [])
            return []
        return shown(
            {**environ, "SCRIPT_NAME": BASE, "PATH_INFO": path[len(BASE) :]}, start_response
        )

    return application


def flask(where: str) -> Any:
    from flask import Flask
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    from hueyctl.dashboard import wsgi

    application = Flask("shop")
    application.add_url_rule("/", view_func=lambda: "shop")
    shown = wsgi(where, person=lambda _environ: ANN)
    return DispatcherMiddleware(application.wsgi_app, {BASE: shown})


def fastapi(where: str) -> Any:
    from fastapi import FastAPI

    from hueyctl.dashboard import asgi

    application = FastAPI()
    application.mount(BASE, asgi(where, person=lambda _scope: ANN))
    return _served(application)


def django(where: str) -> Any:
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path

    from hueyctl.dashboard import django as door

    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
    )
    view = door(where, person=lambda _request: ANN)
    globals()["urlpatterns"] = [path("ops/queue/", view), path("ops/queue/<path:page>", view)]
    return get_wsgi_application()


def _served(application: Any) -> Any:
    """An ASGI application as a WSGI one: each request in a loop of its own."""

    def answer(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = [
            (name.removeprefix("HTTP_").replace("_", "-").lower().encode(), value.encode("latin-1"))
            for name, value in environ.items()
            if name.startswith(("HTTP_", "CONTENT_"))
        ]
        path = environ["PATH_INFO"].encode("latin-1").decode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": environ["REQUEST_METHOD"],
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": environ["QUERY_STRING"].encode(),
            "headers": headers,
            "client": None,
            "server": None,
        }
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(application(scope, receive, send))
        pairs = [(name.decode(), value.decode("latin-1")) for name, value in sent[0]["headers"]]
        start_response(f"{sent[0]['status']} X", pairs)
        return [message.get("body", b"") for message in sent[1:]]

    return answer


KINDS = {"plain": plain, "flask": flask, "fastapi": fastapi, "django": django}


def main(kind: str, where: str) -> None:
    __import__(__name__)  # Django finds its addresses here
    server = create_server(KINDS[kind](where), host="127.0.0.1", port=0, threads=8)
    print(f"http://127.0.0.1:{server.effective_port}{BASE}", flush=True)
    server.run()


if __name__ == "__main__":
    sys.modules["hosts"] = sys.modules[__name__]
    main(*sys.argv[1:])
