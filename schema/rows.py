"""Rows: values of input and of results, without graphql-core's dozen calls for each field of each row.

Both ways are shortcuts with one rule: they answer what graphql-core would, or they give up and leave the value to it.
It alone reports what is wrong. In: a value is coerced by a function made once for its type. Out: what is selected as
plain attributes, of objects all the way, is read by a function made once for each class in it. Operations that are
plain as a whole go these ways with all they bring (``schema.plans``), others with their long lists.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

from graphql import (
    DocumentNode,
    GraphQLBoolean,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    Undefined,
    get_nullable_type,
    get_operation_ast,
    is_abstract_type,
    is_leaf_type,
    is_required_input_field,
    type_from_ast,
)
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.shortcuts import PLAIN

ROWS_MIN: Final = 8  # below, making the functions costs more than they save

Convert = Callable[[Any], Any]


class NotPlain(Exception):
    """The value is not what the shortcut is for."""


# --- in ---------------------------------------------------------------------------------------------------------------


def taken(
    core: GraphQLSchema, document: DocumentNode, name: str | None, variables: Mapping[str, Any] | None
) -> dict[str, list[Any]]:
    """The variables of the document's operation ``name`` that are long lists, coerced; what does not fit its type is
    left out, for graphql-core to say why."""
    found: dict[str, list[Any]] = {}
    for variable, value in (variables or {}).items():
        if type(value) is list and len(value) >= ROWS_MIN:
            convert = _coercer_of(core, get_operation_ast(document, name), variable)
            if convert is not None:
                try:
                    found[variable] = convert(value)
                except Exception:  # whatever it is, graphql-core meets it again
                    continue
    return found


def _coercer_of(core: GraphQLSchema, operation: OperationDefinitionNode | None, variable: str) -> Convert | None:
    for definition in (operation.variable_definitions if operation is not None else None) or ():
        if definition.variable.name.value == variable:
            declared = cast(GraphQLInputType, type_from_ast(core, definition.type))
            if isinstance(get_nullable_type(declared), GraphQLList):
                return coercer(declared)
    return None


@lru_cache(maxsize=256)
def coercer(kind: GraphQLInputType) -> Convert:
    """What coerces values of a type, or raises."""
    if isinstance(kind, GraphQLNonNull):
        return _nullable(kind.of_type)
    inner = _nullable(kind)
    return lambda value: None if value is None else inner(value)


def _nullable(kind: Any) -> Convert:
    """What coerces values of a type that are not null."""
    if isinstance(kind, GraphQLList):
        return _list(coercer(kind.of_type))
    if isinstance(kind, GraphQLInputObjectType):
        return _input_object(kind)
    if kind is GraphQLString:
        return _string
    return _not_null(kind.coerce_input_value)


def _list(item: Convert) -> Convert:
    def coerce(value: Any) -> list[Any]:
        if type(value) is not list:
            raise NotPlain
        return [item(one) for one in value]

    return coerce


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    raise NotPlain


def _not_null(leaf: Convert) -> Convert:
    def coerce(value: Any) -> Any:
        if value is None:
            raise NotPlain
        found = leaf(value)
        if found is Undefined or found is None:
            raise NotPlain
        return found

    return coerce


def _input_object(kind: GraphQLInputObjectType) -> Convert:
    if kind.is_one_of:
        raise NotPlain
    fields = {name: (field.out_name or name, coercer(field.type)) for name, field in kind.fields.items()}
    defaults = {field.out_name or name: coerce_default_value(field) for name, field in kind.fields.items()}
    defaults = {name: default for name, default in defaults.items() if default is not Undefined}
    required = {field.out_name or name for name, field in kind.fields.items() if is_required_input_field(field)}
    build = kind.out_type

    def coerce(value: Any) -> Any:
        if type(value) is not dict:
            raise NotPlain
        made = defaults.copy()
        for name, given in value.items():
            called, convert = fields[name]
            made[called] = convert(given)
        if not required <= made.keys():
            raise NotPlain
        return build(made)

    return coerce


# --- out --------------------------------------------------------------------------------------------------------------


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, with a shortcut for long lists. ``rows``: variables that ``taken`` has coerced."""

    def __init__(self, *arguments: Any, rows: Mapping[str, list[Any]] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if rows:
            self.variable_values.coerced.update(rows)

    def complete_iterable_value(
        self, item_type: Any, field_details_list: Any, info: Any, path: Any, items: Any, position_context: Any
    ) -> Any:
        if type(items) is list and len(items) >= ROWS_MIN:
            try:
                return self._items(item_type, field_details_list)(items)
            except Exception:  # the long way meets whatever it was again, and says where
                pass
        return super().complete_iterable_value(item_type, field_details_list, info, path, items, position_context)

    def _items(self, kind: Any, details: Any) -> Convert:
        """What completes lists of ``kind``, or raises."""
        one = self.completer(kind, details)

        def complete(items: Any) -> list[Any]:
            if type(items) is not list and type(items) is not tuple:
                raise NotPlain
            return [one(item) for item in items]

        return complete

    def completer(self, kind: Any, details: Any) -> Convert:
        """What completes values of a type under the selections ``details``, or raises.

        Raises:
            NotPlain: the selections hold more than plain attributes.
        """
        if isinstance(kind, GraphQLNonNull):
            return self._not_null_completer(kind.of_type, details)
        inner = self._not_null_completer(kind, details)
        return lambda value: None if value is None else inner(value)

    def _not_null_completer(self, kind: Any, details: Any) -> Convert:
        if isinstance(kind, GraphQLList):
            return self._items(kind.of_type, details)
        if kind is GraphQLString or kind is GraphQLID:
            return _string
        if kind is GraphQLBoolean:
            return _boolean
        if is_leaf_type(kind):
            return _not_null(kind.coerce_output_value)
        if is_abstract_type(kind):
            return self._member(kind, details)
        return self._object(kind, details)

    def _member(self, kind: Any, details: Any) -> Convert:
        """What completes objects of an abstract type, by their class."""
        by_name = {member.name: self._object(member, details) for member in self.schema.get_possible_types(kind)}
        by_class: dict[type, Convert] = {}

        def complete(value: Any) -> Any:
            found = by_class.get(type(value))
            if found is None:
                found = by_class[type(value)] = by_name[kind.resolve_type(value, None, kind)]
            return found(value)

        return complete

    def _object(self, kind: GraphQLObjectType, details: Any) -> Convert:
        """What reads objects of a type: selected attributes, by the names under which they are answered."""
        parts: list[tuple[str, Convert]] = []
        for answered, fields in self.collect_subfields(kind, details)[0].items():
            name = fields[0].node.name.value
            if name == "__typename":
                parts.append((answered, lambda _: kind.name))
                continue
            field = kind.fields[name]
            read = field.extensions.get(PLAIN)
            if read is None or field.args:
                raise NotPlain
            parts.append((answered, _reader(read, self.completer(field.type, fields))))
        return lambda value: {answered: read(value) for answered, read in parts}


def _reader(read: Convert, complete: Convert) -> Convert:
    return lambda value: complete(read(value))


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    raise NotPlain
