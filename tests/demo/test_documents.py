"""The demo asks only for what the committed API has."""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from hub.demo import documents

SDL = Path(__file__).parents[2] / "schema" / "schema.graphql"
NAMES = [name for name in vars(documents) if name.isupper() and not name.startswith("_")]


@pytest.fixture(scope="module")
def api() -> GraphQLSchema:
    return build_schema(SDL.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_the_document_is_valid_against_the_committed_sdl(name: str, api: GraphQLSchema) -> None:
    assert validate(api, parse(getattr(documents, name))) == []


def test_there_are_documents() -> None:
    assert len(NAMES) > 20
