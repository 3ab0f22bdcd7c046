"""What is true of every hub's tables at every moment, recomputed from the legs in plain Python."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from hub.ledger.records import AccountKind, Purpose
from tests.conftest import Hub


async def check(hub: Hub) -> None:
    """Fail if the tables contradict themselves."""
    accounts = {row["id"]: row for row in await hub.sql("SELECT * FROM account")}
    legs = await hub.sql("SELECT * FROM leg ORDER BY movement_id, n")
    check_accounts(accounts, legs)
    check_positions(accounts, legs, await hub.sql("SELECT * FROM position"))
    check_nets(
        await hub.sql("SELECT n.*, w.status FROM window_net n JOIN settlement_window w ON w.id = n.window_id"),
        await hub.sql("SELECT * FROM position"),
    )
    check_limits(await hub.sql("SELECT * FROM limit_entry"), await hub.sql("SELECT * FROM limit_use"))
    await check_journal(hub)
    open_windows = await hub.sql("SELECT 1 FROM settlement_window WHERE status = 'OPEN'")
    assert len(open_windows) == 1


def check_accounts(accounts: dict[int, Any], legs: list[Any]) -> None:
    debits: dict[int, int] = defaultdict(int)
    credits: dict[int, int] = defaultdict(int)
    for leg in legs:
        debit, credit = accounts[leg["debit_account_id"]], accounts[leg["credit_account_id"]]
        assert debit["currency"] == credit["currency"]
        debits[debit["id"]] += leg["amount"]
        credits[credit["id"]] += leg["amount"]
        assert leg["debit_after"] == credits[debit["id"]] - debits[debit["id"]]
        assert leg["credit_after"] == credits[credit["id"]] - debits[credit["id"]]
        if debit["kind"] == AccountKind.CUSTOMER:
            assert leg["debit_after"] >= 0
    sums: dict[str, int] = defaultdict(int)
    for account in accounts.values():
        assert (account["debits_posted"], account["credits_posted"]) == (debits[account["id"]], credits[account["id"]])
        assert (account["debits_pending"], account["credits_pending"]) == (0, 0)
        sums[account["currency"]] += credits[account["id"]] - debits[account["id"]]
    assert not any(sums.values())


def check_positions(accounts: dict[int, Any], legs: list[Any], positions: list[Any]) -> None:
    """Own debits and credits are those of the window's acts, and sum to zero per window and currency."""
    own: dict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0])
    for leg in legs:
        if leg["purpose"] in (Purpose.SETTLEMENT, Purpose.FEE):
            for side, account in enumerate((accounts[leg["debit_account_id"]], accounts[leg["credit_account_id"]])):
                assert account["kind"] == AccountKind.POSITION
                own[leg["window_id"], account["owner_id"], account["currency"]][side] += leg["amount"]
    found = {
        (row["window_id"], row["institution_id"], row["currency"]): [row["debits"], row["credits"]]
        for row in positions
        if row["debits"] or row["credits"]
    }
    assert found == dict(own)


def check_limits(entries: list[Any], uses: list[Any]) -> None:
    """What has been used of each limit is what movements have counted."""
    counted: dict[tuple[int, int, str], int] = defaultdict(int)
    for entry in entries:
        counted[entry["limit_id"], entry["subject_id"], entry["period"]] += entry["amount"]
    assert counted == {(row["limit_id"], row["subject_id"], row["period"]): row["used"] for row in uses}
    assert all(used >= 0 for used in counted.values())


def check_nets(nets: list[Any], positions: list[Any]) -> None:
    """The nets of each closed window and currency sum to zero, and are those of its positions."""
    sums: dict[tuple[int, str], int] = defaultdict(int)
    closed = {row["window_id"] for row in nets}
    for net in nets:
        sums[net["window_id"], net["currency"]] += net["net"]
        assert abs(net["net"] - (net["credits"] - net["debits"])) < 1_000_000
    assert not any(sums.values())
    of_closed = [row for row in positions if row["window_id"] in closed and (row["debits"] or row["credits"])]
    assert sides(nets) == sides(of_closed)


def sides(rows: list[Any]) -> dict[tuple[int, int, str], tuple[int, int]]:
    return {(row["window_id"], row["institution_id"], row["currency"]): (row["debits"], row["credits"]) for row in rows}


async def check_journal(hub: Hub) -> None:
    """Entries are numbered without a gap, later in time, and each carries the hash before it."""
    entries = await hub.sql("SELECT * FROM journal_entry ORDER BY batch")
    [head] = await hub.sql("SELECT * FROM journal_head")
    assert [entry["batch"] for entry in entries] == list(range(1, len(entries) + 1))
    for before, after in pairwise(entries):
        assert after["previous"] == before["hash"]
        assert after["at"] > before["at"]
    assert (head["batch"], head["hash"], head["at"]) == (entries[-1]["batch"], entries[-1]["hash"], entries[-1]["at"])
