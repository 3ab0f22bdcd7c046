"""Usage: what has been used of limits, and what is left, as a reader's snapshot shows it."""

from dataclasses import dataclass

from hub import holdings
from hub.currencies import PointCurrency
from hub.db import driver_of
from hub.ledger.limit_rows import uses
from hub.ledger.records import Customer
from hub.limits import Act, Limit, Period, Subject, concerning, held, period_of, subject_of
from hub.reading import Reader


@dataclass(frozen=True, slots=True)
class Headroom:
    """What a limit in force leaves a customer. ``used`` in the limit's units; None: it is told to others only."""

    limit: Limit
    period: str  # empty for a BALANCE
    used: int | None


async def headroom(
    reader: Reader, customer: Customer, act: Act, of: PointCurrency, target: PointCurrency | None
) -> list[Headroom]:
    """Every limit in force on an act of a customer whom the viewer sees from within. What everybody together has used
    is for those who see the limit's owner."""
    configuration, home = reader.configuration, customer.institution
    families = configuration.limits_on(act, of.id)
    limits = concerning(families, configuration.institutions, home, None if target is None else target.id, reader.at)
    if not limits:
        return []
    found_here = (await holdings.holdings(reader, {customer.id})).get(customer.id, [])
    holding = next((one for one in found_here if one.account.currency == of.code), None)
    keys = {}
    for limit in limits:
        subject = subject_of(limit, customer.id, 0 if holding is None else holding.account.id, home)
        keys[limit.id] = (limit.family, subject, period_of(limit.period, limit.zone, reader.at))
    found = await uses(driver_of(reader.connection), set(keys.values()))
    holds = 0 if holding is None else holding.total
    left = []
    for limit in limits:
        used: int | None = found.get(keys[limit.id], 0)
        if limit.period is Period.BALANCE:
            used = held(limit, configuration.valued(of, reader.at), holds)
        elif limit.subject is Subject.PROGRAMME and not reader.sees(limit.owner):
            used = None
        left.append(Headroom(limit, keys[limit.id][2], used))
    return left
