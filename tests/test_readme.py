"""The README is true: its commands exist, and its tour gives these answers on a fresh hub."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.hub.programs import PROGRAM, environment, run, served
from tests.journeys.client import Client

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TOUR = re.findall(r"```graphql\n(.*?)```\n```json\n(.*?)```", README, re.S)


def agrees(told: Any, answered: Any) -> bool:
    """Whether an answer is the README's; ``…`` stands for what differs each time."""
    if told == "…":
        return isinstance(answered, str)
    if isinstance(told, dict):
        return (
            isinstance(answered, dict)
            and told.keys() == answered.keys()
            and all(agrees(told[name], answered[name]) for name in told)
        )
    if isinstance(told, list):
        return isinstance(answered, list) and len(told) == len(answered) and all(map(agrees, told, answered))
    return bool(told == answered)


@pytest.mark.long
def test_the_tour_gives_the_answers_that_it_shows(tmp_path: Path) -> None:
    made = run(tmp_path / "data", "init", "--json", "--person", "Lin Wei")
    assert made.returncode == 0, made.stderr
    with served(tmp_path / "data", json.loads(made.stdout)["secret"], workers=1) as server:
        first = second = Client(server.url, server.secret)
        assert len(TOUR) == 5
        for document, shown in TOUR:
            person = second if document.startswith("# with Zhou Min's key") else first
            answered = person.ask(document)
            assert agrees(json.loads(shown), answered), json.dumps(answered)
            if "createCredential" in answered:
                second = Client(first.url, answered["createCredential"]["secret"])


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`?make ([a-z]+)", README))
    assert {"demo", "test", "serve", "check", "bench"} <= named
    assert named <= targets


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.long
def test_the_demo_tells_its_story_to_the_end(tmp_path: Path) -> None:
    told = subprocess.run(
        [*PROGRAM, "demo"],
        env=environment(tmp_path / "data"),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-3000:]
    assert "SETTLED" in told.stdout
    for part in (
        "IN_DOUBT",
        "(in doubt) → COMPLETED",
        "CREDITING → REFUNDING → REVERSED",
        "Partner + transit = issuance",
    ):
        assert part in told.stdout
