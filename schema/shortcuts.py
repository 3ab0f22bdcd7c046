"""Shortcuts: what graphql-core asks once per row or request, answered without Strawberry's general search.

Strawberry finds the type of a union's member by going over all types, and reads a plain attribute through three calls.
Here every object is of exactly one class of the schema, so a look into a dictionary tells the type, and what depends on
the object alone is read of it at once. Inputs are built by graphql-core itself of the values that it has coerced; for
Strawberry to go over them once more costs several times as much as everything else that is done with them. So a
resolver takes its arguments as they come. Also, an optional argument has no default in the SDL: leaving it out and
giving null are one thing here.
"""

from collections.abc import Callable
from dataclasses import MISSING
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
    get_named_type,
)
from strawberry.types.field import StrawberryField

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
            _build_directly(kind)


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
    """Have the function behind a field called without a detour, if it is a method of ``self`` and ``info``.

    Raises:
        TypeError: it is none, and takes inputs, which Strawberry would build once more.
    """
    found: StrawberryField = field.extensions[DEFINITION]
    resolver = found.base_resolver
    method = resolver is not None and list(resolver.signature.parameters)[:2] == ["self", "info"]
    if resolver is None or not method or resolver.root_parameter or found.extensions or field.subscribe is not None:
        if any(isinstance(get_named_type(argument.type), GraphQLInputObjectType) for argument in field.args.values()):
            raise TypeError(f"{found.python_name} takes inputs, so it has to be a plain method of self and info")
        return
    for argument in field.args.values():
        argument.out_name = argument.extensions[DEFINITION].python_name
    call = cast(Callable[..., Any], resolver.wrapped_func)

    def resolve(source: object, info: object, /, **arguments: Any) -> Any:
        return call(source, info_class(_raw_info=info, _field=found), **arguments)

    field.resolve = resolve


def _build_directly(kind: GraphQLInputObjectType) -> None:
    """Have graphql-core build an input of the values that it has coerced. Left out are nullable ones alone; they are
    None if the class does not say what they are. A default is one object for all requests, so resolvers change none."""
    left_out: dict[str, None] = {}
    for one in kind.fields.values():
        found: StrawberryField = one.extensions[DEFINITION]
        one.out_name = found.python_name
        if not isinstance(one.type, GraphQLNonNull):
            if one.default_value is None:
                one.default_value = Undefined
            if found.default_value is MISSING and found.default_factory is MISSING:
                left_out[found.python_name] = None
    build = kind.extensions[DEFINITION].origin
    if left_out:
        cast(Any, kind).out_type = lambda values: build(**(left_out | values))
    else:
        cast(Any, kind).out_type = lambda values: build(**values)
