"""Batches: many acts in one request, each row standing alone, one answer per row in order.

A row that is refused is data; a missing right is not. So the rights of all rows are tested before any is decided: a
list that failed half-way would hide what was done. The core tests them again, under its lock.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from hub.access import Right, require
from hub.clock import now
from hub.configuration import Configuration
from hub.errors import Fault
from hub.ledger.commands import Command
from hub.ledger.decide import Outcome
from schema.context import Context
from schema.faults import BadInput

ROWS_MAX: Final = 10_000

C = TypeVar("C", bound=Command)


async def submit_rows(
    context: Context,
    rows: Sequence[C],
    subjects: Callable[[Configuration, Iterable[C]], set[int]],
    *,
    exact: bool = False,
) -> list[Outcome]:
    """The outcomes of ``rows``. ``subjects`` names the institutions for which they trade, as the core will find them;
    ``exact`` as the core asks it.

    Raises:
        BadInput: there are too many rows.
        Fault: the caller has no right to one of them; none was decided. Or one failed after all, or its right was lost
            in between; then the others may have been done, and can be asked again under their keys.
    """
    actor = context.actor
    if len(rows) > ROWS_MAX:
        raise BadInput(f"A batch has at most {ROWS_MAX} rows, not {len(rows)}.", maximum=ROWS_MAX, actual=len(rows))
    if not rows:
        async with context.read():
            return []
    try:
        may_trade(context.configuration, actor, subjects(context.configuration, rows), exact=exact)
    except Fault:  # what is known here may be old
        configuration = await context.reading.refresh()
        may_trade(configuration, actor, subjects(configuration, rows), exact=exact)
    return await context.submit_many(rows)


def may_trade(configuration: Configuration, actor: int, subjects: Iterable[int], *, exact: bool = False) -> None:
    """Pass if the caller may act for the customers of all these institutions, as ``hub.ledger.resolve.allow`` asks.

    Raises:
        Unauthenticated, Forbidden: see ``hub.access.require``.
    """
    asking, at = configuration.credentials.get(actor), now()
    for subject in subjects:
        require(asking, Right.TRADE, configuration.institutions, subject, at, exact=exact)


def homes(configuration: Configuration, wanted: Iterable[tuple[tuple[str, ...], str]]) -> set[int]:
    """The institutions named by pairs of (currencies, institution); the core refuses an unknown currency or institution
    before it asks for rights, so such a pair names none."""
    return {
        home
        for currencies, code in wanted
        if all(currency in configuration.currency_codes for currency in currencies)
        and (home := configuration.institution_codes.get(code)) is not None
    }
