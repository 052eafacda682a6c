"""WCAG 2.2 AA, as far as a machine can judge it, on the page as a browser shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from pages import Pages, Unit, open_live
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

if TYPE_CHECKING:
    from browser import Chromium
    from servers import Mosquitto

Scheme = Literal["light", "dark"]

CABINET = {"kind": "cabinet", "sensor": "cabinet", "door": "closed", "aed": "present", "mains": "on"}
ROOM = {"kind": "room", "probability": 0.9}

# Every visible text whose contrast with what lies behind it is below 4.5, and every mark below 3.
POOR_CONTRAST = """
const parse = (colour) => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number); return { r, g, b, a }; };
const over = (top, under) =>
  Object.fromEntries(['r', 'g', 'b'].map((c) => [c, top[c] * top.a + under[c] * (1 - top.a)]));
const linear = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const luminance = ({ r, g, b }) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const behind = (node) => {
  if (!node) return { r: 255, g: 255, b: 255 };
  const own = parse(getComputedStyle(node).backgroundColor);
  return own.a === 1 ? own : over(own, behind(node.parentElement));
};
const contrast = (colour, node) => {
  const back = behind(node);
  const [high, low] = [over(parse(colour), back), back].map(luminance).sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};
const poor = [];
let judged = 0;
for (const node of document.body.querySelectorAll('*')) {
  if (!node.checkVisibility({ visibilityProperty: true }) || node.closest('.visually-hidden')) continue;
  if ([...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) {
    judged += 1;
    const found = contrast(getComputedStyle(node).color, node);
    if (found < 4.5) poor.push(`${node.tagName}.${node.className} "${node.textContent.trim()}": ${found.toFixed(2)}`);
  }
  if (node.matches('.mark')) {
    judged += 1;
    const found = contrast(getComputedStyle(node).color, node);
    if (found < 3) poor.push(`mark ${node.firstChild.href.baseVal}: ${found.toFixed(2)}`);
  }
  const mark = getComputedStyle(node, '::before');
  if (mark.content === '""' && mark.borderTopStyle === 'solid') {
    judged += 1;
    const found = contrast(mark.borderTopColor, node);
    if (found < 3) poor.push(`mark of ${node.tagName}.${node.className}: ${found.toFixed(2)}`);
  }
}
return [judged, poor];
"""


@pytest.fixture(scope="module", autouse=True)
def _somebody_came(pages: Pages, broker: Mosquitto) -> None:
    """Figures and states of every kind: known ones here, unknown ones at hubs whose units never spoke."""
    assert pages.running
    with Unit(broker, "south-ockendon", "south-ockendon-main", "main") as door:
        door.passes("in", "out", "unknown", "in", "in", confidence=0.7)
        door.passes("in", sensor="main-radar", role="reference", persons=4)
        door.says(
            CABINET | {"level": "critical", "aed": "absent", "reasons": ["aed: not in its place"]},
            ROOM | {"sensor": "hall-presence", "room": "hall", "state": "occupied"},
            {
                "kind": "fault",
                "sensor": "main-radar",
                "entrance": "main",
                "fault": "sensor_silent",
                "detail": "port: …",
            },
        )
    with Unit(broker, "armley", "armley-front") as door:
        door.says(
            CABINET | {"level": "warning", "mains": "off", "reasons": ["mains: lost"]},
            ROOM | {"sensor": "meeting-presence", "room": "meeting-room", "state": "vacant"},
        )
    with Unit(broker, "micklefield", "micklefield-front") as door:
        door.says(CABINET | {"level": "ok"})


def show(chromium: Chromium, pages: Pages, scheme: Scheme, view: Literal["cards", "table"] = "cards") -> None:
    chromium.media(scheme=scheme, reduced_motion=True)
    open_live(chromium, pages, view)
    chromium.wait_for("document.querySelectorAll('#hub-south-ockendon .way.unknown').length === 1")
    chromium.wait_for(
        "new Set([...document.querySelectorAll('.premises > div')].map((each) => each.dataset.state)).size > 6"
    )


@pytest.mark.parametrize("view", ["cards", "table"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(
    chromium: Chromium, pages: Pages, scheme: Scheme, view: Literal["cards", "table"]
) -> None:
    show(chromium, pages, scheme, view)
    page = "getComputedStyle(document.documentElement).backgroundColor"
    brightness = chromium.driver.execute_script(f"return Number({page}.match(/\\d+/)[0])")
    assert brightness > 200 if scheme == "light" else brightness < 40
    lost = """document.body.dataset.connection = document.getElementById('connection').dataset.state = 'lost';
        document.getElementById('lost').textContent = 'Connection lost'"""
    states = (
        "",  # as it is
        "document.querySelectorAll('.value').forEach((value) => value.classList.add('changed'))",
        lost,
        "document.querySelectorAll('.opening').forEach((line) => { line.dataset.open = 'true'; })",
        "document.querySelector('.skip').focus()",
        "document.querySelectorAll('details').forEach((fold) => { fold.open = true; })",
    )
    for state in states:
        judged, poor = chromium.driver.execute_script(f"{state};{POOR_CONTRAST}")
        assert judged > 40
        assert poor == [], state


def test_landmarks_and_headings_are_in_order(live: Chromium) -> None:
    top = [
        node.tag_name
        for node in live.driver.find_elements(By.CSS_SELECTOR, "body > header, body > main, body > footer")
    ]
    assert top == ["header", "main", "footer"]
    assert live.driver.execute_script("return document.documentElement.lang") == "en-GB"
    headings = live.driver.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4, h5, h6")
    levels = [int(heading.tag_name[1]) for heading in headings]
    assert levels == [1, *[2, 3] * 6]
    assert all(heading.text for heading in headings)
    assert live.driver.find_elements(By.CSS_SELECTOR, "[style], img:not([alt])") == []


def test_everything_has_a_name_for_those_who_do_not_see_it(live: Chromium) -> None:
    nodes = live.cdp("Accessibility.getFullAXTree")["nodes"]
    named = {"button", "link", "heading", "region", "article", "image", "table", "group"}
    spoken = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in named
    ]
    roles = [role for role, _ in spoken]
    assert roles.count("article") == 6
    assert roles.count("link") >= 8
    assert [role for role, name in spoken if not name] == []
    names = [name for role, name in spoken if role == "link"]
    assert len(set(names)) == len(names)


def test_the_table_is_one(chromium: Chromium, pages: Pages) -> None:
    show(chromium, pages, "light", "table")
    table = chromium.driver.find_element(By.CSS_SELECTOR, "#table table")
    assert table.find_element(By.TAG_NAME, "caption").text
    assert len(table.find_elements(By.CSS_SELECTOR, "thead th[scope=col]")) == 9
    assert len(table.find_elements(By.CSS_SELECTOR, "tbody th[scope=row]")) == 6


def test_the_keyboard_reaches_everything_and_shows_where_it_is(live: Chromium) -> None:
    reached = []
    for _ in range(16):
        live.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(
            live.driver.execute_script(
                """const node = document.activeElement, style = getComputedStyle(node);
                return [node.textContent.trim(), style.outlineStyle, parseFloat(style.outlineWidth)];"""
            )
        )
    assert [text for text, *_ in reached[:3]] == ["Skip to the hubs", "Cards", "Table"]
    assert sum("JSON behind" in text for text, *_ in reached) == 6
    assert sum("online" in text and text.endswith(", and more") for text, *_ in reached) == 6
    named = ("Skip to the hubs", "Cards", "Table")
    focused = [mark for mark in reached if mark[0] in named or "JSON" in mark[0] or "online" in mark[0]]
    assert len(focused) == 15
    assert all(style == "solid" and width >= 2 for _, style, width in focused), focused
    button = live.driver.find_element(By.CSS_SELECTOR, "[data-view=table]")
    button.send_keys(Keys.ENTER)
    assert button.get_dom_attribute("aria-pressed") == "true"
    assert live.driver.find_element(By.ID, "table").is_displayed()


def test_what_is_clicked_is_large_enough(live: Chromium) -> None:
    live.size(375, 812)
    small = live.driver.execute_script(
        """return [...document.querySelectorAll('button, summary, .source')].map((node) => node.getBoundingClientRect())
          .filter(({ width, height }) => width < 24 || height < 24).length"""
    )
    assert small == 0


@pytest.mark.parametrize("view", ["cards", "table"])
@pytest.mark.parametrize("width", [320, 375, 768, 1440, 2560])
def test_no_width_needs_sideways_scrolling(
    chromium: Chromium, pages: Pages, width: int, view: Literal["cards", "table"]
) -> None:
    """320 px is also what a desktop of 1280 px shows at 400 %."""
    chromium.size(width, 800)
    show(chromium, pages, "light", view)
    inner, scroll, cut = chromium.driver.execute_script(
        """const cut = [...document.querySelectorAll('h1, h2, .value, .opening, .units, .range, .state, .note')]
          .filter((node) => node.checkVisibility() && !node.closest('#table'))
          .filter((node) => node.getBoundingClientRect().right > innerWidth);
        return [innerWidth, document.documentElement.scrollWidth, cut.length];"""
    )
    assert inner == width
    assert (scroll, cut) == (width, 0)


def test_twice_the_text_size_still_fits(chromium: Chromium, pages: Pages) -> None:
    chromium.size(640, 800)
    show(chromium, pages, "light")
    scroll = chromium.driver.execute_script(
        "document.documentElement.style.fontSize = '200%'; return document.documentElement.scrollWidth"
    )
    assert scroll == 640


def test_who_wants_no_motion_gets_none(chromium: Chromium, pages: Pages, broker: Mosquitto) -> None:
    show(chromium, pages, "light")
    chromium.driver.execute_script(
        """const cell = document.querySelector('#hub-south-ockendon .visits .value');
        new MutationObserver(() => {
          if (cell.classList.contains('changed')) window.moving = document.getAnimations().length;
        }).observe(cell, { attributes: true });"""
    )
    with Unit(broker, "south-ockendon", "south-ockendon-side", "side") as door:
        door.passes("in")
        chromium.wait_for("window.moving !== undefined")
    assert chromium.driver.execute_script("return window.moving") == 0


def test_a_screen_reader_hears_a_summary_now_and_then(live: Chromium) -> None:
    regions = live.driver.find_elements(By.CSS_SELECTOR, "[aria-live], [role=status], [role=alert]")
    assert [region.get_dom_attribute("id") for region in regions] == ["lost", "alarms", "summary"]
    assert not live.driver.find_elements(By.CSS_SELECTOR, "#cards [aria-live], #table [aria-live], .totals[aria-live]")
