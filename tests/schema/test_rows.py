"""The shortcuts for long lists answer what graphql-core answers, and leave to it whatever they are not made for."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, cast

import pytest
import strawberry
from graphql import GraphQLInputObjectType, parse
from strawberry.schema.config import StrawberryConfig

from schema.api import api
from schema.faults import formatted
from schema.issues import IssuePointsInput, issue_command
from schema.limits import Limits
from schema.operations import Operations, Parameters
from schema.rows import ROWS_MIN, Executor, coercer, taken
from schema.scalars import SCALARS, Decimal
from schema.shortcuts import shorten
from schema.transfers import TransferPointsInput, transfer_command


class Colour(Enum):
    RED = "r"
    BLUE = "b"


strawberry.enum(Colour)


@strawberry.input
class Inner:
    name: str
    colour: Colour = Colour.BLUE


@strawberry.input
class Row:
    amount: Decimal
    inner: Inner
    tags: list[str] | None = None
    at: datetime | None = None
    id: strawberry.ID | None = None
    number: int = 7
    named_otherwise: list[Inner] | None = strawberry.field(name="as", default=None)
    left_out: str | None


@strawberry.type
class Leaf:
    value: str | None
    truth: bool


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Good(Named):
    row: strawberry.Private[Row]
    amount: Decimal
    at: datetime | None
    colour: Colour
    leaves: list[Leaf]
    first: Leaf | None

    @strawberry.field
    def lazily(self) -> str:
        row = self.row
        return f"{row.number} {row.tags} {row.id} {row.named_otherwise} {row.left_out}"

    @strawberry.field
    def with_argument(self, times: int = 2) -> str:
        return self.name * times

    @strawberry.field
    async def slowly(self) -> str:
        return self.name


@strawberry.type
class Bad(Named):
    why: str


Result = Annotated[Good | Bad, strawberry.union("Result")]


def answer(row: Row) -> Good | Bad:
    if row.amount == "0":
        return Bad(name=row.inner.name, why="nothing")
    leaves = [Leaf(value=tag, truth=tag is None) for tag in row.tags or ()]
    return Good(
        name=row.inner.name,
        row=row,
        amount=row.amount if row.amount != "13" else 13,  # type: ignore[arg-type]
        at=row.at,
        colour=row.inner.colour,
        leaves=leaves,
        first=leaves[0] if leaves else None,
    )


@strawberry.type
class Query:
    @strawberry.field
    def rows(self, info: strawberry.Info, input: list[Row]) -> list[Result]:
        return [answer(row) for row in input]

    @strawberry.field
    def maybe(self, info: strawberry.Info, input: list[Row]) -> list[Result | None]:
        return [None if row.amount == "1" else answer(row) for row in input]

    @strawberry.field
    def named(self, info: strawberry.Info, input: list[Row]) -> list[Named]:
        return [answer(row) for row in input]

    @strawberry.field
    def nested(self, info: strawberry.Info, input: list[list[Row]]) -> list[list[Result]]:
        return [[answer(row) for row in rows] for rows in input]

    @strawberry.field
    def words(self, input: list[str] | None = None) -> list[str]:
        return input or []


config = StrawberryConfig(scalar_map=SCALARS)
plain = strawberry.Schema(Query, types=[Good, Bad], config=config)
short = strawberry.Schema(Query, types=[Good, Bad], config=config, execution_context_class=Executor)
shorten(short)


async def both(document: str, **variables: Any) -> tuple[Any, list[str]]:
    """Data and errors, the same with the shortcuts as without."""
    answers = []
    for one in (plain, short):
        result = await Operations(one, Limits()).execute(Parameters(document, variables), None, reading=True)
        shown = formatted(result.errors or [], "BAD_INPUT")
        answers.append(
            (result.data, [(error["message"], error.get("path"), error["extensions"]["code"]) for error in shown])
        )
    hidden = [[(m, p, c) for m, p, c in errors if c != "INTERNAL"] for _, errors in answers]
    assert answers[0][0] == answers[1][0]
    assert hidden[0] == hidden[1]
    assert len(answers[0][1]) == len(answers[1][1])
    return answers[1][0], [code for _, _, code in answers[1][1]]


def rows(**changes: Any) -> list[dict[str, Any]]:
    made = [
        {"amount": str(place % 4), "inner": {"name": f"n{place}"}, "tags": ["a", f"t{place}"]} for place in range(12)
    ]
    made[5] |= changes
    return made


FIELDS = """__typename ... on Good { it: name amount at colour lazily leaves { value truth } first { value } }
  ... on Bad { why name }"""


async def test_plain_rows_are_answered_alike() -> None:
    data, codes = await both(f"query Q($i: [Row!]!) {{ rows(input: $i) {{ {FIELDS} }} }}", i=rows())
    assert codes == []
    assert data["rows"][0] == {"__typename": "Bad", "why": "nothing", "name": "n0"}
    assert data["rows"][1] == {
        "__typename": "Good",
        "it": "n1",
        "amount": "1",
        "at": None,
        "colour": "BLUE",
        "lazily": "7 ['a', 't1'] None None None",
        "leaves": [{"value": "a", "truth": False}, {"value": "t1", "truth": False}],
        "first": {"value": "a"},
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "2026-01-31T09:30:00Z", "id": "x", "number": 1, "inner": {"name": "n", "colour": "RED"}},
        {"tags": None, "at": None, "id": 5},
        {"tags": "alone"},
        {"amount": "1e3"},
        {"amount": 5},
        {"amount": None},
        {"inner": {"name": "n", "colour": "GREEN"}},
        {"inner": {"name": None}},
        {"inner": {}},
        {"inner": None},
        {"inner": "n"},
        {"unknown": 1},
        {"inner": {"name": "n", "unknown": 1}},
        {"at": "yesterday"},
        {"number": "7"},
        {"number": None},
        {"number": 2**40},
        {"tags": ["a", None]},
        {"amount": "13"},
        {"as": [{"name": "x"}, {"name": "y", "colour": "RED"}], "leftOut": "given"},
        {"as": [], "leftOut": None},
        {"as": [{"name": 1}]},
        {"as": [None]},
        {"named_otherwise": []},
    ],
    ids=repr,
)
async def test_whatever_is_in_a_row_it_is_answered_alike(changes: dict[str, Any]) -> None:
    await both(f"query Q($i: [Row!]!) {{ rows(input: $i) {{ {FIELDS} }} }}", i=rows(**changes))


@pytest.mark.parametrize("input", [None, "x", {}, [None] * 9, [[]] * 9, ["x"] * 9, rows()[0], [*rows(), None], []])
async def test_whatever_comes_instead_of_rows_it_is_answered_alike(input: Any) -> None:
    await both(f"query Q($i: [Row!]!) {{ rows(input: $i) {{ {FIELDS} }} }}", i=input)
    await both("query Q($i: [String!]) { words(input: $i) }", i=input)


@pytest.mark.parametrize(
    "document",
    [
        "query Q($i: [Row!]!) { maybe(input: $i) { __typename } }",
        "query Q($i: [Row!]!) { named(input: $i) { __typename name ... on Good { amount } } }",
        "query Q($i: [Row!]!) { nested(input: [$i, $i]) { __typename ... on Named { name } } }",
        "query Q($i: [Row!]!) { rows(input: $i) { ... on Good { name withArgument(times: 3) } } }",
        "query Q($i: [Row!]!) { rows(input: $i) { ... on Good { name slowly } } }",
        "query Q($i: [Row!]!, $no: Boolean! = false) {"
        " rows(input: $i) { ... on Good { name amount @include(if: $no) } } }",
        "query Q($i: [Row!]!) { rows(input: $i) { ...F ...F } }"
        " fragment F on Good { name leaves { value } leaves { truth } }",
        "query Q($i: [Row!]!) { a: rows(input: $i) { __typename } b: rows(input: $i) { __typename } }",
        "query Q($i: [Row!]! = []) { rows(input: $i) { __typename } }",
        'query Q($i: [Row!]!) { rows(input: $i) { __typename } words(input: ["a", "b"]) }',
    ],
)
async def test_whatever_is_selected_it_is_answered_alike(document: str) -> None:
    _, codes = await both(document, i=rows())
    assert codes == []


async def test_a_list_in_the_document_itself_is_answered_alike() -> None:
    literal = ", ".join(f'{{amount: "{place}", inner: {{name: "n"}}}}' for place in range(10))
    data, codes = await both(f"{{ rows(input: [{literal}]) {{ {FIELDS} }} }}")
    assert (len(data["rows"]), codes) == (10, [])


def test_only_long_lists_that_fit_are_taken() -> None:
    document = parse("query Q($i: [Row!]!, $w: [String!]) { rows(input: $i) { __typename } words(input: $w) }")
    core = short._schema
    found = taken(core, document, None, {"i": rows(), "w": ["w"] * ROWS_MIN, "undeclared": rows()})
    assert found.keys() == {"i", "w"}
    assert all(type(row) is Row for row in found["i"])
    assert taken(core, document, None, {"i": rows()[: ROWS_MIN - 1], "w": ["w"] * 7 + [1]}) == {}
    assert taken(core, document, "Other", {"i": rows()}) == {}
    assert taken(core, document, None, None) == {}


def test_a_row_becomes_a_command_with_its_decimals_normalised() -> None:
    customer = {"institution": "BANK", "reference": "alice"}
    row = coercer(cast(GraphQLInputObjectType, api._schema.type_map["TransferPointsInput"]))(
        {"idempotencyKey": "k", "currency": "BP", "from": customer, "to": customer, "amount": "1.50", "memo": "hi"}
    )
    assert isinstance(row, TransferPointsInput)
    command = transfer_command(3, row)
    assert (command.actor, command.key, command.amount, command.memo) == (3, "k", "1.5", "hi")
    assert (command.source, command.source.reference) == (command.target, "alice")
    issue = IssuePointsInput(idempotency_key="k", currency="BP", to=row.taker, amount=Decimal("2.00"))
    assert issue_command(3, issue).amount == "2"
