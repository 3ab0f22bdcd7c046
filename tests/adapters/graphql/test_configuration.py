"""A configuration is whole, and says no more than it should."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.graphql.configuration import Configuration

GOOD = {
    "url": "https://hub.example/graphql", "key": "a secret", "institution": "AIR", "currency": "JADE",
    "reserve": {"reference": "RESERVE"},
}  # fmt: skip


GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "federate.md"


def test_the_guides_example_is_accepted() -> None:
    [text] = re.findall(r"```json\n(.*?)```", GUIDE.read_text(), re.S)
    assert Configuration.model_validate(json.loads(text)).units_min == 1


def test_the_reserve_is_the_members_institutions_unless_it_says_otherwise() -> None:
    assert Configuration.model_validate(GOOD).reserve_institution == "AIR"
    elsewhere = GOOD | {"reserve": {"reference": "R", "institution": "BANK"}}
    assert Configuration.model_validate(elsewhere).reserve_institution == "BANK"


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://hub.example/graphql"},
        {"url": "https://hub.example"},
        {"url": "https://hub.example/{member}"},
        {"url": "https://user:word@hub.example/graphql"},
        {"key": ""},
        {"key": "s3cr3t\n"},
        {"key": "s3cr3t "},
        {"scale": 7},
        {"answersWithinS": 41},
        {"minimum": "0.5"},
        {"minimum": "20", "maximum": "10"},
        {"reserve": {}},
        {"secret": "x"},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Configuration.model_validate(GOOD | changes)
    assert "s3cr3t" not in str(refused.value)


def test_the_key_is_never_shown() -> None:
    assert "a secret" not in repr(Configuration.model_validate(GOOD))
