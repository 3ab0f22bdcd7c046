"""Documents that ask for too much are refused cheaply, and good ones are prepared once."""

import pytest
import strawberry
from graphql import OperationType, get_introspection_query, parse

from schema.limits import DocumentRefused, Documents, Limits, check

SMALL = Limits(depth=4, aliases=3, fields=10, tokens=200, characters=2_000)


@strawberry.type
class Node:
    name: str

    @strawberry.field
    def next(self, of: str | None = None) -> "Node":
        return self


@strawberry.type
class Query:
    @strawberry.field
    def node(self) -> Node:
        return Node(name="a")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def touch(self) -> int:
        return 1


api = strawberry.Schema(Query, Mutation)


def documents(limits: Limits = SMALL) -> Documents:
    return Documents(api._schema, limits)


def refused(text: str, limits: Limits = SMALL) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        documents(limits).prepare(text)
    return caught.value


def exceeded(text: str, limits: Limits = SMALL) -> dict[str, tuple[int, int]]:
    """limit -> (maximum, actual)"""
    found = {}
    for error in check(parse(text), limits):
        extensions = error.extensions or {}
        assert extensions["code"] == "DOCUMENT_LIMIT"
        found[extensions["limit"]] = (extensions["maximum"], extensions["actual"])
    return found


def test_a_document_is_prepared_once() -> None:
    prepared = documents()
    assert prepared.prepare("{ node { name } }") is prepared.prepare("{ node { name } }")


def test_a_refused_document_takes_no_place_in_memory() -> None:
    prepared = documents()
    for number in range(5):
        with pytest.raises(DocumentRefused):
            prepared.prepare(f"{{ node{number} }}")
    assert prepared._remembered.cache_info().currsize == 0


def test_a_long_document_is_served_but_not_remembered() -> None:
    prepared = documents(Limits())
    text = "{ node { name } } #" + "x" * 20_000
    prepared.prepare(text)
    assert prepared._remembered.cache_info().currsize == 0


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("{ node { name } }", 2),
        ("{ node { next { next { name } } } }", 4),
        ("{ node { next { next { next { name } } } } }", 5),
        ("{ ... on Query { ... { node { ... on Node { name } } } } }", 2),
        ("{ ...A } fragment A on Query { node { ...B } } fragment B on Node { next { ...C } } "
         "fragment C on Node { next { next { name } } }", 5),
        ("{ node { name } ...A } fragment A on Query { __typename }", 2),
        ("query A { node { name } } query B { node { next { next { next { name } } } } }", 5),
    ],
)  # fmt: skip
def test_depth_counts_fields_through_fragments(text: str, depth: int) -> None:
    assert exceeded(text, Limits(depth=depth)) == {}
    assert exceeded(text, Limits(depth=depth - 1)) == {"depth": (depth - 1, depth)}


def test_the_error_says_which_limit_and_where() -> None:
    error = refused("{ node { next { next { next { name } } } } }").errors[0]
    assert error.message == "The document passes the limit of 4 depth: it has 5."
    assert [(at.line, at.column) for at in error.locations or ()] == [(1, 1)]
    assert error.extensions == {"code": "DOCUMENT_LIMIT", "limit": "depth", "maximum": 4, "actual": 5}


def test_all_limits_passed_are_listed() -> None:
    text = "{ node { a: name b: name c: name d: name next { next { next { name } } } } }"
    assert exceeded(text) == {"depth": (4, 5), "aliases": (3, 4)}


def test_aliases_are_counted_at_each_spread() -> None:
    spread = "{ node { ...A next { ...A } } } fragment A on Node { x: name y: name }"
    assert exceeded(spread) == {"aliases": (3, 4)}


def test_a_thousand_aliased_mutations_are_refused() -> None:
    text = "mutation {" + " ".join(f"m{number}: touch" for number in range(1_000)) + "}"
    assert exceeded(text, Limits()) == {"aliases": (30, 1_000)}


def test_fields_are_counted_after_expansion() -> None:
    text = "{ node { ...A next { ...A } } } fragment A on Node { name next { name next { name } } }"
    # node + next + twice (name, next, name, next, name)
    assert exceeded(text, Limits(fields=11)) == {"fields": (11, 12)}


def test_fragments_that_double_each_other_are_measured_at_once() -> None:
    count = 150
    text = "{ node { ...F0 } } " + " ".join(
        f"fragment F{number} on Node {{ a: next {{ ...F{number + 1} }} b: next {{ ...F{number + 1} }} }}"
        for number in range(count)
    )
    text += f" fragment F{count} on Node {{ name }}"
    # Each field by itself would be 2 ** 150: whoever counted them one by one would never get here.
    assert set(exceeded(text, Limits(tokens=10_000))) == {"depth", "aliases", "fields"}
    message = refused(text, Limits()).errors[-1].message
    assert message == "The document passes the limit of 1000 fields: it has 1000000 or more."


def test_a_long_chain_of_fragments_needs_no_recursion() -> None:
    count = 1_500
    text = "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(count))
    text += f" fragment F{count} on Query {{ node {{ name }} }}"
    assert exceeded(text, Limits(depth=2)) == {}
    assert exceeded(text, Limits(depth=1)) == {"depth": (1, 2)}


def test_fragment_cycles_are_reported_by_the_validation() -> None:
    text = "{ node { ...A } } fragment A on Node { next { ...B } } fragment B on Node { next { ...A } }"
    found = refused(text)
    assert found.code == "VALIDATION_FAILED"
    assert "within itself" in found.errors[0].message


def test_an_unknown_fragment_is_reported_by_the_validation() -> None:
    assert refused("{ node { ...Missing } }").code == "VALIDATION_FAILED"


def test_the_full_introspection_passes() -> None:
    text = get_introspection_query(specified_by_url=True, directive_is_repeatable=True, input_value_deprecation=True)
    assert documents(Limits()).prepare(text).operation(None) is OperationType.QUERY


def test_introspection_hides_nothing_beside_it() -> None:
    text = "{ __schema { types { name } } node { next { next { next { name } } } } }"
    assert exceeded(text) == {"depth": (4, 5)}


def test_too_many_tokens_are_refused_with_the_limit() -> None:
    found = refused("{ " + "node " * 200 + "}")
    assert found.code == "PARSE_FAILED"
    assert "200 tokens" in found.errors[0].message


def test_a_long_text_is_refused_unread() -> None:
    found = refused("#" + "x" * 2_000)
    assert found.errors[0].message == "The document passes the limit of 2000 characters: it has 2001."


@pytest.mark.parametrize("text", ["", "{", "{ node { name }", "fragment", "{ node(a: " + "[" * 150 + ") }"])
def test_what_cannot_be_parsed_is_refused(text: str) -> None:
    assert refused(text, Limits()).code == "PARSE_FAILED"


def test_a_document_of_fragments_only_is_no_request() -> None:
    assert refused("fragment A on Query { node { name } }").code == "VALIDATION_FAILED"


def test_the_operation_that_runs_is_known_by_its_name() -> None:
    one = documents().prepare("query A { node { name } }")
    assert (one.operation(None), one.operation("A"), one.operation("B")) == (
        OperationType.QUERY,
        OperationType.QUERY,
        None,
    )
    two = documents().prepare("query A { node { name } } mutation B { touch }")
    assert (two.operation(None), two.operation("A"), two.operation("B")) == (
        None,
        OperationType.QUERY,
        OperationType.MUTATION,
    )
