"""A schema with shortcuts answers what the same schema answers without."""

from enum import Enum
from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.limits import Limits
from schema.operations import Operations, Parameters
from schema.rows import Executor
from schema.scalars import SCALARS, Decimal
from schema.shortcuts import shorten


@strawberry.enum
class Kind(Enum):
    SMALL = "s"
    LARGE = "l"


@strawberry.input
class Named:
    first_name: str
    amount: Decimal | None = None
    nick: str | None


@strawberry.input
class Family:
    kind: Kind
    head: Named
    of: list[Named] | None = strawberry.field(name="members", default=None)
    words: list[str] = strawberry.field(default_factory=lambda: ["none"])


@strawberry.type
class Query:
    suffix: strawberry.Private[str] = "!"

    @strawberry.field
    def shown(self, info: strawberry.Info, the_one: Named, more: list[Named] | None = None, times: int = 2) -> str:
        return f"{the_one} {more} {times} {info.field_name} {info.path.key} {info.python_name} {info.context}"

    @strawberry.field
    async def later(self, info: strawberry.Info, words: list[str | None] | None = None, source: str = "s") -> str:
        return f"{words} {source} {info.return_type}"

    @strawberry.field
    async def families(self, info: strawberry.Info, input: list[Family], mark: Kind = Kind.LARGE) -> str:
        return f"{input} {mark} {info.field_name}"

    @strawberry.field
    def rooted(self, info: strawberry.Info, root: str | None) -> str:
        return f"{root} {info.field_name}"


config = StrawberryConfig(scalar_map=SCALARS)
apis = [strawberry.Schema(Query, config=config, execution_context_class=one) for one in (None, None, Executor)]
for api in apis[1:]:
    shorten(api)

ANN, BOB = {"firstName": "Ann"}, {"firstName": "Bob", "amount": "1.50", "nick": "B"}
SMITHS = {"kind": "LARGE", "head": ANN, "members": [ANN, BOB]}


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("query Q($b: Named!) { it: shown(theOne: $b) }", {"b": ANN}),
        ("query Q($b: Named!, $m: [Named!]) { shown(theOne: $b, more: $m) }", {"b": ANN, "m": [ANN, BOB]}),
        ("query Q($b: Named!, $m: [Named!]) { shown(theOne: $b, more: $m) }", {"b": BOB, "m": None}),
        ("query Q($b: Named!, $t: Int!) { shown(theOne: $b, times: $t) }", {"b": BOB, "t": 5}),
        ('{ shown(theOne: {firstName: "Ann", amount: null}, more: [{firstName: "Bob"}]) }', {}),
        ("{ later }", {}),
        ("query Q($w: [String]) { later(words: $w) }", {"w": ["a", None]}),
        ("query Q($f: [Family!]!) { families(input: $f) }", {"f": [SMITHS] * 9}),
        ("query Q($f: [Family!]!, $k: Kind!) { families(input: $f, mark: $k) }", {"f": SMITHS, "k": "SMALL"}),
        (
            "query Q($n: Named!, $w: String!)"
            " { families(input: [{kind: SMALL, head: $n, members: [$n], words: [$w]}]) }",
            {"n": BOB, "w": "w"},
        ),
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


def test_inputs_are_taken_by_plain_methods_alone() -> None:
    @strawberry.type
    class Alone:
        @strawberry.field
        def shown(self, the_one: Named) -> str:
            return the_one.first_name

    with pytest.raises(TypeError, match="shown takes inputs, so it has to be a plain method of self and info"):
        shorten(strawberry.Schema(Alone, config=config))
