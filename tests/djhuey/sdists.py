"""Source distributions of other projects, for the tests that are in them alone. They are downloaded
once, as ``pip`` is set up to; without a network what needs them is skipped, or fails where
``HUEY_TEST_SDISTS=required``, as in CI."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest


def unpacked(cache: pytest.Cache, name: str, version: str) -> Path:
    """The folder of a source distribution."""
    home = cache.mkdir("sdists")
    folder = home / f"{name}-{version}"
    if not folder.exists():
        own = home / f"{name}-{version}.{os.getpid()}"
        with closing(tarfile.open(_downloaded(own, name, version))) as archive:
            archive.extractall(own / "all", filter="data")
        (inner,) = (own / "all").iterdir()
        try:
            inner.rename(folder)
        except OSError:  # another process of this run was faster
            assert folder.is_dir()
    return folder


def _downloaded(target: Path, name: str, version: str) -> Path:
    words = ["--no-binary", ":all:", "--no-deps", "--dest", str(target), f"{name}=={version}"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", *words],
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    found = [*target.glob("*.tar.gz")] if done.returncode == 0 else []
    if not found:
        last = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
        required = os.environ.get("HUEY_TEST_SDISTS") == "required"
        (pytest.fail if required else pytest.skip)(
            f"the source distribution of {name} {version} cannot be had: {last}"
        )
    return found[0]
