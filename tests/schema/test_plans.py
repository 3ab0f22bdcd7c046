"""A plan answers what graphql-core answers, or leaves it the answer, and nothing is resolved twice."""

from enum import Enum
from typing import Annotated, Any

import pytest
import strawberry
from graphql import parse
from strawberry.schema.config import StrawberryConfig
from structlog.testing import capture_logs

from schema.faults import Forbidden, formatted
from schema.limits import Limits
from schema.operations import Operations, Parameters
from schema.plans import plan
from schema.rows import Executor
from schema.scalars import SCALARS, Decimal
from schema.shortcuts import shorten


class Mood(Enum):
    GOOD = "g"
    BAD = "b"


strawberry.enum(Mood)


@strawberry.type
class Person:
    name: str
    amount: Decimal | None = None
    friends: tuple["Person", ...] = ()

    @strawberry.field
    def loud(self) -> str:
        if self.name == "mute":
            raise Forbidden
        return self.name.upper()

    @strawberry.field
    async def slow(self) -> str:
        return self.name


@strawberry.type
class No:
    why: str


Answer = Annotated[Person | No, strawberry.union("Answer")]


@strawberry.input
class Wish:
    name: str
    moods: list[Mood] | None = None
    times: int = 2


def answer(name: str) -> Any:
    """What a root field comes to, good or bad."""
    if name == "forbidden":
        raise Forbidden
    if name == "crash":
        raise RuntimeError(name)
    if name == "no":
        return No(why=name)
    if name == "nothing":
        return None
    if name == "stranger":
        return object()
    if name == "wrong":
        return Person(name=name, amount=5)  # type: ignore[arg-type]
    if name == "nameless":
        return Person(name=None)  # type: ignore[arg-type]
    if name == "lonely":
        return Person(name=name, friends=None)  # type: ignore[arg-type]
    return Person(name=name, amount=Decimal("1.5"), friends=(Person(name="f"), Person(name="g")))


@strawberry.type
class Query:
    @strawberry.field
    def person(self, info: strawberry.Info, wish: Wish) -> Answer:
        info.context.append(("person", wish, info.variable_values, info.input_extensions))
        return answer(wish.name)  # type: ignore[no-any-return]

    @strawberry.field
    def perhaps(
        self, info: strawberry.Info, wish: Wish | None = None, times: int = 3, source: str = "s"
    ) -> Answer | None:
        info.context.append(("perhaps", wish, times, source))
        return answer(wish.name if wish else "nothing")  # type: ignore[no-any-return]

    @strawberry.field
    def people(self, names: list[str]) -> list[Answer | None]:
        return [answer(name) for name in names]

    @strawberry.field
    def word(self) -> str | None:
        return "w"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def act(self, info: strawberry.Info, wish: Wish) -> Answer:
        info.context.append(("act", wish))
        return answer(wish.name)  # type: ignore[no-any-return]

    @strawberry.mutation
    async def try_to(self, info: strawberry.Info, wish: Wish) -> Answer | None:
        info.context.append(("try", wish))
        return answer(wish.name)  # type: ignore[no-any-return]


config = StrawberryConfig(scalar_map=SCALARS)
plain = strawberry.Schema(Query, Mutation, config=config)
short = strawberry.Schema(Query, Mutation, config=config, execution_context_class=Executor)
for api in (plain, short):
    shorten(api)


def has_plan(document: str, name: str | None = None) -> bool:
    return plan(short._schema, parse(document), name, Executor) is not None


async def both(document: str, name: str | None = None, **variables: Any) -> tuple[Any, list[Any]]:
    """Data and errors, and that they and what was resolved are the same with plans as without."""
    answers, calls = [], []
    for api in (plain, short):
        called: list[object] = []
        parameters = Parameters(document, variables, name, {"trace": "t"})
        result = await Operations(api, Limits()).execute(parameters, called, reading=False)
        with capture_logs():  # unexpected ones are logged with their traceback, which takes long to draw
            errors = formatted(result.errors or [], "BAD_INPUT")
        for error in errors:
            error["extensions"].pop("id", None)  # drawn for each unexpected one
        answers.append((type(result), result.data, errors))
        calls.append(called)
    assert answers[0] == answers[1]
    assert calls[0] == calls[1]
    return answers[1][1:]


SELECTED = "{ __typename ... on Person { it: name amount loud friends { name amount } } ... on No { why } }"
FIELDS = {"person": "query", "perhaps": "query", "act": "mutation", "tryTo": "mutation"}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "name",
    ["ann", "no", "forbidden", "crash", "nothing", "stranger", "wrong", "nameless", "lonely", "mute"],
)
async def test_whatever_a_field_comes_to_it_is_answered_alike(field: str, name: str) -> None:
    wanted = "Wish" if field == "perhaps" else "Wish!"
    document = f"{FIELDS[field]} Q($wish: {wanted}) {{ it: {field}(wish: $wish) {SELECTED} }}"
    assert has_plan(document)
    await both(document, wish={"name": name})


