"""A Dockerfile, and a service for Compose."""

from __future__ import annotations

import json

from hueyctl import errors
from hueyctl.commands.scaffold.plan import PORT, Plan, header

#: Python of the image.
PYTHON = "3.13"
#: The user of the image; its number is that of the files in the volume.
UID = 10001
#: Exit 1 unless it is healthy. Not urllib, which would ask a proxy.
_ASK = (
    "import http.client as h; c = h.HTTPConnection('{host}', {port}, timeout=4); "
    "c.request('GET', '/healthz'); exit(c.getresponse().status != 200)"
)


def render(plan: Plan) -> str:
    """The working directory is the volume, so that a queue with a relative path is in it."""
    return (
        header(
            plan,
            f"docker build -t {plan.image} . && "
            f"docker run --init -v {plan.name}-data:/data {plan.image}",
        )
        + f"""\
FROM python:{PYTHON}-slim
ENV PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1
WORKDIR /app
# And what the application needs: COPY requirements.txt . && pip install -r requirements.txt
RUN pip install --no-cache-dir {_distribution(plan)}
# .dockerignore should name .git, .venv and *.db*
COPY . .
RUN useradd --system --uid {UID} worker && install -d -o worker -m 0700 /data
USER worker
# The queue, when its path is relative. All who use it must be on this host.
WORKDIR /data
VOLUME /data
EXPOSE {port(plan)}
STOPSIGNAL SIG{plan.stop_signal}
# Docker gives 10 seconds: docker stop -t {plan.stop_s}
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD {_json(probe(plan))}
CMD {_json(command(plan))}
"""
    )


def compose(plan: Plan) -> str:
    # A dollar sign begins a variable of Compose, also inside of quotes.
    words = _json(command(plan)).replace("$", "$$")
    return (
        header(
            plan,
            "compose.yaml; the image is built from: hueyctl scaffold docker",
            "docker compose up -d --build",
        )
        + f"""\
services:
  {plan.name}:
    build: .
    image: {json.dumps(plan.image, ensure_ascii=False)}
    command: {words}
    # The queue, when its path is relative. All who use it must be on this host.
    working_dir: /data
    volumes:
      - {plan.name}-data:/data
    environment:
      PYTHONFAULTHANDLER: "1"
    expose:
      - "{port(plan)}"
    init: true
    restart: unless-stopped
    stop_signal: SIG{plan.stop_signal}
    stop_grace_period: {plan.stop_s}s
    healthcheck:
      test: {_json(["CMD", *probe(plan)]).replace("$", "$$")}
      interval: 30s
      timeout: 5s
      start_period: 30s
      retries: 3

volumes:
  {plan.name}-data:
"""
    )


def command(plan: Plan) -> list[str]:
    """What the container runs: the application is in /app, and the queue in the volume."""
    words = ["hueyctl", "consume", plan.app, "--app-dir", "/app", *plan.words]
    return words if plan.http else [*words, "--http", f"0.0.0.0:{PORT}"]


def _distribution(plan: Plan) -> str:
    """With what the kind of workers needs besides."""
    return "'hueyctl[greenlet]'" if plan.kind == "greenlet" else "hueyctl"


def probe(plan: Plan) -> list[str]:
    host = plan.http[0] if plan.http else "0.0.0.0"
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return ["python", "-c", _ASK.format(host=local, port=port(plan))]


def port(plan: Plan) -> int:
    """Which the probes ask, so it must be known."""
    if plan.http is not None and plan.http[1] == 0:
        raise errors.usage("a probe has to know the port", f"--http 0.0.0.0:{PORT}")
    return plan.http[1] if plan.http else PORT


def _json(words: list[str]) -> str:
    return json.dumps(words, ensure_ascii=False)
