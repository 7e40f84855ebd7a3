"""Addresses of Redis servers: a URL, or a client that the application has made."""

from __future__ import annotations

from typing import Any

from hueycore.system.mask import masked

#: The server of this machine, as redis-py has it.
LOCAL = "redis://localhost:6379/0"


def shown(url: str, client: Any) -> str:
    if client is None:
        return masked(url)
    if hasattr(client, "nodes_manager"):
        nodes = client.get_nodes()
        return f"redis://{nodes[0].host}:{nodes[0].port}" if nodes else "redis://"
    pool = getattr(client, "connection_pool", client)
    words = getattr(pool, "connection_kwargs", {})
    db = words.get("db") or 0
    if path := words.get("path"):
        return f"unix://{path}?db={db}"
    if service := getattr(pool, "service_name", None):
        return f"redis://{service}/{db}"
    return f"redis://{words.get('host', 'localhost')}:{words.get('port', 6379)}/{db}"


def has_password(url: str) -> bool:
    """Whether a URL says one."""
    return masked(url) != url


def url_of(host: str | None, port: int | None, db: int | None, path: str | None, tls: bool) -> str:
    """The URL of a server's address."""
    if path is not None:
        return f"unix://{path}?db={db or 0}"
    name = host or "localhost"
    if ":" in name:
        name = f"[{name}]"
    return f"redis{'s' * tls}://{name}:{port or 6379}/{db or 0}"
