"""Every example of every page runs: here Python, rules, a panel, and the page of states."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pagekit import Place, blocks, environment, place_in

from hueycore.model.states import FINAL, TRANSITIONS, WAITING, State
from hueyctl.docs.topics import PAGES, text_of

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with place_in(tmp_path) as made:
        yield made


#: What the pages take for granted. Each page is a module: its blocks follow each other.
GIVEN = {
    "operating": "",
    "testing": """
from datetime import timedelta
from hueycore import SqliteHuey

huey = SqliteHuey("app")
outbox = []

@huey.task()
def welcome(address):
    outbox.append("welcome")

@huey.task()
def remind(address):
    outbox.append("reminder")

def sign_up(address):
    welcome(address)
    remind.schedule((address,), delay=timedelta(days=3))
""",
    "engines": "from hueycore import Huey\n",
    "postgresql": """
import types
import psycopg
from hueycore import Huey, PostgresHuey

# The real ones are in tests/api/test_api_postgres.py and tests/examples.
connection = psycopg.connect(DSN, autocommit=False)
connection.execute("create temporary table orders (item text)")
connection.commit()
transaction = types.SimpleNamespace(atomic=connection.transaction)
django = types.SimpleNamespace(db=types.SimpleNamespace(connection=types.SimpleNamespace()))
django.db.connection.connection = connection
session = types.SimpleNamespace(commit=connection.commit)
session.connection = lambda: types.SimpleNamespace(
    connection=types.SimpleNamespace(driver_connection=connection)
)
order_id = 7

def ship(order_id, made=[]):
    made or made.append(huey.task(name="ship")(lambda order_id: None))
    made[0](order_id)
""",
    "redis": """
import types
from redis import Redis
from redis.sentinel import Sentinel
from hueycore import RedisHuey

secret = "secret"
sentinel = Sentinel([("db", 26379)])
redis = types.SimpleNamespace(RedisCluster=Redis)  # a real one asks its nodes at once
""",
    "upgrading": """
import types
from hueycore import SqliteHuey

huey = SqliteHuey("app")
mail = types.SimpleNamespace(send=huey.task(name="mail")(lambda address: f"to {address}"))
""",
    "production": """
import logging
from hueycore import SqliteHuey

huey = SqliteHuey("app")
log = logging.getLogger("app")
""",
    "worker-kinds": """
from hueycore import SqliteHuey

huey = SqliteHuey("app")
""",
    "django": """
import sys
from datetime import UTC, datetime, timedelta
import django
from django.conf import settings

ours = "hueycore.contrib.djhuey.tasks.HueyBackend"
settings.configure(
    DATABASES={}, USE_TZ=True, HUEY={"name": "shop", "filename": "shop.db"},
    TASKS={
        "default": {"BACKEND": ours, "QUEUES": ["default", "mail"]}, "patient": {"BACKEND": ours},
    },
)
django.setup()
if django.VERSION < (6,):
    import django_tasks
    sys.modules["django.tasks"] = django_tasks  # the backport
tomorrow = datetime.now(UTC) + timedelta(days=1)
""",
    "python": """
import sqlite3
from datetime import datetime
from hueycore import SqliteHuey, crontab

huey = SqliteHuey("app")
order_id = 7
connection = sqlite3.connect("huey.db")
connection.execute("create table orders (id integer primary key, item text, paid int)")
connection.commit()

@huey.task()
def add(a, b):
    return a + b

@huey.task()
def send_digest(name): ...

@huey.task()
def ship(order_id): ...
""",
}
#: What is asked after them.
AFTER = {
    "upgrading": "\n\nsend('ann')\nassert huey.execute(huey.dequeue()) == 'to ann'\n",
    "postgresql": """
assert len(huey.pending()) == 3
connection.close()
""",
    "python": """
