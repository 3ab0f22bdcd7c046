"""What a batch stores: rows of a long one are written while it is still being decided."""

from datetime import UTC, datetime, timedelta

from hub.audit import audit
from hub.ledger import commands
from hub.ledger.commands import Party
from hub.ledger.engine import STRETCH
from tests.conftest import Hub
from tests.properties import invariants


def transfer(hub: Hub, key: str, source: str, target: str, amount: int) -> commands.Transfer:
    return commands.Transfer(
        actor=hub.admin,
        key=key,
        currency="BP",
        source=Party("BANK", source),
        target=Party("BANK", target),
        amount=str(amount),
        memo=None,
    )


def a_stretch(hub: Hub, name: str) -> list[commands.Transfer]:
    """As many commands as are decided while the database writes those before them."""
    return [transfer(hub, f"{name}{number}", "carl", "dora", 1) for number in range(STRETCH)]


async def stored(hub: Hub) -> tuple[dict[str, int], dict[str, list[tuple[int, int]]]]:
    """Customers' balances, and their lots: what they are, and what of it is held."""
    references = "JOIN customer_reference r ON r.customer_id = a.owner_id WHERE a.kind = 1"
    balances = await hub.sql(f"SELECT reference, credits_posted - debits_posted AS n FROM account a {references}")
    lots: dict[str, list[tuple[int, int]]] = {}
    for row in await hub.sql(
        f"SELECT reference, amount, held FROM lot l JOIN account a ON a.id = l.account_id {references}"
    ):
        lots.setdefault(row["reference"], []).append((row["amount"], row["held"]))
    return {row["reference"]: int(row["n"]) for row in balances}, lots


async def in_order(hub: Hub) -> None:
    await invariants.check(hub)
    async with hub.database.snapshot() as connection:
        assert (await audit(connection)).findings == ()


async def test_what_changes_again_after_it_was_written_is_stored_as_it_ended(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "carl", "1000")
    await hub.issue("BP", "BANK", "dora", "5")
    await hub.issue("BP", "BANK", "bob", "5")
    ends = datetime.now(UTC) + timedelta(days=30)
    await hub.issue("BP", "BANK", "ann", "10", expires_at=ends)
    answers = await hub.batch(
        [
            transfer(hub, "away", "ann", "bob", 10),  # ann's lot is gone
            *a_stretch(hub, "1-"),
            transfer(hub, "back", "bob", "ann", 10),  # and there again
            *a_stretch(hub, "2-"),
            transfer(hub, "part", "ann", "bob", 4),  # and less
            *a_stretch(hub, "3-"),
        ]
    )
    assert len(answers) == 3 * STRETCH + 3
    balances, lots = await stored(hub)
    assert balances == {"carl": 1000 - 3 * STRETCH, "dora": 5 + 3 * STRETCH, "ann": 10 - 4, "bob": 5 + 4}
    assert lots == {"ann": [(6, 0)], "bob": [(4, 0)]}
    await in_order(hub)


async def test_accounts_that_a_long_batch_opens_are_stored_with_what_they_came_to(hub: Hub) -> None:
    await hub.institution("BANK")
    await hub.currency("BP", "BANK")
    await hub.issue("BP", "BANK", "carl", "1000")
    await hub.batch([*a_stretch(hub, "1-"), *a_stretch(hub, "2-"), transfer(hub, "on", "dora", "carl", 7)])
    balances, _ = await stored(hub)
    assert balances == {"carl": 1000 - 2 * STRETCH + 7, "dora": 2 * STRETCH - 7}
    await in_order(hub)
