"""A Dockerfile, and a service for Compose."""

from __future__ import annotations

import json

from hueyctl import errors
from hueyctl.commands.scaffold.deployment import PORT, Deployment, header

#: Python of the image.
PYTHON = "3.13"
#: The user of the image; its number is that of the files in the volume.
UID = 10001
#: Exit 1 unless it is healthy. Not urllib, which would ask a proxy.
_ASK = (
    "import http.client as h; c = h.HTTPConnection('{host}', {port}, timeout=4); "
    "c.request('GET', '/healthz'); exit(c.getresponse().status != 200)"
)


def render(deployment: Deployment) -> str:
    """The working directory is the volume, so that a queue with a relative path is in it."""
    healthy = _json(probe(deployment))
    return (
        header(
            deployment,
            f"docker build -t {deployment.image} . && "
            f"docker run --init -v {deployment.name}-data:/data {deployment.image}",
        )
        + f"""\
FROM python:{PYTHON}-slim
ENV PYTHONUNBUFFERED=1 PYTHONFAULTHANDLER=1
WORKDIR /app
# And what the application needs: COPY requirements.txt . && pip install -r requirements.txt
RUN pip install --no-cache-dir {_distribution(deployment)}
# .dockerignore should name .git, .venv and *.db*
COPY . .
RUN useradd --system --uid {UID} worker && install -d -o worker -m 0700 /data
USER worker
# The queue, when its path is relative. All who use it must be on this host.
WORKDIR /data
VOLUME /data
EXPOSE {port(deployment)}
STOPSIGNAL SIG{deployment.stop_signal}
# Docker gives 10 seconds: docker stop -t {deployment.stop_s}
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD {healthy}
CMD {_json(command(deployment))}
"""
    )


def compose(deployment: Deployment) -> str:
    # A dollar sign begins a variable of Compose, also inside of quotes.
    words = _json(command(deployment)).replace("$", "$$")
    return (
        header(
            deployment,
            "compose.yaml; the image is built from: hueyctl scaffold docker",
            "docker compose up -d --build",
        )
        + f"""\
services:
  {deployment.name}:
    build: .
    image: {json.dumps(deployment.image, ensure_ascii=False)}
    command: {words}
    # The queue, when its path is relative. All who use it must be on this host.
    working_dir: /data
    volumes:
      - {deployment.name}-data:/data
    environment:
      PYTHONFAULTHANDLER: "1"
    expose:
      - "{port(deployment)}"
    init: true
    restart: unless-stopped
    stop_signal: SIG{deployment.stop_signal}
    stop_grace_period: {deployment.stop_s}s
    healthcheck:
      test: {_json(["CMD", *probe(deployment)]).replace("$", "$$")}
      interval: 30s
      timeout: 5s
      start_period: 30s
      retries: 3

volumes:
  {deployment.name}-data:
"""
    )


def command(deployment: Deployment) -> list[str]:
    """What the container runs: the application is in /app, and the queue in the volume."""
    words = ["hueyctl", "consume", deployment.app, "--app-dir", "/app", *deployment.words]
    return words if deployment.http else [*words, "--http", f"0.0.0.0:{PORT}"]


def _distribution(deployment: Deployment) -> str:
    """With what the kind of workers needs besides."""
    return "'hueyctl[greenlet]'" if deployment.kind == "greenlet" else "hueyctl"


def probe(deployment: Deployment) -> list[str]:
    host = deployment.http[0] if deployment.http else "0.0.0.0"
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return ["python", "-c", _ASK.format(host=local, port=port(deployment))]


def port(deployment: Deployment) -> int:
    """Which the probes ask, so it must be known."""
    if deployment.http is not None and deployment.http[1] == 0:
        raise errors.usage("a probe has to know the port", f"--http 0.0.0.0:{PORT}")
    return deployment.http[1] if deployment.http else PORT


def _json(words: list[str]) -> str:
    return json.dumps(words, ensure_ascii=False)
