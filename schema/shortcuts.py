"""Shortcuts: what graphql-core asks once per row or request, answered without Strawberry's general search.

Strawberry finds the type of a union's member by going over all types, and reads a plain attribute through three calls.
Here every object is of exactly one class of the schema, so a look into a dictionary tells the type, and what depends on
the object alone is read of it at once. A resolver whose arguments need no converting, because they are leaves or have a
builder, is called at once too. Also, an optional argument has no default in the SDL: leaving it out and giving null are
one thing here.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    get_nullable_type,
)
from strawberry.types.field import StrawberryField

from schema.builders import builder

DEFINITION = "strawberry-definition"  # in extensions: what Strawberry made it of
PLAIN = "plain"  # in a field's extensions: what reads it of its object, if that needs nothing else


def shorten(api: strawberry.Schema) -> None:
    """Put the shortcuts into the schema that Strawberry built."""
    types = api._schema.type_map.values()
    names: dict[type, str] = {}
    for kind in types:
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            definition = kind.extensions[DEFINITION]
            if definition.concrete_of is None:
                names[definition.origin] = kind.name
                kind.is_type_of = None
            for field in kind.fields.values():
                _read_directly(field)
                _call_directly(field, api.config.info_class)
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


def _read_directly(field: GraphQLField) -> None:
    for argument in field.args.values():
        if argument.default_value is None and not isinstance(argument.type, GraphQLNonNull):
            argument.default_value = Undefined
    read = _reader(field.extensions[DEFINITION])
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


def _call_directly(field: GraphQLField, info_class: Callable[..., Any]) -> None:
    """Have the function behind a field called without a detour, if it is a method of ``self`` and ``info`` and each of
    its arguments needs no converting."""
    found: StrawberryField = field.extensions[DEFINITION]
    resolver = found.base_resolver
    if resolver is None or found.extensions or field.subscribe is not None:
        return
    if list(resolver.signature.parameters)[:2] != ["self", "info"] or resolver.root_parameter:
        return
    converters = [
        (name, argument.extensions[DEFINITION].python_name, _converter(argument.type))
        for name, argument in field.args.items()
    ]
    if any(convert is None for _, _, convert in converters):
        return
    call = cast(Callable[..., Any], resolver.wrapped_func)

    def resolve(source: object, info: object, /, **given: Any) -> Any:
        arguments = {ours: convert(given[name]) for name, ours, convert in converters if convert and name in given}
        return call(source, info_class(_raw_info=info, _field=found), **arguments)

    field.resolve = resolve


def _converter(kind: GraphQLInputType) -> Callable[[Any], Any] | None:
    """What turns a coerced value into what a resolver takes; None: that is Strawberry's to do."""
    nullable = get_nullable_type(kind)
    if isinstance(nullable, GraphQLList):
        item = _converter(nullable.of_type)
        return None if item is None else lambda values: None if values is None else [item(one) for one in values]
    if isinstance(nullable, GraphQLInputObjectType):
        build = builder(nullable.name)
        return None if build is None else lambda value: build(value) if type(value) is dict else value
    return lambda value: value
