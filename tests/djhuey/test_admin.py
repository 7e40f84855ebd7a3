"""The queue in Django's admin: who may see it, who may act, and what the admin makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hueycore import Huey
from hueycore.model.events import EventQuery
from hueycore.model.jobs import Selector
from hueycore.model.states import State
from tests.dashboard.browser.browserkit import chromium, tab
from tests.helpers import PYTHONPATH, run_in

PROJECT = Path(__file__).parent / "office"
JOBS = "/office/admin/djhuey/job/"
#: Users by what they may do; the code of a test has ``client(NAME)``.
PRELUDE = """
import json
import django; django.setup()
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
may = {"viewer": ["view_job"], "changer": ["view_job", "change_job"], "clerk": []}
for name, permissions in may.items():
    user = User.objects.create_user(name, password="secret", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
User.objects.create_user("guest", password="secret")
User.objects.create_superuser("root", password="secret")
def client(name=None):
    made = Client()
    if name: made.force_login(User.objects.get(username=name))
    return made
def told(response):
    return {"status": response.status_code, "text": response.content.decode(), **response.headers}
"""

Run = Callable[..., Any]


@pytest.fixture
def environment(path: str, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(PROJECT), PYTHONPATH)),
        "DJANGO_SETTINGS_MODULE": "settings",
        "OFFICE_QUEUE": path,
        "USERS_DB": str(tmp_path / "users.sqlite3"),
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Runs code in the project; what it prints last, as JSON."""

    def call(code: str) -> Any:
        said = run_in(PROJECT, environment, "-c", PRELUDE + code).stdout
        return json.loads(said.splitlines()[-1])

    return call


@pytest.fixture
def dead(huey: Huey) -> int:
    """The number of a job that is a dead letter; its argument is hostile."""

    @huey.task(name="mail.send")
    def send(to: str) -> None:
        raise ValueError("<script>alert(1)</script>")

    send("<b>ann</b>")
    task = huey.dequeue()
    assert task is not None
    with suppress(ValueError):
        huey.execute(task)
    (job,) = huey.storage.jobs(Selector(states=(State.DEAD,)))
    return job.seq


def test_the_admins_login_and_its_permissions_say_who_sees_the_queue(run: Run, dead: int) -> None:
    code = f"""
names = ("viewer", "changer", "clerk", "guest", "root", None)
answers = {{name or "nobody": client(name).get({JOBS!r}) for name in names}}
index = {{name: client(name).get("/office/admin/").content.decode() for name in names[:3]}}
print(json.dumps([{{name: told(each) for name, each in answers.items()}}, index]))
"""
    answers, index = run(code)

    assert {name: each["status"] for name, each in answers.items()} == {
        "viewer": 200, "changer": 200, "root": 200, "clerk": 403, "guest": 302, "nobody": 302,
    }  # fmt: skip
    assert answers["nobody"]["Location"].startswith("/office/admin/login/")
    assert JOBS in index["viewer"] and JOBS not in index["clerk"]
    page = answers["viewer"]["text"]
    assert page.count("<!DOCTYPE html>") == 1 and "Django administration" in page
    assert 'id="hq"' in page and "mail.send" in page
    assert "Content-Security-Policy" not in answers["viewer"]  # the site's page is around it
    assert answers["viewer"]["X-Frame-Options"] == "DENY"


def test_whoever_may_not_change_cannot_by_form_or_by_request(
    run: Run, huey: Huey, dead: int
) -> None:
    code = f"""
here = {{"Sec-Fetch-Site": "same-origin"}}
form = {{"id": "{dead}", "queue": "app", "back": {JOBS!r}}}
def act(name, **headers):
    return told(client(name).post({JOBS + "acts/retry"!r}, form, headers=headers,
                                  content_type="application/x-www-form-urlencoded"))
from urllib.parse import urlencode
form = urlencode(form)
print(json.dumps({{
    "viewer": act("viewer", **here), "clerk": act("clerk", **here), "guest": act("guest", **here),
    "another site": act("changer", **{{"Sec-Fetch-Site": "cross-site"}}),
    "page": told(client("viewer").get({f"{JOBS}jobs/{dead}"!r})),
    "changers page": told(client("changer").get({f"{JOBS}jobs/{dead}"!r})),
}}))
"""
    answers = run(code)

    assert [answers[name]["status"] for name in ("viewer", "clerk", "guest", "another site")] == [
        403, 403, 302, 403,
    ]  # fmt: skip
    assert "acts/retry" not in answers["page"]["text"]
    assert "acts/retry" in answers["changers page"]["text"]
    assert "<script>alert(1)</script>" not in answers["page"]["text"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answers["page"]["text"]
    assert huey.storage.count(Selector(states=(State.DEAD,))) == 1


def test_who_may_change_does_and_the_event_log_names_them(run: Run, huey: Huey, dead: int) -> None:
    code = f"""
from urllib.parse import urlencode
answer = client("changer").post(
    {JOBS + "acts/retry"!r}, urlencode({{"id": "{dead}", "queue": "app", "back": {JOBS!r}}}),
    headers={{"Sec-Fetch-Site": "same-origin"}}, content_type="application/x-www-form-urlencoded")
print(json.dumps(told(answer)))
"""
    answer = run(code)

    assert answer["status"] == 303, answer["text"]
    assert answer["Location"].startswith(JOBS)
    assert huey.storage.count(Selector(states=(State.PENDING,))) == 1
    (event,) = huey.storage.events(EventQuery(signals=("requeue",)))
    assert event.worker is not None and event.worker.startswith("changer@")


def test_documents_files_and_unknown_pages_are_what_they_are_in_the_dashboard(
    run: Run, dead: int
) -> None:
    code = f"""
root = client("root")
page = root.get({JOBS!r}).content.decode()
import re
style = re.search(r'href="([^"]*inside[^"]*css)"', page).group(1)
print(json.dumps([told(root.get(where)) for where in (
    {f"{JOBS}jobs/{dead}.json"!r}, style, {JOBS + "nowhere"!r})]))
"""
    document, style, missing = run(code)

    assert json.loads(document["text"])["task"].endswith("mail.send")
    assert document["Content-Type"].startswith("application/json")
    assert style["Content-Type"].startswith("text/css") and "#hq {" in style["text"]
    assert missing["status"] == 404 and "Django administration" in missing["text"]


def test_without_what_draws_pages_the_check_says_what_to_install(
    environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "blind.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'jinja2' else find(name, *rest)\n"
        "from settings import *\n"
    )
    more = {
        "DJANGO_SETTINGS_MODULE": "blind",
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}",
    }

    said = run_in(PROJECT, {**environment, **more}, "-m", "django", "check").stderr

    assert "djhuey.W007" in said and "hueyctl[dashboard]" in said


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def office(environment: dict[str, str], run: Run) -> Iterator[str]:
    """The address of the admin, served."""
    run('print("null")')
    words = [sys.executable, str(PROJECT / "serve.py")]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_the_queue_is_a_part_of_the_admin(
    browser: Any, office: str, huey: Huey, dead: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    with tab(browser, viewport={"width": 1280, "height": 900}) as one:
        one.go(f"{office}/login/")
        one.page.fill("#id_username", "changer")
        one.page.fill("#id_password", "secret")
        one.page.click("input[type=submit]")
        one.page.evaluate(f"localStorage.setItem('theme', '{scheme}')")
        one.go(f"{office}/djhuey/job/")
        assert one.page.evaluate("document.documentElement.dataset.theme") == scheme
        page, card = (
            one.page.evaluate(f"getComputedStyle(document.querySelector('{what}')).backgroundColor")
            for what in ("body", "#hq .card")
        )
        dark = {"rgb(18, 18, 18)", "rgb(22, 30, 27)"}
        assert ({page, card} <= dark) is (scheme == "dark")
        found = Axe().run(
            one.page, context="#hq", options={"rules": {"region": {"enabled": False}}}
        )
        assert [
            (fault["id"], node["html"], node["any"])
            for fault in found.response["violations"]
            for node in fault["nodes"]
        ] == []
        one.go(f"{office}/djhuey/job/jobs/{dead}")
        one.page.click("#hq form[action$='acts/retry'] button")
        one.page.wait_for_selector("#hq .notice")
        assert one.complaints == []
    assert huey.storage.count(Selector(states=(State.PENDING,))) == 1
