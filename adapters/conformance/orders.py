"""The checks of what a partner does: each operation proved or refused, parts, bounds, exact amounts."""

import json
from collections.abc import Awaitable, Callable

from adapters.conformance.check import Checks
from adapters.conformance.trial import CREATING, Beside, Failed, Trial, first
from hub.partners import ANSWER_S_MAX, FOLLOWING, HOLDING, Echo, Operation, Order, Reason, Status
from hub.points import AMOUNT_MAX, SCALE_MAX, render

checks = Checks()
_NEEDS = {
    Operation.CAPTURE: {Operation.HOLD},
    Operation.RELEASE: {Operation.HOLD},
    Operation.REVERSE: {Operation.DEBIT, Operation.CREDIT},
}
_AWKWARD_MAX = 400  # smallest units among which amounts are looked for that binary fractions lose
_AWKWARD = 5


def change(operation: Operation, amount: int, of: Operation | None = None) -> int:
    """By how much an order changes what the member can spend."""
    match operation:
        case Operation.CREDIT | Operation.RELEASE:
            return amount
        case Operation.DEBIT | Operation.HOLD:
            return -amount
        case Operation.CAPTURE:
            return 0  # what is held cannot be spent before, and is gone afterwards
        case Operation.REVERSE:
            return amount if of is Operation.DEBIT else -amount


@checks("declares-what-makes-sense")
async def _declares(trial: Trial) -> None:
    """Its capabilities do not contradict each other."""
    declared = trial.capabilities
    held = declared.operations & HOLDING
    wrong = [
        (not declared.operations, "no operation is declared"),
        (
            not declared.partial <= declared.operations & FOLLOWING,
            "a part is declared of what does not follow an order",
        ),
        (not declared.unit, "the unit has no name"),
        (not 0 <= declared.scale <= SCALE_MAX, f"the scale is not from 0 to {SCALE_MAX}"),
        (not 1 <= declared.minimum <= declared.maximum <= AMOUNT_MAX, "minimum and maximum are out of order"),
        (bool(held) and held < HOLDING, "points are held that cannot be captured or released as well"),
        (declared.answers_within_s < 1 or declared.absent_after_s < 0, "a time is not positive"),
        (declared.answers_within_s > ANSWER_S_MAX, f"no answer is waited for longer than {ANSWER_S_MAX} s"),
    ]
    for operation in sorted(declared.operations & FOLLOWING):
        wrong.append((not _NEEDS[operation] & declared.operations, f"{operation} follows nothing that it does"))
    found = [sentence for is_wrong, sentence in wrong if is_wrong]
    if found:
        raise Failed(f"{'; '.join(found)}.".capitalize())


def _operation(operation: Operation) -> Callable[[Trial], Awaitable[None]]:
    async def run(trial: Trial) -> None:
        if not trial.does(operation):
            await _absent(trial, operation)
        elif operation in FOLLOWING:
            for before in CREATING:
                if before in _NEEDS[operation] and trial.does(before):
                    await _following(trial, before, operation)
        else:
            member, has = await trial.seeded()
            await trial.done(trial.order(operation, member, trial.amount))
            await trial.expect(member, has + change(operation, trial.amount), f"After a {operation}")

    return run


async def _following(trial: Trial, before: Operation, operation: Operation) -> None:
    member, has = await trial.seeded()
    original = await trial.done(trial.order(before, member, trial.amount))
    await trial.done(trial.order(operation, member, trial.amount, original))
    has += change(before, trial.amount) + change(operation, trial.amount, before)
    await trial.expect(member, has, f"After a {before} and its {operation}")


async def _absent(trial: Trial, operation: Operation) -> None:
    """What is not declared is refused NOT_SUPPORTED, and moves nothing."""
    member, has = await trial.seeded()
    original = None
    if operation in FOLLOWING:
        possible = [before for before in CREATING if before in _NEEDS[operation] and trial.does(before)]
        original = trial.order(possible[0] if possible else Operation.DEBIT, member, trial.amount)
        if possible:
            original = await trial.done(original)
            has += change(possible[0], trial.amount)
    await trial.refused(trial.order(operation, member, trial.amount, original), Reason.NOT_SUPPORTED)
    await trial.expect(member, has, f"After a {operation} that is not done")


