"""The pictures of the README: what a terminal showed, on a dark and on a light ground."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from clikit import ROOT

from tests.tools.drawing import THEMES, screen_of, svg

SVG = "{http://www.w3.org/2000/svg}"


def test_the_readme_has_a_dark_and_a_light_one_of_each_and_they_load_nothing() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    pairs = re.findall(
        r'<source media="\(prefers-color-scheme: dark\)" srcset="(.+?)">\s*<img src="(.+?)" ',
        text,
    )

    names = ("top.svg", "status.svg", "show.svg", "dashboard.png")
    assert sorted(pairs) == sorted(
        tuple(f"man/{name.replace('.', f'-{theme}.')}" for theme in ("dark", "light"))
        for name in names
    )
    for path in (path for pair in pairs for path in pair if path.endswith("svg")):
        picture = (ROOT / path).read_text("utf-8")
        assert ElementTree.fromstring(picture).tag == f"{SVG}svg"
        assert not re.search(r"(href|url\(|@font-face|@import)", picture)


def test_a_letter_stands_where_the_terminal_has_it_in_the_colour_of_the_ground() -> None:
    screen = screen_of("ab \x1b[1;31mdead\x1b[0m \x1b[2mdim\x1b[0m <&>\r\n\x1b[36m▄█\x1b[0m", 20, 5)

    for theme, colours in THEMES.items():
        picture = ElementTree.fromstring(svg(screen, "hueyctl <x>", theme))
        texts = {(one.text or "").strip(): one.attrib for one in picture.iter(f"{SVG}text")}
        assert texts["dead"]["fill"] == colours["red"]
        assert texts["dead"]["font-weight"] == "bold"
        assert float(texts["dead"]["x"]) - float(texts["ab"]["x"]) == 3 * 8.4
        assert texts["dim"]["fill"] == colours["808080"]
        assert "<&>" in texts
        assert "hueyctl <x>" in texts
        # Blocks are drawn: a font would leave gaps between them.
        tall = [one for one in picture.iter(f"{SVG}rect") if one.attrib["fill"] == colours["cyan"]]
        assert [float(one.attrib["height"]) for one in tall] == [9, 18]
