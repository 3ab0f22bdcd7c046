"""Builders: input types of which many come are built by functions of their own.

Strawberry's conversion of an input costs several times as much as everything else that is done with it.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from strawberry.types import get_object_definition
from strawberry.types.arguments import InputContext

T = TypeVar("T")
Build = Callable[[Mapping[str, Any]], object]

_BUILDERS: dict[str, Build] = {}  # by the input type's name


def built_by(kind: type[T], build: Callable[[Mapping[str, Any]], T]) -> None:
    """Have ``kind``, an input type, built by ``build`` from the fields as the API names them. Fields that were left out
    and have no default are not among them; inputs within it may be built already."""
    definition = get_object_definition(kind, strict=True)
    _BUILDERS[definition.name] = build

    def from_input(_kind: type, value: Mapping[str, Any] | T, _context: InputContext) -> T:
        return value if isinstance(value, kind) else build(cast(Mapping[str, Any], value))

    definition.from_input = from_input


def builder(name: str) -> Build | None:
    """What builds the input type called so; None: Strawberry does."""
    return _BUILDERS.get(name)