connection.close()
assert len(sync_user.huey.pending()) > 3
""",
    "testing": "\n\ntest_a_new_customer_gets_a_mail_and_a_reminder()\n",
}


def run_python(folder: Path, page: str, given: str, text: str) -> None:
    """As a module of the name of the page."""
    (folder / f"page_{page.replace('-', '_')}.py").write_text(f"{given}\n{text}")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import page_{page.replace('-', '_')}"],
        cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def python_of(page: str) -> str:
    return "\n\n".join(block.text for block in blocks("python") if block.page == page)


def test_no_page_with_python_is_left_out() -> None:
    in_a_browser = {"browser"}  # tests/dashboard/test_examples.py
    assert {block.page for block in blocks("python")} == set(GIVEN) | in_a_browser


@pytest.mark.parametrize("page", sorted(set(GIVEN) - {"postgresql", "engines"}))
def test_the_python_of_a_page_runs(tmp_path: Path, page: str) -> None:
    (tmp_path / "queue").mkdir()
    (tmp_path / "myapp").mkdir()
    (tmp_path / "myapp" / "utils.py").write_text("def reindex(index):\n    return index\n")
    run_python(tmp_path, page, GIVEN[page], python_of(page) + AFTER.get(page, ""))


@pytest.mark.parametrize("page", ["postgresql", "engines"])
def test_the_python_about_servers_runs(
    tmp_path: Path, page: str, postgres_url: str, redis_url: str
) -> None:
    text = python_of(page).replace("redis://db:6379/0", redis_url)
    for address in ("postgresql://ann@db/app?schema=jobs", "postgresql://ann@db/app"):
        text = text.replace(address, postgres_url)
    dsn, _ = postgres_url.split("&schema=")
    given = GIVEN[page].replace("DSN", repr(dsn))
    run_python(tmp_path, page, given, text + AFTER.get(page, ""))


# --- what is no program ---------------------------------------------------------------------------

_METRIC = re.compile(r"\bhueyctl_[a-z_]+")


def names_of_metrics(place: Place) -> set[str]:
    """All that a queue in a file, or on a server, and a consumer of it have."""
    from hueyctl.answers.prometheus import _OF_SERVER

    printed = place.run("hueyctl metrics")
    names = {family for family, _ in _OF_SERVER.values()}
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", printed, flags=re.M):
        names.add(name)
        if kind == "histogram":
            names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def test_every_metric_of_a_page_is_one_that_is_printed(place: Place) -> None:
    place.run("hueyctl -A app.huey pause --reason lunch")
    known = names_of_metrics(place)
    named = {name for page in PAGES for name in _METRIC.findall(text_of(page))}

    assert {name for name in named if not name.startswith("hueyctl_consumer_")} <= known
    assert len(named) > 10


def test_the_rules_for_prometheus_are_such(place: Place) -> None:
    (block,) = blocks("yaml")
    (group,) = yaml.safe_load(block.text)["groups"]

    assert set(group) == {"name", "rules"}
    known = names_of_metrics(place)
    for rule in group["rules"]:
        assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(_METRIC.findall(rule["expr"])) <= known
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.search("hueyctl [a-z]+|more workers", rule["annotations"]["summary"])
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])


def test_the_panel_for_grafana_is_json_and_asks_for_what_there_is(place: Place) -> None:
    (block,) = blocks("json")
    panel = json.loads(block.text)

    assert panel["type"] == "timeseries"
    assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C"]
    known = names_of_metrics(place)
    for target in panel["targets"]:
        assert set(_METRIC.findall(target["expr"])) <= known
        labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert labels <= set(re.findall(r"\w+", target["expr"]))


WORDS = {
    "nothing": (), "waiting": WAITING, "final": FINAL, "any": tuple(State),
}  # fmt: skip


def test_the_page_of_states_has_every_move_of_the_storage() -> None:
    def named(text: str) -> set[State]:
        return set(WORDS[text] if text in WORDS else map(State, text.split(", ")))

    text = re.sub(r"\n  (?=\S)", " ", text_of("states"))
    moves = re.findall(r"^\* `([^`]+)`, ([a-z, ]+?) to ([a-z, ]+): (.+)$", text, flags=re.M)

    assert [(verb, named(before), named(after)) for verb, before, after, _ in moves] == [
        (row.verb, set(row.before), set(row.after)) for row in TRANSITIONS
    ]


def test_the_page_of_states_names_them_all_and_draws_them() -> None:
    (drawn,) = (block.text for block in blocks("text") if block.page == "states")
    for state in State:
        assert f"| {state} |" in drawn
        assert f"| `{state}` | " in text_of("states")
    assert all(len(line) <= 80 for line in drawn.splitlines())
