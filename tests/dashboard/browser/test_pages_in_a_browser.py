"""Every page that links lead to, in a real browser, of a queue that is full of hostile text."""

from __future__ import annotations

from typing import Any

import pytest
from browserkit import BASE, addresses, served, tab
from clikit import QueueFile
from dashkit import check_command
from hostile import spoil

pytestmark = pytest.mark.sqlite_only("a browser sees no engine")

#: What of axe's rules depends on colours, and on the width.
_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
_DARK_AND_NARROW = {"runOnly": _LOOKS}
#: It is in the page by now.
_AGAIN = "options => axe.run(document, options)"
#: What makes a page scroll sideways.
_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.querySelectorAll("main *")]
    .filter(node => node.getBoundingClientRect().right > width && !node.closest(".scroll, pre"))
    .map(node => node.outerHTML.slice(0, 120));
}"""


@pytest.fixture
def spoilt(queue: QueueFile) -> QueueFile:
    spoil(queue)
    return queue


def test_no_page_runs_shows_or_complains_of_what_somebody_wrote(
    spoilt: QueueFile, site: str, browser: Any
) -> None:
    with tab(browser) as one:
        for address in addresses(site):
            assert one.go(address).status == 200, address
            assert one.page.locator("script").count() == 1, address
            assert one.page.locator("img, iframe, [onerror]").count() == 0, address
            hosts = one.page.eval_on_selector_all("a[href]", "all => all.map(a => a.origin)")
            assert set(hosts) == {site.removesuffix(BASE)}, address
            assert one.page.evaluate(_TOO_WIDE) == [], address
            assert one.complaints == [], address


def test_axe_finds_nothing_light_dark_and_narrow(
    spoilt: QueueFile, site: str, browser: Any
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe, faults = Axe(), list[str]()
    with tab(browser, bypass_csp=True) as one:

        def note(violations: list[dict[str, Any]]) -> None:
            for each in violations:
                nodes = [node["html"] for node in each["nodes"]]
                faults.append(f"{one.page.url}: {each['help']}: {nodes}")

        for address in addresses(site):
            one.page.set_viewport_size({"width": 1280, "height": 800})
            one.page.emulate_media(color_scheme="light")
            one.go(address)
            note(axe.run(one.page).response["violations"])
            one.page.emulate_media(color_scheme="dark")
            one.page.set_viewport_size({"width": 390, "height": 844})
            note(one.page.evaluate(_AGAIN, _DARK_AND_NARROW)["violations"])
    assert not faults, "\n".join(faults)


def test_every_page_says_the_same_without_script(
    spoilt: QueueFile, site: str, browser: Any
) -> None:
    with tab(browser, java_script_enabled=False) as one:
        for address in addresses(site):
            one.go(address)
            assert one.page.inner_text("h1, h2")
            assert one.page.inner_text("nav[aria-label=Pages]").startswith("Overview")
            lines = one.page.eval_on_selector_all(
                "[data-command]", "all => all.map(a => a.dataset.command)"
            )
            assert lines, address
            for line in filter(None, lines):
                check_command(line)


def test_jobs_are_ticked_and_revoked_without_script(
    queue: QueueFile, path: str, browser: Any
) -> None:
    for number in range(3):
        queue.add("app.add", number)
    with served(path) as site, tab(browser, java_script_enabled=False) as one:
        one.go(f"{site}/jobs?state=pending&task=app.*")
        one.page.check("[aria-label='Job 1']")
        one.page.check("[aria-label='Job 3']")
        one.page.click("button:text-is('Revoke…')")
        one.page.fill("[name=reason]", "wrong list")
        one.page.click("button:has-text('Revoke 2 jobs')")
        assert one.page.url == f"{site}/jobs?state=pending&task=app.%2A"
        assert one.page.inner_text(".notice") == "Revoked 2 jobs."
    assert [queue.state(key) for key in "123"] == ["revoked", "pending", "revoked"]
