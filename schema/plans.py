"""Plans: an operation whose one root field is plain, prepared once for its document and then run without graphql-core.

Plain is: each argument is a variable, no directives, and a result of plain attributes all the way (``schema.rows``).
That is most of what partners' programs send, and graphql-core's general way costs it several times as much. The rule is
that of ``schema.rows``: a plan answers what graphql-core would, or leaves the answer to it. Arguments that do not fit
are left to it before anything has happened; a field that failed, or a result that is not as declared, is told to it, so
that nothing is resolved twice and it alone says what errors come of that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLArgument,
    GraphQLInputType,
    GraphQLNonNull,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    VariableNode,
    default_field_resolver,
    default_type_resolver,
    get_operation_ast,
    type_from_ast,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from graphql.utilities.coerce_input_value import coerce_default_value
from strawberry.execution import optimized_is_awaitable

from schema.rows import Convert, Executor, NotPlain, coercer


class Resolved(NamedTuple):
    """What a root field came to: a value, or the error that its resolver raised."""

    value: object
    error: Exception | None = None

    def resolve(
        self, following: Callable[..., Any], source: object, info: GraphQLResolveInfo[Any], /, **arguments: Any
    ) -> Any:
        """As graphql-core's middleware: the root field is not resolved again."""
        if info.path.prev is not None:
            return following(source, info, **arguments)
        if self.error is not None:
            raise self.error
        return self.value


class _Variable(NamedTuple):
    name: str
    coerce: Convert
    required: bool


class _Argument(NamedTuple):
    """An argument; ``default`` stands where its variable is left out, unless that is Undefined."""

    name: str
    variable: str | None
    default: object


@dataclass(frozen=True, slots=True)
class Plan:
    """One operation of one document. ``info``: what resolvers are told, but for what is the request's own."""

    variables: list[_Variable]
    arguments: list[_Argument]
    resolve: Callable[..., Any]
    info: Any
    answered: str
    complete: Convert

    async def run(
        self, variables: Mapping[str, Any] | None, context: object, extensions: Mapping[str, Any] | None
    ) -> dict[str, Any] | Resolved | None:
        """The response's data. What is not plain is left to graphql-core: None, before anything has happened, if it is
        the variables; else what the root field came to."""
        try:
            coerced = self._coerced(variables or {})
        except Exception:  # whatever it is, graphql-core meets it again
            return None
        arguments = {}
        for name, variable, default in self.arguments:
            if variable in coerced:
                arguments[name] = coerced[variable]
            elif default is not Undefined:
                arguments[name] = default
        info = self.info._replace(variable_values=coerced, context=context, operation_extensions=extensions)
        try:
            value = self.resolve(None, info, **arguments)
            if optimized_is_awaitable(value):
                value = await value
        except Exception as error:  # which graphql-core puts in its place
            return Resolved(None, error)
        try:
            return {self.answered: self.complete(value)}
        except Exception:  # as above
            return Resolved(value)

    def _coerced(self, given: Mapping[str, Any]) -> dict[str | None, Any]:
        coerced: dict[str | None, Any] = {}
        for name, coerce, required in self.variables:
            if name in given:
                coerced[name] = coerce(given[name])
            elif required:
                raise NotPlain
        return coerced


def plan(core: GraphQLSchema, document: DocumentNode, name: str | None, executor: type[Executor]) -> Plan | None:
    """The plan of the operation ``name`` of a valid document; None: it is not plain."""
    operation = get_operation_ast(document, name)
    if operation is None or operation.loc is None or "@" in operation.loc.source.body:  # there may be directives
        return None
    try:
        return _plan(core, document, operation, executor)
    except (NotPlain, RecursionError):
        return None


def _plan(
    core: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, executor: type[Executor]
) -> Plan:
    root = core.get_root_type(operation.operation)
    if root is None:
        raise NotPlain
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    details = {name: FragmentDetails(one) for name, one in fragments.items()}
    nothing = VariableValues({}, {})
    selected = collect_fields(core, details, nothing, root, operation).grouped_field_set
    if len(selected) != 1:
        raise NotPlain
    [(answered, fields)] = selected.items()
    field = root.fields.get(fields[0].node.name.value)
    if field is None or field.resolve is None:
        raise NotPlain
    variables = {one.variable.name.value: _variable(core, one) for one in operation.variable_definitions or ()}
    arguments = [_argument(name, one, fields[0], variables) for name, one in field.args.items()]
    compiling = executor(
        *(core, fragments, details, None, None, operation, nothing),
        *(default_field_resolver, default_type_resolver, default_field_resolver),
        is_awaitable=optimized_is_awaitable,
    )
    info = compiling.build_resolve_info(field, [one.node for one in fields], root, Path(None, answered, root.name))
    complete = compiling.completer(field.type, fields)
    return Plan(list(variables.values()), arguments, field.resolve, info, answered, complete)


def _variable(core: GraphQLSchema, definition: VariableDefinitionNode) -> _Variable:
    if definition.default_value is not None:
        raise NotPlain
    kind = cast(GraphQLInputType, type_from_ast(core, definition.type))
    return _Variable(definition.variable.name.value, coercer(kind), isinstance(kind, GraphQLNonNull))


def _argument(
    name: str, argument: GraphQLArgument, field: FieldDetails, variables: Mapping[str, _Variable]
) -> _Argument:
    """An argument of the root field.

    Raises:
        NotPlain: it is given, but not by a variable, or by one that may be null where it may not.
    """
    default = coerce_default_value(argument)
    for one in field.node.arguments or ():
        if one.name.value == name:
            if not isinstance(one.value, VariableNode):
                raise NotPlain
            variable = variables[one.value.name.value]
            if isinstance(argument.type, GraphQLNonNull) and not variable.required:
                raise NotPlain
            return _Argument(argument.out_name or name, variable.name, default)
    return _Argument(argument.out_name or name, None, default)
