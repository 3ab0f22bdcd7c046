"""What a request says about itself, before anything of it is verified, whichever transport it came over."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from schema.messages import Language

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Incoming:
    """What of a request the context factory may want to know; nothing of it is verified."""

    authorization: str | None
    language: Language
    request_id: str
    client: str | None  # the peer's address


ContextFactory = Callable[[Incoming], Awaitable[C]]
