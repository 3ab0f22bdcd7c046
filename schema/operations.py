"""Operations: a GraphQL document executed for a context, over whichever transport it came.

It knows no operation, no right and no business. Invariant: nothing of an unexpected exception leaves in a stream; over
HTTP the endpoint masks.

Why it calls graphql-core itself: ``strawberry.Schema.execute`` builds an execution context and an extensions' runner
and enters its hooks at every request. Measured on a small mutation it takes 195 µs, against 130 µs for graphql-core's
``execute`` with the document remembered (``schema.limits``), and the stock view then doubles that. Strawberry's
semantics are kept: its executor class makes ``strawberry.Info`` and converts arguments, its own validation rules run.
And the plain operations, which most are, are run without graphql-core, by a plan (``schema.plans``): 205 µs of a small
mutation, HTTP included and the ledger not, become 50.
Schema extensions would not run, so a schema that has some is refused.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, cast

import msgspec
import strawberry
from graphql import ExecutionResult, OperationType, execute, subscribe
from strawberry.execution import optimized_is_awaitable
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult as StrawberryResult
from strawberry.types.execution import PreExecutionError

from schema.faults import BadRequest, MethodNotAllowed, hidden, masked, translated
from schema.limits import DocumentRefused, Documents, Limits, Prepared
from schema.plans import Plan, plan
from schema.rows import Executor, taken


class Parameters(msgspec.Struct):
    """The parameters of a GraphQL-over-HTTP request; unknown ones are ignored, as its specification asks."""

    query: str
    variables: dict[str, Any] | None = None
    operationName: str | None = None  # the wire's name
    extensions: dict[str, Any] | None = None


class Operations:
    """Executes the operations of one schema, over whichever transport they came."""

    def __init__(
        self, api: strawberry.Schema, limits: Limits, on_operation: Callable[[str], None] = lambda kind: None
    ) -> None:
        if api.extensions:
            raise ValueError(f"these schema extensions would not run: {api.extensions!r}")
        self._core = api._schema
        self._executor_class = api.execution_context_class
        takes_shortcuts = issubclass(self._executor_class, Executor)
        self._shortcuts = cast(type[Executor], self._executor_class) if takes_shortcuts else None
        self._documents = Documents(self._core, limits)
        self._on_operation = on_operation

    async def execute(self, parameters: Parameters, context: object, *, reading: bool) -> StrawberryResult:
        """The result of a query or, unless ``reading``, a mutation; ``PreExecutionError`` if nothing was executed.

        Raises:
            DocumentRefused: the document is not valid.
            MethodNotAllowed: it is a mutation, and the request was for reading.
            BadRequest: it is a subscription.
        """
        prepared = self._documents.prepare(parameters.query)
        operation = prepared.operation(parameters.operationName)
        if operation is not None:
            self._on_operation(operation.value)
        if operation is OperationType.MUTATION and reading:
            raise MethodNotAllowed("Mutations are sent with POST.", allow="POST")
        if operation is OperationType.SUBSCRIPTION:
            raise BadRequest(f"Subscriptions are served over WebSocket ({GRAPHQL_TRANSPORT_WS_PROTOCOL}).")
        variables, more = parameters.variables, dict[str, Any]()
        if operation is not None and (planned := self._planned(prepared, parameters.operationName)) is not None:
            found = await planned.run(variables, context, parameters.extensions)
            if isinstance(found, dict):
                return StrawberryResult(data=found, errors=None)
            if found is not None:
                more["middleware"] = [found]
        if self._shortcuts and (rows := taken(self._core, prepared.document, parameters.operationName, variables)):
            # An empty list stands in for each: it is of any list's type, and the executor puts the rows in its place.
            variables, more = {**(variables or {}), **{name: [] for name in rows}}, {**more, "rows": rows}
        result = execute(
            self._core,
            prepared.document,
            context_value=context,
            variable_values=variables,
            operation_name=parameters.operationName,
            executor_class=self._executor_class,
            is_awaitable=cast(Any, optimized_is_awaitable),
            operation_extensions=parameters.extensions,
            **more,
        )
        return _result(await result if isawaitable(result) else result)

    def _planned(self, prepared: Prepared, name: str | None) -> Plan | None:
        """The plan of a document's operation; None: it has none."""
        if self._shortcuts is None:
            return None
        if name not in prepared.plans:
            prepared.plans[name] = plan(self._core, prepared.document, name, self._shortcuts)
        return prepared.plans[name]

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: object = None,
        root_value: object = None,
        operation_name: str | None = None,
    ) -> AsyncGenerator[StrawberryResult, None]:
        """The results of any operation, errors as ``masked`` shows them: what Strawberry's handler asks of a schema."""
        return self._stream(query, variable_values, context_value, operation_name)

    async def _stream(
        self, query: object, variables: object, context: object, operation_name: object
    ) -> AsyncGenerator[StrawberryResult, None]:
        try:
            parameters = msgspec.convert(
                {"query": query, "variables": variables, "operationName": operation_name}, Parameters
            )
            prepared = self._documents.prepare(parameters.query)
            if prepared.operation(parameters.operationName) is not OperationType.SUBSCRIPTION:
                yield _shown(await self.execute(parameters, context, reading=False))
                return
            source = subscribe(
                self._core,
                prepared.document,
                context_value=context,
                variable_values=parameters.variables,
                operation_name=parameters.operationName,
                executor_class=self._executor_class,
                operation_extensions=None,
            )
            events = await source if isawaitable(source) else source
            if isinstance(events, ExecutionResult):
                yield _shown(PreExecutionError(data=None, errors=events.errors))
                return
            async with aclosing(cast(AsyncGenerator[ExecutionResult, None], events)):
                async for event in events:
                    yield _shown(_result(event))
        except msgspec.ValidationError as error:
            yield PreExecutionError(data=None, errors=[BadRequest(str(error))])
        except DocumentRefused as refused:
            yield PreExecutionError(data=None, errors=masked(refused.errors, refused.code))
        except Exception as error:  # the stream breaks off with a masked error instead of the connection
            yield PreExecutionError(data=None, errors=[translated(error) or hidden(error)])


def _result(result: ExecutionResult) -> StrawberryResult:
    """Tell a request refused before execution (no data, and no error has a place in it) from one that failed."""
    if result.data is None and result.errors and all(error.path is None for error in result.errors):
        return PreExecutionError(data=None, errors=result.errors)
    return StrawberryResult(data=result.data, errors=result.errors)


def _shown(result: StrawberryResult) -> StrawberryResult:
    if result.errors:
        result.errors = masked(result.errors, "BAD_INPUT")
    return result
