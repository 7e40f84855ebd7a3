"""``manage.py check``: what is wrong in the settings of the queue and of ``TASKS``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.djhuey.letterskit import PROJECT
from tests.helpers import PYTHONPATH

Check = Callable[..., str]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """``manage.py WORDS`` in the project with these settings; what it says."""

    def call(settings: str, *words: str, **more: str) -> str:
        (tmp_path / "own_settings.py").write_text(f"from settings import *\n{settings}\n")
        done = subprocess.run(
            [sys.executable, "manage.py", *(words or ("check",))],
            cwd=PROJECT, capture_output=True, text=True, timeout=60,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join((str(tmp_path), PYTHONPATH)),
                "DJANGO_SETTINGS_MODULE": "own_settings",
                "LETTERS_QUEUE": str(tmp_path / "queue.db"),
                **more,
            },
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return f"{done.returncode} {done.stdout}{done.stderr}"

    return call


def test_a_project_in_order_has_nothing_to_say(check: Check, tmp_path: Path) -> None:
    assert check("") == "0 System check identified no issues (0 silenced).\n"
    assert not (tmp_path / "queue.db").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            "HUEY = {'filname': 'x.db'}",
            ["djhuey.E002) settings.HUEY has no option 'filname'", "mean 'filename'?"],
        ),
        (
            "HUEY = {'huey_class': 'hueycore.RedisHuey', 'hosts': 'db'}",
            ["djhuey.E002) settings.HUEY has no option 'hosts'", "mean 'host'?"],
        ),
        (
            "HUEY['consumer'] = {'worker': 4}",
            ["djhuey.E003", "HUEY[\"consumer\"] has no option 'worker'", "mean 'workers'?"],
        ),
        (
            "HUEY = {'huey_class': 'hueycore.MysqlHuey'}",
            ["djhuey.E001", "MysqlHuey"],
        ),
        ("HUEY = 'huey.db'", ["djhuey.E001", "use a dictionary or an instance"]),
        ("HUEY = {'url': 'mysql://db/app'}", ["djhuey.E001", "unknown storage 'mysql'", "HINT"]),
        (
            "HUEY = {'filename': '/no/such/folder/huey.db'}",
            ["djhuey.E005) There is no folder /no/such/folder", "HINT: mkdir -p /no/such/folder"],
        ),
        ("TASKS['default']['QUEUE'] = []", ["djhuey.E010", "has no key 'QUEUE'", "'QUEUES'?"]),
        (
            "TASKS['patient']['OPTIONS'] = {'retrys': 3}",
            ['djhuey.E011) TASKS["patient"]["OPTIONS"] has no option', "mean 'retries'?"],
        ),
        (
            "TASKS['patient']['OPTIONS'] = {'retries': -3}",
            ["djhuey.E011", 'TASKS["patient"]["OPTIONS"]: retries', "-3"],
        ),
    ],
)
def test_a_mistake_is_an_error_with_its_id_and_a_hint(
    check: Check, settings: str, words: list[str]
) -> None:
    said = check(settings)

    assert said.startswith("1 SystemCheckError")
    for word in words:
        assert word in said, said


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("HUEY['immediate'] = True", ["djhuey.W006", "immediate mode", "HINT"]),
        (
            "TASKS['default']['QUEUES'] = ['default', 'letters']",
            ["djhuey.W012", "names one queue twice: 'letters'"],
        ),
        ("HUEY['results'] = False", ["djhuey.W013", "return_value is None"]),
    ],
)
def test_what_is_odd_is_a_warning(check: Check, settings: str, words: list[str]) -> None:
    said = check(settings)

    assert said.startswith("0 ")
    for word in words:
        assert word in said, said


def test_immediate_mode_is_as_it_should_be_with_debug(check: Check) -> None:
    assert check("DEBUG = True").startswith("0 System check identified no issues")


@pytest.mark.parametrize(
    ("url", "module", "words"),
    [
        ("postgresql://nobody@127.0.0.1:1/app", "psycopg", "pip install 'hueyctl[postgres]'"),
        ("redis://127.0.0.1:1/0", "redis", "pip install 'hueyctl[redis]'"),
    ],
)
def test_an_engine_without_its_driver_is_told_with_the_command_that_installs_it(
    check: Check, url: str, module: str, words: str
) -> None:
    hidden = (
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *more: None if name == {module!r} else find(name, *more)\n"
    )

    assert check("", LETTERS_QUEUE=url).startswith("0 ")
    said = check(hidden, LETTERS_QUEUE=url)
    assert "djhuey.E004" in said and f"HINT: {words}" in said


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root to drop privileges")
def test_a_folder_that_its_user_cannot_write_is_told() -> None:
    """SQLite makes files beside its own, so that the file alone does not suffice."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "queue.db"
        path.touch()
        path.chmod(0o666)
        code = (
            "import os, django; django.setup()\n"
            "from hueycore.contrib.djhuey.checks import check_huey\n"
            "print(check_huey())\n"
            "os.setresuid(65534, 65534, 65534)\n"
            "for found in check_huey(): print(found)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True,
            env={
                **os.environ, "PYTHONPATH": PYTHONPATH,
                "DJANGO_SETTINGS_MODULE": "settings", "LETTERS_QUEUE": str(path),
            },
        )  # fmt: skip

    assert done.stdout.startswith("[]\n")
    assert f"djhuey.E005) {folder} cannot be written by this user" in done.stdout


def test_run_huey_says_what_check_does(check: Check) -> None:
    said = check("HUEY = {'filname': 'x.db'}", "run_huey")

    assert said.startswith("1 ") and "djhuey.E002" in said


def test_a_queue_that_is_set_up_wrongly_is_not_used(check: Check, tmp_path: Path) -> None:
    code = (
        "from letters.tasks import write\n"
        "from hueycore.exceptions import ConfigurationError\n"
        "try: write.enqueue('Ann')\n"
        "except ConfigurationError as error: print('refused:', error)\n"
    )

    said = check("HUEY = {'filname': 'x.db'}", "shell", "--verbosity", "0", "-c", code)

    assert "refused: settings.HUEY" in said and "filname" in said
