"""Shortcuts: what graphql-core asks once per row, answered without Strawberry's general search.

Strawberry finds the type of a union's member by going over all types, and reads a plain attribute through three calls.
Here every object is of exactly one class of the schema, so a look into a dictionary tells the type, and what depends on
the object alone is read of it at once. Also, an optional argument has no default in the SDL: leaving it out and giving
null are one thing here.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
)
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

PLAIN = "plain"  # in a field's extensions: what reads it of its object, if that needs nothing else


def shorten(api: strawberry.Schema) -> None:
    """Put the shortcuts into the schema that Strawberry built."""
    types = api._schema.type_map.values()
    names: dict[type, str] = {}
    for kind in types:
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            definition = kind.extensions["strawberry-definition"]
            if definition.concrete_of is None:
                names[definition.origin] = kind.name
                kind.is_type_of = None
            for name, field in kind.fields.items():
                _read_directly(field, definition, name)
    resolve_type = _by_class(names)
    for kind in types:
        if isinstance(kind, GraphQLUnionType | GraphQLInterfaceType):
            kind.resolve_type = resolve_type
        elif isinstance(kind, GraphQLInputObjectType):
            for one in kind.fields.values():
                if one.default_value is None and not isinstance(one.type, GraphQLNonNull):
                    one.default_value = Undefined


def _by_class(names: dict[type, str]) -> Callable[..., str]:
    def resolve_type(value: object, _info: object, _abstract: object) -> str:
        return names[type(value)]

    return resolve_type


def _read_directly(field: GraphQLField, definition: StrawberryObjectDefinition, name: str) -> None:
    for argument in field.args.values():
        if argument.default_value is None and not isinstance(argument.type, GraphQLNonNull):
            argument.default_value = Undefined
    found = field.extensions["strawberry-definition"]
    read = _reader(found)
    if read is not None:
        field.extensions[PLAIN] = read

        def resolve(source: Any, _info: object) -> Any:
            return read(source)

        field.resolve = resolve


def _reader(field: StrawberryField) -> Callable[[Any], Any] | None:
    """What reads a field of its object: an attribute, or a method that is given nothing. None: it needs more."""
    if field.is_basic_field:
        return attrgetter(field.python_name)
    resolver = field.base_resolver
    if resolver is None or resolver.is_async or list(resolver.signature.parameters) != ["self"]:
        return None
    return cast(Callable[[Any], Any], resolver.wrapped_func)
