"""What the documents point at is there, and what they tell people to type exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")])
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
ROOMS = "edge|collector|dashboards|firmware_cfg|simulators|tests|deploy|docs"
PATH = re.compile(rf"`((?:{ROOMS})/[\w./*-]*)`")
COMMAND = re.compile(r"^(?:\$ )?foyer (simulate [a-z]+|[a-z]+)", re.MULTILINE)
MAKE = re.compile(r"\bmake ([a-z]+)\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_nothing_is_left_to_fill_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing
    assert "@@" not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = PATH.findall(page.read_text(encoding="utf-8"))
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []


def test_every_command_in_the_documents_has_a_help_page() -> None:
    blocks = [block for page in PAGES for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    commands = {command for block in blocks for command in COMMAND.findall(block)}
    assert {"replay", "simulate door", "agent"} <= commands
    for command in sorted(commands):
        words = [sys.executable, "-m", "foyer", *command.split(), "--help"]
        shown = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert shown.returncode == 0, f"foyer {command}: {shown.stderr}"
        assert "usage" in shown.stdout.lower()


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    told = {word for page in PAGES for word in MAKE.findall(" ".join(re.findall(r"`[^`]*`", page.read_text("utf-8"))))}
    assert {"demo", "test"} <= told
    assert told <= targets
