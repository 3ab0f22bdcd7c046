"""The guide is true: its adapter is the one that the suite is run on, its table is the simulator's, its words exist."""

import json
import re
from pathlib import Path

import typer.main

from adapters.conformance.checks import NAMES
from adapters.conformance.settings import TrialSettings
from adapters.simulator.script import MAGIC
from hub.cli import app

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "write-an-adapter.md").read_text()
EXAMPLE = (Path(__file__).parent / "example.py").read_text()


def test_the_guide_s_adapter_is_the_one_that_is_tested() -> None:
    [first, *_] = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
    assert first == EXAMPLE


def test_the_guide_s_adapter_has_fewer_than_sixty_lines() -> None:
    assert len([line for line in EXAMPLE.splitlines() if line]) < 60


def test_the_guide_s_table_of_amounts_is_the_simulator_s() -> None:
    rows = re.findall(r"^\| (\d{3}) \| `(\w+)`(?: `(\w+)`)?(?: (\d+) ms)? \|", GUIDE, re.M)
    told = {int(digits): (behaviour, reason or None, int(ms or 0)) for digits, behaviour, reason, ms in rows}
    assert told == {digits: (play.behaviour, play.reason, play.ms) for digits, play in MAGIC.items()}


def test_the_guide_s_trial_can_be_read_and_its_exception_is_of_a_check() -> None:
    [trial] = re.findall(r"```json\n(.*?)```", GUIDE, re.S)
    assert TrialSettings.model_validate_json(trial).address == "url"
    for members in re.findall(r'`(\[\{"member".*?\])`', GUIDE, re.S):
        TrialSettings.model_validate({"configuration": {}, "members": json.loads(members)})
    [exceptions] = re.findall(r'`"exceptions": (\{.*?\})`', GUIDE)
    assert set(json.loads(exceptions)) <= NAMES


def test_the_guide_s_commands_exist() -> None:
    commands = re.findall(r"points-hub ((?:simulator|adapters \w+)(?: [^`\n]*)?)", GUIDE)
    assert len(commands) > 3
    for command in commands:
        known = typer.main.get_command(app)
        words = command.split()
        for word in words[: 2 if words[0] == "adapters" else 1]:
            known = known.get_command(None, word)  # type: ignore[attr-defined]
        options = {option for parameter in known.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--") and word != "--help"} <= options