async def test_what_is_right_is_answered() -> None:
    data, errors = await both(f"mutation Q($w: Wish!) {{ act(wish: $w) {SELECTED} }}", w={"name": "ann"})
    assert errors == []
    friends = [{"name": "f", "amount": None}, {"name": "g", "amount": None}]
    assert data == {"act": {"__typename": "Person", "it": "ann", "amount": "1.5", "loud": "ANN", "friends": friends}}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"w": None},
        {"w": "ann"},
        {"w": [{"name": "ann"}]},
        {"w": {}},
        {"w": {"name": None}},
        {"w": {"name": 5}},
        {"w": {"name": "ann", "unknown": 1}},
        {"w": {"name": "ann", "moods": ["GOOD", "BAD"], "times": 5}},
        {"w": {"name": "ann", "moods": "GOOD"}},
        {"w": {"name": "ann", "moods": [None]}},
        {"w": {"name": "ann", "moods": None}},
        {"w": {"name": "ann", "times": None}},
        {"w": {"name": "ann", "times": "5"}},
        {"w": {"name": "ann"}, "undeclared": 1},
    ],
    ids=repr,
)
async def test_whatever_comes_in_a_variable_it_is_answered_alike(variables: dict[str, Any]) -> None:
    for declared, field in (("Wish!", "person"), ("Wish!", "act"), ("Wish", "perhaps")):
        kind = "mutation" if field == "act" else "query"
        await both(f"{kind} Q($w: {declared}) {{ {field}(wish: $w) {{ __typename }} }}", **variables)


@pytest.mark.parametrize(
    "document",
    [
        "query Q($w: Wish!) { person(wish: $w) { ...P ... on No { why } } } fragment P on Person { name ...F }"
        " fragment F on Person { friends { name } friends { loud } }",
        "query Q($w: Wish!) { person(wish: $w) { __typename } person(wish: $w) { ... on Person { name } } }",
        "query Q($w: Wish!) { ... on Query { ...R } } fragment R on Query { person(wish: $w) { __typename } }",
        "query Q($w: Wish, $n: Int!) { perhaps(wish: $w, times: $n) { __typename } }",
        "{ perhaps { __typename } }",
        "{ word }",
        "query Q($n: [String!]!) { people(names: $n) { __typename } }",
    ],
)
async def test_what_has_a_plan_is_answered_alike(document: str) -> None:
    assert has_plan(document)
    await both(document, w={"name": "ann"}, n=["ann", "no", "nothing"])
    await both(document, w={"name": "ann"}, n=5)
    await both(document)


@pytest.mark.parametrize(
    "document",
    [
        "query Q($w: Wish!, $no: Boolean!) { person(wish: $w) @skip(if: $no) { __typename } }",
        "query Q($w: Wish!, $no: Boolean!) { person(wish: $w) { ... on Person @include(if: $no) { name } } }",
        "query Q($w: Wish!) { person(wish: $w) { ... on Person { slow } } }",
        "query Q($w: Wish!) { person(wish: $w) { __typename } word }",
        "query Q($w: Wish!) { a: person(wish: $w) { __typename } b: person(wish: $w) { __typename } }",
        'query Q($w: Wish! = {name: "ann"}) { person(wish: $w) { __typename } }',
        "query Q($n: Int) { perhaps(times: $n) { __typename } }",
        'query Q($n: Int!) { perhaps(wish: {name: "ann"}, times: $n) { __typename } }',
        "query Q($n: String!) { perhaps(wish: {name: $n}) { __typename } }",
        "{ __typename }",
        "{ __schema { queryType { name } } }",
    ],
)
async def test_what_has_no_plan_is_answered_alike(document: str) -> None:
    assert not has_plan(document)
    for no in (True, False):
        await both(document, w={"name": "ann"}, n=5, no=no)
    await both(document)


async def test_the_named_operation_of_several_is_run() -> None:
    document = "query A($w: Wish!) { person(wish: $w) { __typename } } query B { word }"
    assert [has_plan(document, name) for name in ("A", "B", None)] == [True, True, False]
    assert (await both(document, "B"))[0] == {"word": "w"}
    assert (await both(document, "A", w={"name": "no"}))[0] == {"person": {"__typename": "No"}}
    await both(document, w={"name": "no"})
    await both(document, "C")


async def test_one_document_answers_each_request_by_itself() -> None:
    operations = Operations(short, Limits())
    document = "mutation Q($w: Wish!) { act(wish: $w) { ... on Person { name } } }"
    for name in ("ann", "bob"):
        result = await operations.execute(Parameters(document, {"w": {"name": name}}), [], reading=False)
        assert result.data == {"act": {"name": name}}
