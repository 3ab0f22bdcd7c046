"""A configuration that is accepted fits together; one that does not is refused, and no message has the address."""

from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from adapters.registry import installed
from adapters.sql import kind
from adapters.sql.configuration import Configuration
from tests.adapters.sql.conftest import PROCEDURE, TABLE

TOLD = msgspec.json.decode(TABLE)
CALLED = msgspec.json.decode(PROCEDURE)


@pytest.mark.parametrize("text", [TABLE, PROCEDURE])
def test_the_guide_s_configurations_are_accepted_and_keep_their_secret(text: str) -> None:
    made = Configuration.model_validate_json(text)
    assert "a-password" not in repr(made)
    assert installed().kinds["sql"] is kind
    assert kind.configuration is Configuration


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "postgresql://user:hush@host/x"},
        {"url": "mysql+aiomysql://user:hush@host/x"},
        {"url": "nothing+hush://user:hush@host/x"},
        {"url": "hush"},
        {"zone": "Moon/Sea"},
        {"table": None},
        {"procedure": CALLED["procedure"]},
        {"scale": 7},
        {"answersWithinS": 41},
        {"minimum": "2", "maximum": "1"},
        {"minimum": "0.001"},
        *({"table": {**TOLD["table"], "members": name}} for name in ('m" --', "a.b.c", "a;b", "", "a b", "m'")),
        {"table": {**TOLD["table"], "balance": 'balance" = 1 --'}},
    ],
)
def test_what_does_not_fit_is_refused_without_repeating_the_address(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Configuration.model_validate({**TOLD, **changes})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"perform": {"sql": "SELECT f(:reference, :operation, :member)"}},
        {"perform": {"sql": "SELECT f(:reference, :operation, :member, :amount, :password)"}},
        {"perform": {"sql": "SELECT f(:reference, :operation, :member, :amount::numeric)"}},
        {"status": {"sql": "SELECT f(:member)"}},
        {"partial": ["CAPTURE"]},
        {"operations": []},
        {"errors": {"P1": "OTHER"}},
    ],
)
def test_statements_ask_for_what_there_is_and_for_what_is_needed(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Configuration.model_validate({**CALLED, "procedure": {**CALLED["procedure"], **changes}})