for _one in Operation:
    checks.add(
        f"does-{_one.value.lower()}-or-refuses-it",
        f"A {_one} is done if it is declared, and refused NOT_SUPPORTED without moving anything if it is not.",
        _operation(_one),
    )


def _part(operation: Operation) -> Callable[[Trial], Awaitable[None]]:
    async def run(trial: Trial) -> None:
        if not trial.does(operation):
            raise Beside(f"It does no {operation}.")
        before = first([one for one in CREATING if one in _NEEDS[operation]], trial)
        member, has = await trial.seeded()
        original = await trial.done(trial.order(before, member, trial.amount))
        has += change(before, trial.amount)
        part = max(trial.amount // 3, trial.capabilities.minimum)
        order = trial.order(operation, member, part, original)
        if operation not in trial.capabilities.partial:
            await trial.refused(order, Reason.NOT_SUPPORTED, Reason.INVALID_AMOUNT)
            await trial.expect(member, has, f"After a {operation} of a part, which is not done")
            return
        await trial.done(order)
        has += change(operation, part, before)
        await trial.expect(member, has, f"After a {operation} of a part")
        await trial.done(trial.order(operation, member, trial.amount - part, original))
        has += change(operation, trial.amount - part, before)
        await trial.expect(member, has, f"After a {operation} of the rest")

    return run


for _one in (Operation.CAPTURE, Operation.RELEASE, Operation.REVERSE):
    checks.add(
        f"does-{_one.value.lower()}-in-part-or-refuses-it",
        f"A {_one} of a part is done, exactly, if that is declared, and refused if it is not.",
        _part(_one),
    )


def _bounded(operation: Operation) -> Callable[[Trial], Awaitable[None]]:
    async def run(trial: Trial) -> None:
        if not trial.does(operation):
            raise Beside(f"It does no {operation}.")
        befores = [one for one in CREATING if one in _NEEDS[operation] and trial.does(one)]
        for before in befores:
            await _never_above(trial, before, operation)

    return run


async def _never_above(trial: Trial, before: Operation, operation: Operation) -> None:
    member, has = await trial.seeded()
    original = await trial.done(trial.order(before, member, trial.amount))
    has += change(before, trial.amount)
    too_much: tuple[Reason, ...] = (Reason.EXCEEDS_ORIGINAL, Reason.NOT_SUPPORTED, Reason.INVALID_AMOUNT)
    if operation in trial.capabilities.partial:
        too_much = too_much[:1]
    await trial.refused(trial.order(operation, member, trial.amount + 1, original), *too_much)
    await trial.expect(member, has, f"After a {operation} of more than there was")
    await trial.done(trial.order(operation, member, trial.amount, original))
    has += change(operation, trial.amount, before)
    again = trial.order(operation, member, max(trial.capabilities.minimum, trial.amount // 3), original)
    await trial.refused(again, *too_much)
    await trial.expect(member, has, f"After a {operation} of what was {operation}D already")


for _one in (Operation.CAPTURE, Operation.RELEASE, Operation.REVERSE):
    checks.add(
        f"never-does-{_one.value.lower()}-above-the-original",
        f"All {_one}s of an order together are never more than it.",
        _bounded(_one),
    )


@checks("refuses-what-the-member-has-not")
async def _overdraft(trial: Trial) -> None:
    """More than a member can spend is refused INSUFFICIENT_POINTS, and moves nothing."""
    operation = first((Operation.DEBIT, Operation.HOLD), trial)
    member, has = await trial.seeded(trial.amount)
    if not trial.capabilities.minimum <= has + 1 <= trial.capabilities.maximum:
        raise Beside(f"No order is as large as what member {member.reference} has.")
    await trial.refused(trial.order(operation, member, has + 1), Reason.INSUFFICIENT_POINTS)
    await trial.expect(member, has, f"After a {operation} of more than it has")


@checks("refuses-unknown-members")
async def _unknown_member(trial: Trial) -> None:
    """An order of a member that does not exist is refused NO_SUCH_MEMBER."""
    nobody = f"NOBODY-{trial.new_reference()}"
    for operation in CREATING:
        if trial.does(operation):
            await trial.refused(trial.order(operation, nobody, trial.amount), Reason.NO_SUCH_MEMBER)


@checks("keeps-amounts-exact")
async def _exact(trial: Trial) -> None:
    """Amounts that binary fractions would lose arrive and come back exactly."""
    operation = first(CREATING, trial)
    amounts = _awkward(trial.capabilities.scale, trial.capabilities.minimum, trial.capabilities.maximum)
    member, has = await trial.seeded(sum(amounts) + trial.amount)
    for amount in amounts:
        order = trial.order(operation, member, amount)
        await trial.done(order)
        has += change(operation, amount)
        await trial.expect(member, has, f"After a {operation} of {order.decimal}")


def _awkward(scale: int, minimum: int, maximum: int) -> list[int]:
    """Amounts for which the way over a binary fraction loses a unit, as far as there are any; else some amounts."""
    within = range(minimum, min(maximum, minimum + _AWKWARD_MAX) + 1)
    lossy = [units for units in within if int(json.loads(render(units, scale)) * 10**scale) != units]
    return (lossy or list(within))[:_AWKWARD]


@checks("keeps-to-its-bounds")
async def _bounds(trial: Trial) -> None:
    """Orders at the declared bounds are done, and those beyond them refused."""
    declared = trial.capabilities
    operation = first((Operation.DEBIT, Operation.HOLD, Operation.CREDIT), trial)
    for amount in (declared.minimum, declared.maximum):
        member, has = await trial.seeded(amount)
        await trial.done(trial.order(operation, member, amount))
        await trial.expect(member, has + change(operation, amount), f"After a {operation} at the bound")
    member, has = await trial.seeded(min(declared.maximum + 1, AMOUNT_MAX))
    reasons = (Reason.INVALID_AMOUNT, Reason.LIMIT_EXCEEDED)
    if declared.minimum > 1:
        await trial.refused(trial.order(operation, member, declared.minimum - 1), *reasons)
    if declared.maximum < AMOUNT_MAX:
        await trial.refused(trial.order(operation, member, declared.maximum + 1), *reasons)
    await trial.expect(member, has, "After orders beyond the bounds")


@checks("says-what-it-always-says")
async def _echoes(trial: Trial) -> None:
    """Every answer that something was done has what is declared of it, and the status has it too."""
    operation = first(CREATING, trial)
    member, _ = await trial.seeded()
    order = trial.order(operation, member, trial.amount)
    answer = await trial.final(order, await trial.perform(order))
    told = [answer] + ([await trial.status(order)] if trial.capabilities.status else [])
    for one in told:
        if one.status is not Status.SUCCEEDED:
            raise Failed(f"A {operation} should succeed, and is told to be {one.status}.")
    if Echo.PARTNER_REFERENCE in trial.capabilities.echoes and len({one.partner_reference for one in told}) > 1:
        raise Failed("The partner's own reference differs between an answer and the status.")


@checks("settles-when-it-says")
async def _settles(trial: Trial) -> None:
    """A real-time partner does orders at once; a nightly one has them pending until its night."""
    operation = first(CREATING, trial)
    member, has = await trial.seeded()
    order = trial.order(operation, member, trial.amount)
    answer = await trial.perform(order)
    wanted = Status.PENDING if trial.is_nightly else Status.SUCCEEDED
    if answer.status is not wanted:
        raise Failed(f"A {operation} is {answer.status} at once, and {trial.capabilities.settling} means {wanted}.")
    await trial.final(order, answer)
    await trial.expect(member, has + change(operation, trial.amount), f"After a {operation}")


def effect(order: Order, has: int) -> int:
    """What a member can spend after an order that follows none."""
    return has + change(order.operation, order.amount)
