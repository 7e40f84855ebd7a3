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

#: Of the service that works, with a file.
_IN_VOLUME = """\
    # The queue, when its path is relative. All who use it must be on this host.
    working_dir: /data
    volumes:
      - {data}:/data
    environment:
      PYTHONFAULTHANDLER: "1"
"""
#: The same with a server, by its engine.
_ON_SERVER = {
    "postgres": """\
    environment:
      PYTHONFAULTHANDLER: "1"
      HUEYCTL_URL: postgresql://huey@postgres/huey
      PGPASSWORD: ${POSTGRES_PASSWORD:?write it into the file .env}
    depends_on:
      postgres:
        condition: service_healthy
""",
    "redis": """\
    environment:
      PYTHONFAULTHANDLER: "1"
      HUEYCTL_URL: redis://redis:6379/0
      REDISCLI_AUTH: ${REDIS_PASSWORD:?write it into the file .env}
    depends_on:
      redis:
        condition: service_healthy
""",
}
#: The server. Producers reach it as the consumer does.
_SERVER = {
    "postgres": """\
  postgres:
    image: postgres:17
    environment:
      POSTGRES_USER: huey
      POSTGRES_PASSWORD: ${{POSTGRES_PASSWORD:?write it into the file .env}}
    volumes:
      - {data}:/var/lib/postgresql/data
    restart: unless-stopped
    stop_grace_period: 60s
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "huey", "-h", "127.0.0.1"]
      interval: 5s
      timeout: 5s
      start_period: 30s
      retries: 5
""",
    # Each job is on the disk before its enqueue returns; everysec is faster, and may lose a second.
    "redis": """\
  redis:
    image: valkey/valkey:9
    command:
      - valkey-server
      - --appendonly
      - "yes"
      - --appendfsync
      - always
      - --maxmemory-policy
      - noeviction
      - --requirepass
      - ${{REDIS_PASSWORD:?write it into the file .env}}
    environment:
      REDISCLI_AUTH: ${{REDIS_PASSWORD:?write it into the file .env}}
    volumes:
      - {data}:/data
    restart: unless-stopped
    stop_grace_period: 60s
    healthcheck:
      test: ["CMD", "valkey-cli", "ping"]
      interval: 5s
      timeout: 5s
      start_period: 30s
      retries: 5
""",
}


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
    server = deployment.server
    data = f"{deployment.name}-{server or 'data'}"
    image = "hueyctl scaffold docker" + (f" --engine {server}" if server else "")
    return (
        header(
            deployment,
            f"compose.yaml; the image is built from: {image}",
            "docker compose up -d --build",
        )
        + f"""\
services:
  {deployment.name}:
    build: .
    image: {json.dumps(deployment.image, ensure_ascii=False)}
    command: {words}
{_ON_SERVER[server] if server else _IN_VOLUME.format(data=data)}    expose:
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
{_SERVER[server].format(data=data) if server else ""}
volumes:
  {data}:
"""
    )


def command(deployment: Deployment) -> list[str]:
    """What the container runs: the application is in /app, and the queue in the volume."""
    words = ["hueyctl", "consume", deployment.app, "--app-dir", "/app", *deployment.words]
    return words if deployment.http else [*words, "--http", f"0.0.0.0:{PORT}"]


def _distribution(deployment: Deployment) -> str:
    """With what the kind of workers and the engine need besides."""
    extras = [
        *["greenlet"] * (deployment.kind == "greenlet"),
        *filter(None, [deployment.server]),
    ]
    return f"'hueyctl[{','.join(extras)}]'" if extras else "hueyctl"


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
