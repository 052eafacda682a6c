"""What the application answers besides figures: policies, and nothing from anywhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from dashboards.app import PAGES

if TYPE_CHECKING:
    from pathlib import Path

    from browser import Chromium
    from pages import Pages


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/live.js", 200), ("/style.css", 200), ("/api/v1/hubs", 200), ("/openapi.json", 200), ("/no", 404)],
)
def test_every_answer_carries_the_policies(pages: Pages, path: str, status: int) -> None:
    answer = httpx.get(pages.url + path)
    assert answer.status_code == status
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert not {"script-src", "style-src", "connect-src", "img-src"} & policy.keys()  # nothing loosens the default
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"]


def test_the_stream_carries_them_too(pages: Pages) -> None:
    with httpx.stream("GET", f"{pages.url}/api/v1/stream") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        events = []
        for line in answer.iter_lines():
            if line.startswith("event:"):
                events.append(line)
            if len(events) == 6:
                break
    assert events == ["event: live"] * 6


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_documentation_pages_from_foreign_servers_are_off(pages: Pages, path: str) -> None:
    assert httpx.get(pages.url + path).status_code == 404


@pytest.mark.parametrize("file", sorted(PAGES.iterdir()), ids=lambda file: file.name)
def test_a_page_names_no_other_server_and_runs_nothing_inline(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    addresses = set(re.findall(r"\w+://[^\s\"'<>)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\son\w+=|\sstyle=|javascript:|innerHTML|eval\(", text)


def test_a_script_that_was_slipped_in_does_not_run(live: Chromium) -> None:
    ran = live.driver.execute_script(
        """const script = document.createElement('script');
        script.textContent = 'window.slippedIn = true';
        document.body.append(script);
        return window.slippedIn === true;"""
    )
    assert ran is False
    assert any("Content Security Policy" in line for line in live.console())
