"""The guide to receiving webhooks is true: its example takes in what is really sent, and its table is whole."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, validate
from standardwebhooks import WebhookVerificationError

from hub.webhooks.endpoints import EventType
from schema.api import api
from tests.hub.webhooks.conftest import World
from tests.hub.webhooks.receiver import receiving

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "receive-webhooks.md").read_text()
EXAMPLES = dict(re.findall(r"```(\w+)\n(.*?)```", GUIDE, re.S))


def shape(value: Any) -> Any:
    """A value with its members' names alone."""
    return {name: shape(inner) for name, inner in value.items()} if isinstance(value, dict) else type(value)


async def test_the_example_takes_in_what_is_sent_and_nothing_else(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    example: dict[str, Any] = {}
    exec(EXAMPLES["python"], example)
    take_in: Callable[[str, dict[str, str], bytes], int] = example["take_in"]
    await world.hub.issue("BP", "BANK", "alice", "1000")
    async with receiving() as receiver:
        _, secret = await world.webhook("AIR", receiver.url)
        await world.convert("c", "250")
        await world.process.follow()
        await world.process.deliver()
    [request] = receiver.received
    assert [take_in(secret, request.headers, request.body) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out.count("conversion.completed") == 1  # the repeat is told by its identifier
    for body in (request.body + b" ", request.body.replace(b'"250"', b'"251"')):
        with pytest.raises(WebhookVerificationError):
            take_in(secret, request.headers, body)
    with pytest.raises(WebhookVerificationError):
        take_in(secret, request.headers | {"webhook-timestamp": "1"}, request.body)
    assert shape(json.loads(EXAMPLES["json"])) == shape(request.payload)


def test_its_mutation_is_one_of_the_api_s() -> None:
    assert validate(api._schema, parse(EXAMPLES["graphql"])) == []


def test_its_table_names_every_type() -> None:
    table = "\n".join(line for line in GUIDE.splitlines() if line.startswith("| `"))
    named: list[str] = []
    for name in re.findall(r"`([a-z_.]+)`", "\n".join(line.split("|")[1] for line in table.splitlines())):
        named.append(name if not name.startswith(".") else named[-1].partition(".")[0] + name)
    assert named == sorted(named, key=[type.value for type in EventType].index)
    assert set(named) == {type.value for type in EventType}
