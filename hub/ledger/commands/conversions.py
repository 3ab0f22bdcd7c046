"""Conversions, and the quotes before them."""

from typing import ClassVar

from hub.ledger.commands.command import Command, Keyed, Party


class RequestQuote(Command, frozen=True, kw_only=True):
    """``binding`` False: the same figures for a look, kept nowhere."""

    source: Party
    target: Party
    source_currency: str
    target_currency: str
    amount: str
    ttl_seconds: int
    binding: bool = True


class ExecuteQuote(Keyed, frozen=True, kw_only=True):
    quote: int | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")


class Convert(Keyed, frozen=True, kw_only=True):
    source: Party
    target: Party
    source_currency: str
    target_currency: str
    amount: str
    minimum_target: str | None
    channel: str | None = None
    by: Party | None = None

    later: ClassVar[tuple[str, ...]] = ("channel", "by")
