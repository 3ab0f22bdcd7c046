"""The SDL is committed, and holds everything that partners rely on: each name, type, default and member."""

from pathlib import Path

import pytest
from graphql import (
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    UnionTypeDefinitionNode,
    build_schema,
    parse,
    print_ast,
)

from schema.api import sdl

CONTRACT = Path(__file__).with_name("contract.graphql")
COMMITTED = Path(__file__).parents[2] / "schema" / "schema.graphql"


def facts(text: str) -> dict[str, str]:
    """Everything that a client can rely on in an SDL, by its place."""
    found: dict[str, str] = {}
    for node in parse(text).definitions:
        match node:
            case ScalarTypeDefinitionNode():
                found[node.name.value] = "scalar"
            case EnumTypeDefinitionNode():
                found[node.name.value] = "enum"
                found |= {f"{node.name.value}.{value.name.value}": "value" for value in node.values or ()}
            case UnionTypeDefinitionNode():
                found[node.name.value] = "union"
                found |= {f"{node.name.value}|{member.name.value}": "member" for member in node.types or ()}
            case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
                found[node.name.value] = node.kind
                found |= {f"{node.name.value}&{one.name.value}": "interface" for one in node.interfaces or ()}
                for field in node.fields or ():
                    found |= field_facts(node.name.value, field)
            case InputObjectTypeDefinitionNode():
                found[node.name.value] = node.kind
                for value in node.fields or ():
                    found[f"{node.name.value}.{value.name.value}"] = input_fact(value)
    return found


def field_facts(owner: str, field: FieldDefinitionNode) -> dict[str, str]:
    place = f"{owner}.{field.name.value}"
    return {place: print_ast(field.type)} | {
        f"{place}({argument.name.value})": input_fact(argument) for argument in field.arguments or ()
    }


def input_fact(value: InputValueDefinitionNode) -> str:
    default = "" if value.default_value is None else f" = {print_ast(value.default_value)}"
    return f"{print_ast(value.type)}{default}"


@pytest.fixture(scope="module")
def ours() -> dict[str, str]:
    return facts(COMMITTED.read_text())


@pytest.fixture(scope="module")
def contract() -> dict[str, str]:
    return facts(CONTRACT.read_text())


def test_the_committed_sdl_is_the_apis() -> None:
    assert COMMITTED.read_text() == sdl(), "write it anew: python -m schema > schema/schema.graphql"


def test_the_sdl_builds_a_schema() -> None:
    assert build_schema(COMMITTED.read_text()).query_type is not None


def test_the_contract_is_read_whole(contract: dict[str, str]) -> None:
    assert len(contract) > 400
    assert contract["ProposeRateInput.bonuses"] == "[RateBonusInput!]"
    assert contract["Query.rates(first)"] == "Int = 50"
    assert contract["RefusalReason.RETRY_LATER"] == "value"
    assert contract["RateResult|Refused"] == "member"
    assert contract["Issue&Node"] == "interface"


def test_the_sdl_holds_the_contract(ours: dict[str, str], contract: dict[str, str]) -> None:
    different = {place: (fact, ours.get(place)) for place, fact in contract.items() if ours.get(place) != fact}
    assert different == {}


def test_what_is_more_than_the_contract_breaks_no_client(ours: dict[str, str], contract: dict[str, str]) -> None:
    """An argument or input field that the contract does not have must not be needed."""
    for place, fact in ours.items():
        owner = place.partition("(")[0] if "(" in place else place.partition(".")[0]
        is_input = "(" in place or contract.get(owner) == "input_object_type_definition"
        if owner in contract and is_input and place not in contract:
            assert not fact.endswith("!"), place


def test_everything_is_described() -> None:
    missing = []
    for node in parse(COMMITTED.read_text()).definitions:
        name = getattr(getattr(node, "name", None), "value", "schema")
        if getattr(node, "description", None) is None and name != "schema":
            missing.append(name)
        for part in [*(getattr(node, "fields", None) or ()), *(getattr(node, "values", None) or ())]:
            if part.description is None:
                missing.append(f"{name}.{part.name.value}")
            missing.extend(
                f"{name}.{part.name.value}({argument.name.value})"
                for argument in getattr(part, "arguments", None) or ()
                if argument.description is None
            )
    assert missing == []
