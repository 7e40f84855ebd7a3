"""Who may see and change what, alone and mounted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from clikit import QueueFile, fill
from dashkit import ANN, BASE, Browser

from hueyctl.dashboard import asks, gate, routes
from hueyctl.dashboard.asks import Answer, Ask, Person

TOKEN = "a-token-of-many-letters"
HOSTS = ("127.0.0.1", "localhost")
Opened = Callable[..., Answer]


@pytest.fixture
def opened(browser: Browser) -> Opened:
    """A request to a dashboard that stands alone."""
    found = gate.Gate(browser.respond, Person("ann"), TOKEN, HOSTS, 8787)

    def ask(address: str = "/", method: str = "GET", **headers: str) -> Answer:
        path, _, query = address.partition("?")
        given = {"host": "127.0.0.1:8787"} | headers
        return found(asks.read(method, path, query, given, b"", "", None))

    return ask


def header(answer: Answer, name: str) -> str:
    return dict(answer.headers).get(name, "")


def cookie_of(answer: Answer) -> str:
    return header(answer, "Set-Cookie").partition(";")[0]


def test_nobody_sees_anything_when_the_application_knows_nobody(browser: Browser) -> None:
    browser.person = None

    for address in ("/", "/jobs", "/jobs.json", "/static/board.css"):
        assert browser.get(address).status == 403


def test_the_token_is_exchanged_for_a_cookie_that_scripts_and_other_sites_do_not_get(
    opened: Opened,
) -> None:
    assert opened("/").status == 403
    assert opened("/?token=another").status == 403

    answer = opened(f"/jobs?state=dead&token={TOKEN}")
    assert answer.status == 303
    assert header(answer, "Location") == "/jobs?state=dead"
    assert "HttpOnly" in header(answer, "Set-Cookie")
    assert "SameSite=Strict" in header(answer, "Set-Cookie")
    assert TOKEN not in header(answer, "Set-Cookie")
    assert opened("/jobs", cookie=cookie_of(answer)).status == 200
    assert opened("/jobs", cookie="hueyctl-8787=guess").status == 403
    assert opened("/jobs", cookie='x="; hueyctl-8787').status == 403


def test_a_name_that_is_not_its_own_is_refused_with_the_cookie_and_without(opened: Opened) -> None:
    cookie = cookie_of(opened(f"/?token={TOKEN}"))

    for host in ("evil.example", "evil.example:8787", "127.0.0.1.evil.example", ""):
        assert opened("/", cookie=cookie, host=host).status == 421
        assert opened(f"/?token={TOKEN}", host=host).status == 421
    assert opened("/", cookie=cookie, host="LocalHost:8787").status == 200


def test_a_redirect_never_leaves_the_dashboard(opened: Opened) -> None:
    for path in ("//evil.example/x", "/\r\nSet-Cookie: a=b", "/\\evil.example"):
        place = header(opened(f"{path}?token={TOKEN}"), "Location")
        assert re.fullmatch(r"/[^/\\\r\n][^\\\r\n]*", place), place


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "cross-site", "origin": "http://example.org"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {},
    ],
    ids=lambda headers: ",".join(f"{name}={value}" for name, value in headers.items()),
)
def test_a_form_of_another_site_changes_nothing(headers: dict[str, str], browser: Browser) -> None:
    answer = browser.ask("POST", "/jobs/1/retry", b"", **headers)

    assert answer.status == 403
    assert b"another site" in answer.body


def test_a_form_of_our_own_is_let_through_by_either_sign(browser: Browser) -> None:
    for headers in ({"sec_fetch_site": "same-origin"}, {"origin": "http://example.org"}):
        assert browser.ask("POST", "/nothing", b"", **headers).status == 404


def test_who_may_only_look_changes_nothing(browser: Browser) -> None:
    browser.person = Person("bob", may_change=False)

    assert browser.post("/nothing").status == 403
    assert "read-only" in browser.html("/")


def test_a_form_has_a_limit_and_so_have_its_fields(browser: Browser) -> None:
    ask = asks.read("POST", "/", "", {"host": "x"}, None, BASE, ANN)
    assert browser.respond(ask).status == 413
    assert browser.get("/jobs?" + "&".join(f"a{i}=1" for i in range(1200))).status == 400


def test_other_methods_are_refused(browser: Browser) -> None:
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "BREW"):
        assert browser.ask(method, "/").status == 405


@pytest.mark.parametrize("address", ["/", "/jobs", "/nope", "/jobs.json", "/static/nope.js"])
def test_every_answer_says_what_a_browser_may_do_with_it(address: str, browser: Browser) -> None:
    answer = browser.get(address)

    policy = header(answer, "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert header(answer, "X-Content-Type-Options") == "nosniff"
    assert header(answer, "Cache-Control") == "private, no-cache"


def test_the_templates_escape_everything_and_have_no_style_or_script_of_their_own() -> None:
    folder = Path(routes.__file__).parent
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            text = path.read_text("utf-8")
            assert not re.search(r"\|\s*safe\b|autoescape|\bstyle=|<style|\son\w+=", text), path
            assert not re.search(r"<script(?![^>]*src=)|javascript:", text), path
            assert not re.search(r"https?://(?!www\.w3\.org/)", text), path
        elif path.suffix == ".py":
            assert not re.search(r"\bMarkup\b|markupsafe", path.read_text("utf-8")), path
    assert len((folder / "static" / "board.js").read_text("utf-8").splitlines()) <= 150


def test_what_a_browser_has_already_is_not_sent_again(browser: Browser, queue: QueueFile) -> None:
    fill(queue)
    first = browser.get("/jobs?tz=UTC")
    tag = header(first, "ETag")
    again = browser.get("/jobs?tz=UTC", if_none_match=tag)

    if header(again, "ETag") == tag:  # unless the newest look came between
        assert (again.status, again.body) == (304, b"")
    queue.add("app.other")
    assert browser.get("/jobs?tz=UTC", if_none_match=tag).status == 200


def test_a_bug_is_told_without_its_traceback(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_view: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setitem(routes.PAGES, "jobs", broken)  # type: ignore[arg-type]
    answer = browser.get("/jobs")

    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "secret" in caplog.text


def test_a_host_is_told_from_its_port() -> None:
    for given, host in (("a.b:80", "a.b"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("A", "a")):
        assert Ask("GET", "/", headers={"host": given}).host == host


def test_a_cookie_of_another_application_of_the_host_does_not_lock_anybody_out(
    opened: Opened,
) -> None:
    mine = cookie_of(opened(f"/?token={TOKEN}"))

    for other in ('theme={"dark": true}', "a[b]=1", "flag", "név=ü", 'x="'):
        assert opened("/", cookie=f"{other}; {mine}").status == 200, other
        assert opened("/", cookie=f"{mine}; {other}").status == 200, other
    assert opened("/", cookie=f"x{mine}").status == 403


def test_a_form_that_was_cut_off_does_nothing(queue: QueueFile, browser: Browser) -> None:
    fill(queue)
    body = f"queue=huey&task=app.mail.send&back={BASE}/".encode()

    for part in (body[:20], b""):
        answer = browser.post("/acts/pause", part, content_length=str(len(body)))
        assert (answer.status, b"cut off" in answer.body) == (400, True)
    assert [row.paused_at for row in queue.storage.queues()] == [None]
    assert browser.post("/acts/pause", body, content_length=str(len(body))).status == 303


@pytest.mark.parametrize("digits", ["9" * 25, "9" * 5000, "²", "٣"], ids=len)
def test_a_number_that_no_job_has_is_nobody_s_fault(
    digits: str, queue: QueueFile, browser: Browser
) -> None:
    fill(queue)
    for field in ("newest", "count", "shown", "number"):
        value = f"huey:{digits}" if field == "newest" else digits
        form = {"all": "yes", "state": "dead", "sure": "yes", "count": "5", "shown": "5"}
        body = urlencode({**form, "newest": "huey:9", field: value}).encode()
        assert browser.post("/acts/retry", body).status in (303, 422)


@pytest.mark.parametrize(
    "base, shown", [("//evil.example", "/evil.example"), ("/опс/", "/%D0%BE%D0%BF%D1%81")]
)
def test_a_base_is_written_as_it_stands_in_an_address(base: str, shown: str) -> None:
    ask = asks.read("GET", "/jobs", "", {}, b"", base, ANN)

    assert ask.base == shown
