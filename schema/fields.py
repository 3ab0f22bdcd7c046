"""Decorators of resolvers: Strawberry's, with a description that is never forgotten and a type that checkers keep."""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

F = TypeVar("F", bound=Callable[..., Any])


def field(description: str, *, name: str | None = None) -> Callable[[F], F]:
    """A field that a function resolves."""
    return strawberry.field(description=description, name=name)  # type: ignore[no-any-return]


def mutation(description: str) -> Callable[[F], F]:
    """A field that acts."""
    return strawberry.mutation(description=description)  # type: ignore[no-any-return]


def subscription(description: str) -> Callable[[F], F]:
    """A field that goes on answering."""
    return strawberry.subscription(description=description)  # type: ignore[no-any-return]
