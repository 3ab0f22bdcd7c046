"""The checks of what a partner remembers: repeats, status, journal, and whom it finds."""

import asyncio
from datetime import UTC, datetime, timedelta

from adapters.conformance.check import Checks
from adapters.conformance.orders import effect
from adapters.conformance.trial import CREATING, FINAL, Beside, Failed, Trial, first
from hub.partners import Entry, PartnerUnavailable, Reason, Status

checks = Checks()
_AT_ONCE = 8
LANGUAGES = ("en", "zh-CN")


@checks("does-a-repeat-once")
async def _repeat(trial: Trial) -> None:
    """An order that is sent again is done once, and answered as before; a refused one stays refused."""
    if not trial.capabilities.idempotent:
        raise Beside("It declares that repeats are not told apart, so that the hub never repeats.")
    for operation in CREATING:
        if not trial.does(operation):
            continue
        member, has = await trial.seeded()
        order = trial.order(operation, member, trial.amount)
        first_answer = await trial.final(order, await trial.perform(order))
        await trial.done(order)
        second = await trial.perform(order)
        if first_answer.partner_reference != second.partner_reference:
            raise Failed(f"A {operation} that was repeated has another partner's reference.")
        await trial.expect(member, effect(order, has), f"After a {operation} that was sent three times")
    nobody = trial.order(first(CREATING, trial), f"NOBODY-{trial.new_reference()}", trial.amount)
    await trial.refused(nobody, Reason.NO_SUCH_MEMBER)
    await trial.refused(nobody, Reason.NO_SUCH_MEMBER)


@checks("does-concurrent-repeats-once")
async def _concurrent(trial: Trial) -> None:
    """An order that is sent several times at once is done once; different orders at once are all done."""
    operation = first(CREATING, trial)
    member, has = await trial.seeded()
    if trial.capabilities.idempotent:
        order = trial.order(operation, member, trial.amount)
        answers = await asyncio.gather(*(trial.perform(order) for _ in range(_AT_ONCE)))
        if any(answer.status is Status.REFUSED for answer in answers):
            raise Failed("One of several concurrent repeats was refused, although the order is done.")
        await trial.done(order)
        has = effect(order, has)
        await trial.expect(member, has, f"After a {operation} that was sent {_AT_ONCE} times at once")
    orders = [trial.order(operation, member, trial.amount) for _ in range(_AT_ONCE)]
    await asyncio.gather(*(trial.done(order) for order in orders))
    for order in orders:
        has = effect(order, has)
    await trial.expect(member, has, f"After {_AT_ONCE} orders at once")


@checks("tells-the-status-by-reference")
async def _status(trial: Trial) -> None:
    """What was done and what was refused is told so by our reference; without the capability it is UNKNOWN."""
    operation = first(CREATING, trial)
    member, _ = await trial.seeded()
    order = await trial.done(trial.order(operation, member, trial.amount))
    answer = await trial.status(order)
    if not trial.capabilities.status:
        if answer.status is not Status.UNKNOWN:
            raise Failed(f"It declares no status, and says {answer.status} instead of UNKNOWN.")
        return
    if answer.status is not Status.SUCCEEDED:
        raise Failed(f"A {operation} that was done is told to be {answer.status}.")
    if order.partner_of is not None and answer.partner_reference not in (None, order.partner_of):
        raise Failed("The status has another partner's reference than the answer.")
    nobody = trial.order(operation, f"NOBODY-{trial.new_reference()}", trial.amount)
    await trial.refused(nobody, Reason.NO_SUCH_MEMBER)
    refused = await trial.status(nobody)
    if refused.status not in (Status.REFUSED, Status.ABSENT):
        raise Failed(f"A {operation} that was refused is told to be {refused.status}.")


@checks("tells-that-a-reference-is-unknown")
async def _absent(trial: Trial) -> None:
    """The status of an order that was never sent is ABSENT; without the capability it is UNKNOWN."""
    member = await trial.harness.member(trial.amount)
    answer = await trial.status(trial.order(first(CREATING, trial), member, trial.amount))
    wanted = Status.ABSENT if trial.capabilities.status else Status.UNKNOWN
    if answer.status is not wanted:
        raise Failed(f"An order that was never sent should be {wanted}, and is told to be {answer.status}.")


