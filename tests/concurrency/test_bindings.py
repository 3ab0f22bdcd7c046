"""Two engines bind one card, and link one customer, at once: exactly one wins."""

import asyncio
from collections import Counter

from hub.access import Role
from hub.ledger import commands
from hub.ledger.commands import Party
from tests.concurrency.world import bank, code, found, gathered, issue, two
from tests.conftest import Hub
from tests.properties import invariants

CARD = Party("BANK", "6217000000001111")


def bind(hub: Hub, key: str, customer: int) -> commands.BindIdentifier:
    return commands.BindIdentifier(actor=hub.admin, key=key, identifier=CARD, customer=bank(customer))


def unbind(hub: Hub, key: str) -> commands.UnbindIdentifier:
    return commands.UnbindIdentifier(actor=hub.admin, key=key, identifier=CARD, reason="next")


async def test_one_card_is_bound_by_one_of_two_at_once(hub: Hub) -> None:
    await found(hub, 2)
    async with two(hub) as (one, other):
        for round in range(10):
            outcomes = await gathered(
                [one.try_(bind(hub, f"a{round}", 0)), other.try_(bind(hub, f"b{round}", 1))],
            )
            assert sorted(map(code, outcomes)) == ["ALREADY_BOUND", "OK"]
            winner = next(place for place, outcome in enumerate(outcomes) if outcome.refusal is None)
            spent = await (one, other)[1 - winner].do(issue(hub, f"s{round}", CARD.reference, "1"))
            assert spent.target.reference == f"u{winner}"  # the other engine knows it at once
            await (one, other)[1 - winner].do(unbind(hub, f"u{round}"))
    await invariants.check(hub)


async def test_what_is_spent_while_a_card_changes_hands_goes_to_one_of_them(hub: Hub) -> None:
    """One engine hands the card to and fro, the other spends on it: the journal's order says whose each point is."""
    await found(hub, 2, "1")
    await hub.do(bind(hub, "first", 0))
    async with two(hub, batch_max=2) as (one, other):

        async def hand_over() -> None:
            for round in range(20):
                await one.do(unbind(hub, f"u{round}"))
                await one.do(bind(hub, f"b{round}", (round + 1) % 2))

        handing = asyncio.create_task(hand_over())
        spending = [other.try_(issue(hub, f"s{number}", CARD.reference, "1")) for number in range(60)]
        outcomes = await gathered(spending)
        await handing
    counted = Counter(map(code, outcomes))
    assert counted["OK"] + counted["NOT_FOUND"] == 60
    balances = [await hub.balance("BP", "BANK", f"u{number}") for number in range(2)]
    assert sum(balances) == 2 + counted["OK"]
    steps = await hub.sql("SELECT id, customer_id, ends_id IS NULL AS binds FROM binding ORDER BY id")
    for outcome in outcomes:
        if outcome.refusal is None:
            last = [step for step in steps if step["id"] < outcome.result.id][-1]
            assert (last["binds"], last["customer_id"]) == (True, outcome.result.target.id)
    await invariants.check(hub)


async def test_one_customer_is_linked_with_one_of_two_at_once(hub: Hub) -> None:
    await found(hub, 1)
    clerk, _ = await hub.key("AIR", Role.INSTITUTION_ADMIN)
    for reference in ("x", "y"):
        await hub.do(commands.EnrollCustomer(actor=hub.admin, customer=Party("AIR", reference)))
    async with two(hub) as doors:
        for round in range(5):
            links = [
                await hub.do(
                    commands.ProposeLink(
                        actor=hub.admin, key=f"{round}{peer}", a=bank(0), b=Party("AIR", peer), evidence=None
                    )
                )
                for peer in ("x", "y")
            ]
            outcomes = await gathered(
                door.try_(commands.AcceptLink(actor=clerk, key=f"{round}{link.id}", id=link.id))
                for door, link in zip(doors, links, strict=True)
            )
            assert sorted(map(code, outcomes)) == ["DUPLICATE", "OK"]
            for link in links:
                await hub.do(commands.EndLink(actor=clerk, key=f"end{link.id}", id=link.id, reason="next"))
