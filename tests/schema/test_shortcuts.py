"""A schema with shortcuts answers what the same schema answers without."""

from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.builders import built_by
from schema.limits import Limits
from schema.operations import Operations, Parameters
from schema.rows import Executor
from schema.scalars import SCALARS, Decimal
from schema.shortcuts import shorten


@strawberry.input
class Built:
    first_name: str
    amount: Decimal | None = None


@strawberry.input
class Usual:
    first_name: str


built_by(Built, lambda value: Built(first_name=value["firstName"], amount=value.get("amount")))


@strawberry.type
class Query:
    suffix: strawberry.Private[str] = "!"

    @strawberry.field
    def shown(self, info: strawberry.Info, the_one: Built, more: list[Built] | None = None, times: int = 2) -> str:
        return f"{the_one} {more} {times} {info.field_name} {info.path.key} {info.python_name} {info.context}"

    @strawberry.field
    async def later(self, info: strawberry.Info, words: list[str | None] | None = None, source: str = "s") -> str:
        return f"{words} {source} {info.return_type}"

    @strawberry.field
    def usual(self, info: strawberry.Info, given: Usual, built: list[Built]) -> str:
        return f"{given} {built} {info.field_name}"

    @strawberry.field
    def rooted(self, info: strawberry.Info, root: str | None) -> str:
        return f"{root} {info.field_name}"


config = StrawberryConfig(scalar_map=SCALARS)
apis = [strawberry.Schema(Query, config=config, execution_context_class=one) for one in (None, None, Executor)]
for api in apis[1:]:
    shorten(api)

ANN, BOB = {"firstName": "Ann"}, {"firstName": "Bob", "amount": "1.50"}


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("query Q($b: Built!) { it: shown(theOne: $b) }", {"b": ANN}),
        ("query Q($b: Built!, $m: [Built!]) { shown(theOne: $b, more: $m) }", {"b": ANN, "m": [ANN, BOB]}),
        ("query Q($b: Built!, $m: [Built!]) { shown(theOne: $b, more: $m) }", {"b": BOB, "m": None}),
        ("query Q($b: Built!, $t: Int!) { shown(theOne: $b, times: $t) }", {"b": BOB, "t": 5}),
        ('{ shown(theOne: {firstName: "Ann", amount: null}, more: [{firstName: "Bob"}]) }', {}),
        ("{ later }", {}),
        ("query Q($w: [String]) { later(words: $w) }", {"w": ["a", None]}),
        ("query Q($u: Usual!, $b: [Built!]!) { usual(given: $u, built: $b) }", {"u": ANN, "b": [ANN] * 9}),
        ("{ rooted }", {}),
    ],
)
async def test_a_resolver_is_given_the_same(document: str, variables: dict[str, Any]) -> None:
    answers = []
    for api in apis:
        answers.append(
            await Operations(api, Limits()).execute(Parameters(document, variables), "context", reading=True)
        )
    assert [answer.errors for answer in answers] == [None] * 3
    assert answers[0].data == answers[1].data == answers[2].data
