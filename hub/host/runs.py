"""Runs that a running hub makes by itself, ordered by hand: expiry, bills, clearings."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hub import billing, clearings, notices, sweeping, tables
from hub.bills import Month
from hub.configuration import Configuration
from hub.host.door import own_engine
from hub.ledger import invoice_rows
from hub.ledger.commands import ClearPoints
from hub.ledger.records import Billing, Clearing, ClearingScope, Invoice
from hub.reading import Reading


@dataclass(frozen=True, slots=True)
class Expired:
    """What an expiry run came to."""

    tally: sweeping.Tally
    notices: int
    configuration: Configuration


async def expire(
    url: str, as_of: datetime | None, begun: Callable[[int], None], told: Callable[[int], None]
) -> Expired:
    """Settle what had ended at ``as_of``; None: by now. ``begun`` is told how many lots and holds that will be at
    least, ``told`` how many more are done. Then make the notices that are due.

    Raises:
        NotYet: ``as_of`` is in the future, by the database's clock.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        instant = await sweeping.instant(database, as_of)
        begun(await sweeping.due(database, instant))
        tally = await sweeping.sweep(database, engine, instant, told=told)
        made = await notices.notify(database, engine, await sweeping.instant(database, None))
        return Expired(tally, made, engine.configuration)


@dataclass(frozen=True, slots=True)
class Billed:
    """The months that were billed, and their invoices in the order of their numbers."""

    billings: list[Billing]
    invoices: list[Invoice]
    configuration: Configuration


async def bill(url: str, month: Month | None, zone: str) -> Billed:
    """Bill a month of days in ``zone``; None: all that are due.

    Raises:
        InvalidInput: the month is not over.
        Duplicate: it is billed, or a later one is.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        reading = Reading(database, engine)
        if month is None:
            made = await billing.bill_due(reading, engine, zone)
        else:
            made = [await billing.bill(reading, engine, month, zone)]
        async with database.snapshot() as connection:
            of_these = tables.invoice.c.billing_id.in_([one.id for one in made])
            found = await invoice_rows.invoices(connection, of_these)
        return Billed(made, sorted(found.values(), key=lambda one: one.number), engine.configuration)


async def clear(
    url: str,
    currency: str,
    scope: ClearingScope,
    earned_before: datetime | None,
    reason: str,
    begun: Callable[[int], None],
    told: Callable[[int], None],
) -> tuple[Clearing, Configuration]:
    """Order a clearing and work it off; one of the same terms that was interrupted is gone on with instead. ``begun``
    is told how many accounts there are to look at, ``told`` how many more are done.

    Raises:
        Refusal: see ``hub.ledger.clearings.order``.
        Fault: the host's credential was not let through.
        NotSetUp: there is no hub.
    """
    async with own_engine(url) as (database, engine):
        wanted = ClearPoints(
            actor=engine.configuration.host.id,
            key=f"host-clear-{secrets.token_hex(16)}",
            currency=currency,
            scope=scope,
            earned_before=earned_before,
            starts_at=None,
            reason=reason,
        )
        unfinished = [
            run
            for run in await clearings.begun(database)
            if (run.currency, run.scope) == (currency, scope) and earned_before in (None, run.earned_before)
        ]
        run = unfinished[0] if unfinished else await engine.ask(wanted)
        begun(await clearings.holders_left(database, run))
        return await clearings.work_off(database, engine, run, told=told), engine.configuration
