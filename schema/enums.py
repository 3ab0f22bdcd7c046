"""The core's enumerations as the API's: one set of values, described for readers of the API."""

from enum import Enum
from typing import TypeVar

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

E = TypeVar("E", bound=Enum)


def publish(kind: type[E], name: str, description: str, **values: str) -> type[E]:
    """Make ``kind`` the API's enumeration ``name``; ``values`` describe its members, each of them.

    Raises:
        ValueError: a member has no description, or there is none such.
    """
    if values.keys() != {member.name for member in kind}:
        raise ValueError(f"the members of {name} and their descriptions differ")
    shown: type[E] = strawberry.enum(kind, name=name, description=description)
    definition: StrawberryEnumDefinition = shown.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = values[value.name]
    return shown
