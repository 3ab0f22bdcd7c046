"""Limits on documents, and the one place where a document is parsed, checked and validated.

A document is a constant of its client, so all of this is done once per text and remembered; what varies travels in
variables, which is why a batch of 10,000 rows is a small document. Invariant: what is remembered passed every limit and
every validation rule, so a hostile text never takes a good one's place, and the memory of all is bounded.

The limits count what a document *asks for*, fragments expanded at each spread. Each fragment is summed up once, so a
document in which fragments double each other is measured in linear time. Introspection (``__schema``, ``__type``,
``__typename``) is not counted: its depth has a validation rule of its own in graphql-core.
Amounts of data are not limited here: pages and batches have their own bounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    parse,
    specified_rules,
)
from strawberry.schema.schema import validate_document

from schema.faults import LimitExceeded
from schema.plans import Plan

PAGE_ROWS_MAX = 200
_REMEMBERED_DOCUMENTS = 512
_REMEMBERED_CHARACTERS = 10_000  # of one text; a longer one is prepared each time


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one document may ask for."""

    depth: int = 12  # nested fields, the leaf included
    aliases: int = 30
    fields: int = 1_000
    tokens: int = 4_000
    characters: int = 100_000


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid document, ready to be executed any number of times."""

    document: DocumentNode
    operations: Mapping[str | None, OperationType]  # by name; None: the one that runs when no name is given
    plans: dict[str | None, Plan | None] = field(default_factory=dict)  # by the same; made as they are asked for

    def operation(self, name: str | None) -> OperationType | None:
        """The type of the operation that would run, or None when there is none such or the choice is open."""
        return self.operations.get(name)


class DocumentRefused(Exception):
    """The document is malformed, too large or invalid."""

    def __init__(self, code: str, errors: list[GraphQLError]) -> None:
        super().__init__(self.__doc__)
        self.code = code
        self.errors = errors


class Documents:
    """Prepares documents for one GraphQL schema under one set of limits."""

    def __init__(self, core: GraphQLSchema, limits: Limits) -> None:
        self._core = core
        self._limits = limits
        # A raised refusal is not remembered.
        self._remembered = lru_cache(maxsize=_REMEMBERED_DOCUMENTS)(self._prepare)

    def prepare(self, text: str) -> Prepared:
        """The document of ``text``.

        Raises:
            DocumentRefused: with all errors of the first step that found any: parse, limits, validation.
        """
        return self._remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else self._prepare(text)

    def _prepare(self, text: str) -> Prepared:
        if len(text) > self._limits.characters:
            raise DocumentRefused(LimitExceeded.code, [_exceeded("characters", self._limits.characters, len(text))])
        try:
            document = parse(text, max_tokens=self._limits.tokens)
        except GraphQLError as error:
            raise DocumentRefused("PARSE_FAILED", [error]) from None
        if errors := check(document, self._limits):
            raise DocumentRefused(LimitExceeded.code, errors)
        if errors := validate_document(self._core, document, tuple(specified_rules)):
            raise DocumentRefused("VALIDATION_FAILED", errors)
        return Prepared(document, _operations(document))


def check(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """Which limits the document passes, in all its operations. Needs no types and a time linear in its tokens."""
    fragments = {
        definition.name.value: _measure(definition.selection_set)
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    _expand(fragments)
    errors: list[GraphQLError] = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            size = _sum(_measure(definition.selection_set), fragments)
            for name, actual, maximum in (
                ("depth", size.depth, limits.depth),
                ("aliases", size.aliases, limits.aliases),
                ("fields", size.fields, limits.fields),
            ):
                if actual > maximum:
                    errors.append(_exceeded(name, maximum, actual, definition))
    return errors


@dataclass(slots=True)
class _Size:
    """What a selection set asks for; ``spreads`` are the fragments in it, with the depth each begins at."""

    depth: int = 0
    aliases: int = 0
    fields: int = 0
    spreads: list[tuple[str, int]] = field(default_factory=list)


def _measure(selections: SelectionSetNode) -> _Size:
    size = _Size()
    waiting: list[tuple[SelectionNode, int]] = [(selection, 1) for selection in selections.selections]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, FragmentSpreadNode):
            size.spreads.append((node.name.value, depth - 1))
            continue
        below: SelectionSetNode | None = getattr(node, "selection_set", None)
        if isinstance(node, FieldNode):
            size.aliases += node.alias is not None
            if node.name.value.startswith("__"):
                continue
            size.fields += 1
            size.depth = max(size.depth, depth)
            depth += 1
        if below is not None:
            waiting.extend((selection, depth) for selection in below.selections)
    return size


def _sum(size: _Size, fragments: Mapping[str, _Size]) -> _Size:
    total = _Size(size.depth, size.aliases, size.fields)
    for name, depth in size.spreads:
        if (spread := fragments.get(name)) is not None:  # an unknown one is the validation's to report
            # An empty fragment or one of introspection only adds no depth.
            total.depth = max(total.depth, depth + spread.depth if spread.depth else 0)
            total.aliases += spread.aliases
            total.fields += spread.fields
    return total


def _expand(fragments: dict[str, _Size]) -> None:
    """Replace each fragment's size by its sum, innermost first, without recursion; validation reports a cycle."""
    done: set[str] = set()
    for root in list(fragments):
        waiting = [root]
        entered: set[str] = set()
        while waiting:
            name = waiting[-1]
            if name in done:
                waiting.pop()
            elif name in entered:
                waiting.pop()
                done.add(name)
                fragments[name] = _sum(fragments[name], fragments)
            else:
                entered.add(name)
                waiting.extend(
                    inner
                    for inner, _depth in fragments[name].spreads
                    if inner in fragments and inner not in done and inner not in entered
                )


def _operations(document: DocumentNode) -> dict[str | None, OperationType]:
    found = [definition for definition in document.definitions if isinstance(definition, OperationDefinitionNode)]
    operations: dict[str | None, OperationType] = {
        definition.name.value if definition.name else None: definition.operation for definition in found
    }
    if len(found) == 1:
        operations[None] = found[0].operation
    return operations


def _exceeded(limit: str, maximum: int, actual: int, node: OperationDefinitionNode | None = None) -> GraphQLError:
    # Doubled fragments reach numbers of hundreds of digits, which say no more than the first few.
    shown = min(actual, 1_000_000)
    return LimitExceeded(
        f"The document passes the limit of {maximum} {limit}: it has {shown}{' or more' if shown < actual else ''}.",
        nodes=None if node is None else [node],
        limit=limit,
        maximum=maximum,
        actual=shown,
    )
