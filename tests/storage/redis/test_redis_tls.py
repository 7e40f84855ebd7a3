"""A queue on a server to which only TLS leads."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hueycore import ConfigurationError, RedisHuey
from tests import redis_servers
from tests.helpers import PYTHONPATH, or_skip, states, wait_until
from tests.redis_servers import Encrypted


@pytest.fixture
def tls() -> Iterator[Encrypted]:
    with or_skip(), redis_servers.encrypted() as found:
        yield found


def hueyctl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hueyctl", *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_producer_consumer_and_command_line_speak_tls(tls: Encrypted, tmp_path: Path) -> None:
    with closing(RedisHuey("app", url=tls.url)) as huey:
        work = huey.path("tests.storage.redis.app.work")
        for number in range(20):
            huey.enqueue(work.s(number))

        depth = hueyctl("-u", tls.url + "&name=app", "depth")
        assert (depth.stdout, depth.returncode) == ("20\n", 0)
        command = [sys.executable, "-m", "hueyctl", "consume", "tests.storage.redis.app:huey", "-q"]
        more = {"PYTHONPATH": PYTHONPATH, "RUNS": str(tmp_path / "runs"), "URL": tls.url}
        consumer = subprocess.Popen(command, env={**os.environ, **more})
        try:
            wait_until(lambda: states(huey) == {"done": 20}, 60)
        finally:
            consumer.terminate()
            assert consumer.wait(30) == 0
    assert sorted((tmp_path / "runs").read_text().split(), key=int) == [*map(str, range(20))]


def test_an_application_gives_its_certificates_as_keywords(tls: Encrypted) -> None:
    port = int(tls.address.rpartition(":")[2])
    how = {"host": "localhost", "port": port, "ssl": True, "ssl_ca_certs": str(tls.authority)}
    with closing(RedisHuey("app", **how)) as huey:  # type: ignore[arg-type]
        assert huey.pending_count() == 0


@pytest.mark.parametrize("checks", ["none", ssl.CERT_NONE])
def test_whoever_asks_for_no_certificate_gets_none_checked(tls: Encrypted, checks: Any) -> None:
    port = int(tls.address.rpartition(":")[2])
    how = {"host": "127.0.0.1", "port": port, "ssl": True, "ssl_cert_reqs": checks}
    with closing(RedisHuey("app", **how)) as huey:
        assert huey.pending_count() == 0


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("authority", "(issuer|self-signed) certificate"),
        ("name", "not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_is_refused_is_one_clear_error(
    tls: Encrypted, wrong: str, reason: str
) -> None:
    url = tls.address if wrong == "authority" else tls.url.replace("localhost", "127.0.0.1")

    with (
        closing(RedisHuey("app", url=url)) as huey,
        pytest.raises(ConfigurationError, match=reason),
    ):
        huey.pending_count()

    done = hueyctl("-u", url, "depth")
    assert done.returncode not in (0, 1) and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.search(f"the server's certificate is refused: .*{reason}", line)