@checks("lists-once-what-was-done")
async def _journal(trial: Trial) -> None:
    """The journal of the day lists each order once, with its amount, member and unit; without the capability it says so
    by PartnerUnavailable, because an empty list would mean that nothing was done."""
    if not trial.capabilities.journal:
        try:
            found = await _listed(trial)
        except PartnerUnavailable:
            return
        raise Failed(f"It declares no journal, and lists {len(found)} entries instead of raising PartnerUnavailable.")
    member, _ = await trial.seeded()
    orders = [trial.order(one, member, trial.amount) for one in CREATING if trial.does(one)]
    for order in orders:
        await trial.done(order)
        if trial.capabilities.idempotent:
            await trial.done(order)
    entries = await _listed(trial)
    for order in orders:
        found = [entry for entry in entries if entry.reference == order.reference and entry.status in FINAL]
        if len(found) != 1:
            raise Failed(f"The journal lists a {order.operation} {len(found)} times instead of once.")
        [entry] = found
        told = (entry.operation, entry.member, entry.amount, type(entry.amount), entry.unit, entry.status)
        wanted = (order.operation, order.member, order.amount, int, trial.capabilities.unit, Status.SUCCEEDED)
        if told != wanted:
            raise Failed(f"The journal has a {order.operation} as {told[:3]} instead of {wanted[:3]}.")
        if entry.at.utcoffset() is None:
            raise Failed("The journal's times have no zone.")


async def _listed(trial: Trial) -> list[Entry]:
    """What the journal lists of today and the days beside it: the partner's calendar may be another."""
    today = datetime.now(UTC).date()
    return [entry for days in (-1, 0, 1) async for entry in trial.partner.journal(today + timedelta(days=days))]


@checks("describes-how-members-are-found")
async def _described(trial: Trial) -> None:
    """The fields of a look-up are described by a JSON Schema with labels in English and Chinese."""
    described = trial.capabilities.lookup
    if described is None:
        raise Beside("It finds no members.")
    fields = described.get("properties")
    if described.get("type") != "object" or not isinstance(fields, dict) or not fields:
        raise Failed("The schema is no JSON Schema of an object with properties.")
    unknown = sorted(set(described.get("required", ())) - fields.keys())
    if unknown:
        raise Failed(f"The schema requires {', '.join(unknown)}, which it does not describe.")
    for name, field in fields.items():
        labels = field.get("x-labels") if isinstance(field, dict) else None
        missing = [one for one in LANGUAGES if not (isinstance(labels, dict) and str(labels.get(one) or "").strip())]
        if missing:
            raise Failed(f"The field {name!r} has no label in {' and '.join(missing)}.")


@checks("finds-members")
async def _finds(trial: Trial) -> None:
    """A member is found by its fields and by no others; without the capability nobody is found."""
    described = trial.capabilities.lookup
    member = await trial.harness.member(trial.amount)
    fields = dict(member.fields)
    if described is None:
        if await trial.partner.lookup(fields) is not None:
            raise Failed("It declares no look-up, and finds somebody.")
        return
    lacking = sorted(set(described.get("required", ())) - fields.keys())
    unknown = sorted(fields.keys() - described["properties"].keys())
    if lacking or unknown:
        raise Failed(f"The harness' fields do not fit the schema: {', '.join([*lacking, *unknown])}.")
    found = await trial.partner.lookup(fields)
    if found is None or found.reference != member.reference:
        raise Failed(f"Member {member.reference} is not found by its fields.")
    if found.available is not None:
        has = await trial.balance(member)
        if (found.available, type(found.available)) != (has, int):
            raise Failed(f"The look-up says {found.available!r} smallest units can be spent instead of {has}.")
    for name in described.get("required", fields):
        other = await trial.partner.lookup({**fields, name: f"NOBODY {trial.new_reference()}"})
        if other is not None:
            raise Failed(f"Somebody is found although {name!r} is another's.")
