"""What is true of every hub's tables at every moment, recomputed from the legs and lot entries in plain Python.

1. Conservation: per currency, what is posted sums to zero, and what is pending too.
2. Nothing that counts is below zero.
3. What is derived is what is stored: counters, what has an end, and lots.
4. No overdraft, holds included.
5. What is pending is what open holds hold, and what lots say is held is what these pin.

The sixth, that a refused act leaves everything as it was, is held by whoever asks: two readings are equal.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from hub.ledger.records import AccountKind, HoldKind, HoldStatus, MovementKind, Phase, Purpose
from tests.conftest import Hub

Tables = Mapping[str, Sequence[Any]]  # rows by table, each by column

# Everything in the database but what a refusal itself leaves: its outcome, and the journal's entry of it.
STATE = (
    *("configuration_change", "customer", "customer_reference", "account", "movement", "memo", "leg", "quote"),
    *(
        "conversion",
        "bonus_use",
        "settlement_window",
        "position",
        "window_net",
        "net_exchange",
        "internal_account",
        "confirmation",
    ),
    *("lot", "lot_entry", "hold", "binding", "identifier", "customer_link", "limit_entry", "limit_use", "clipping"),
    *("customer_profile", "pool", "pool_member", "pool_use"),
    *("exchange", "exchange_step", "partner_order", "exchange_evidence", "act_label"),
    *("missing", "restriction", "customer_mark", "issue_record", "cancellation", "clearing"),
)
_ORDER = {"leg": "movement_id, n", "lot_entry": "movement_id, n, place", "movement": "id"}


async def read(connection: Any) -> Tables:
    """All of the state, through a driver's connection."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return {
            name: await connection.fetch(f"SELECT * FROM {name} ORDER BY {_ORDER.get(name, name)}") for name in STATE
        }


async def check(hub: Hub) -> None:
    """Fail if the tables contradict themselves."""
    tables = {name: await hub.sql(f"SELECT * FROM {name} ORDER BY {_ORDER.get(name, name)}") for name in STATE}
    check_tables(tables)
    await check_journal(hub)


def check_tables(tables: Tables) -> None:
    """Fail if the state contradicts itself."""
    accounts = {row["id"]: row for row in tables["account"]}
    check_accounts(accounts, tables["leg"])
    check_lots(accounts, tables)
    check_holds(accounts, tables)
    check_limits(tables["limit_entry"], tables["limit_use"])
    check_positions(accounts, tables["leg"], tables["position"])
    check_nets(tables)
    opened = [row["model"] for row in tables["settlement_window"] if row["status"] == "OPEN"]
    assert sorted(opened) == sorted({row["model"] for row in tables["settlement_window"]})


def balance(account: Any) -> int:
    return int(account["credits_posted"] - account["debits_posted"])


def check_accounts(accounts: dict[int, Any], legs: Sequence[Any]) -> None:
    """Counters are those of the legs; nobody is overdrawn; currencies sum to zero."""
    counters: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])  # posted and pending: debits, credits of each
    for leg in legs:
        debit, credit = accounts[leg["debit_account_id"]], accounts[leg["credit_account_id"]]
        assert debit["currency"] == credit["currency"]
        assert leg["amount"] > 0
        first = 0 if leg["phase"] == Phase.POSTED else 2
        amount = -leg["amount"] if leg["phase"] == Phase.VOIDED else leg["amount"]
        counters[debit["id"]][first] += amount
        counters[credit["id"]][first + 1] += amount
        for side, after in ((debit, "debit_after"), (credit, "credit_after")):
            of = counters[side["id"]]
            assert leg[after] == of[1] - of[0]
            assert min(of) >= 0
            if side["kind"] == AccountKind.CUSTOMER:
                assert leg[after] - of[2] >= 0, "overdrawn, what is held included"
            assert side["kind"] != AccountKind.DEBT or leg[after] <= 0, "more repaid than was owed"
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for account in accounts.values():
        stored = [account[f"{side}_{phase}"] for phase in ("posted", "pending") for side in ("debits", "credits")]
        assert stored == counters[account["id"]]
        sums[account["currency"]][0] += balance(account)
        sums[account["currency"]][1] += account["credits_pending"] - account["debits_pending"]
    assert not any(any(both) for both in sums.values())


def check_lots(accounts: dict[int, Any], tables: Tables) -> None:
    """Lots are what their entries come to, and never more than the account has."""
    derived: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    out: dict[tuple[int, int], int] = defaultdict(int)
    legs = {(leg["movement_id"], leg["n"]): leg for leg in tables["leg"]}
    for entry in tables["lot_entry"]:
        of = derived[entry["account_id"], entry["expires_at"], entry["origin"]]
        of[0] += entry["amount"]
        of[1] += entry["held"]
        assert 0 <= of[1] <= of[0], "a lot with more held than there is"
        leg = legs[entry["movement_id"], entry["n"]]
        if entry["account_id"] == leg["debit_account_id"]:
            out[entry["movement_id"], entry["n"]] += abs(entry["amount"]) + abs(entry["held"])
    assert all(units <= legs[key]["amount"] for key, units in out.items())
    stored = {(lot["account_id"], lot["expires_at"], lot["origin"]): lot for lot in tables["lot"]}
    assert {key: [lot["amount"], lot["held"]] for key, lot in stored.items()} == {
        key: both for key, both in derived.items() if any(both)
    }
    aged: dict[int, int] = defaultdict(int)
    free: dict[int, int] = defaultdict(int)
    for lot in stored.values():
        assert 0 <= lot["held"] <= lot["amount"] > 0
        aged[lot["account_id"]] += lot["amount"]
        free[lot["account_id"]] += lot["amount"] - lot["held"]
    for account in accounts.values():
        assert account["aged"] == aged[account["id"]]
        assert free[account["id"]] <= balance(account) - account["debits_pending"] or not aged[account["id"]]


_ENDS = (MovementKind.CAPTURE, MovementKind.RELEASE, MovementKind.REMOVE, MovementKind.CONVERT, MovementKind.DECLINE)
_ALL = (MovementKind.CONVERT, MovementKind.REVERSE)  # at the end of an exchange, which takes all that was held
_NOTHING = (MovementKind.RELEASE, MovementKind.DECLINE)  # is taken by these


def _held_by_partners(tables: Tables) -> dict[str, int]:
    """What partners hold for exchanges that are under way, by currency."""
    orders = {order["reference"]: order for order in tables["partner_order"]}
    held: dict[str, int] = defaultdict(int)
    for exchange in tables["exchange"]:
        taken = orders.get(exchange["taken"])
        if exchange["order_reference"] is not None and taken is not None and taken["operation"] == "HOLD":
            held[taken["currency"]] += taken["amount"]
    return held


def check_holds(accounts: dict[int, Any], tables: Tables) -> None:
    """What is pending is what open holds hold and pin; a hold ends once, by the movement that it names."""
    held: dict[tuple[int, str], int] = defaultdict(int)
    by_currency: dict[str, int] = defaultdict(int)
    ended: dict[int, list[Any]] = defaultdict(list)
    reversals: dict[int, list[Any]] = defaultdict(list)  # of captured holds too
    for movement in tables["movement"]:
        if movement["kind"] in _ENDS:
            ended[movement["subject_id"]].append(movement)
        elif movement["kind"] == MovementKind.REVERSE:
            reversals[movement["subject_id"]].append(movement)
    opened = set()
    for hold in tables["hold"]:
        by = ended[hold["id"]] + (reversals[hold["id"]] if hold["kind"] == HoldKind.EXCHANGE else [])
        assert [end["id"] for end in by] == ([] if hold["resolved_by"] is None else [hold["resolved_by"]])
        assert (hold["status"] == HoldStatus.HELD.value) == (not by)
        if any(end["kind"] in _ALL for end in by):  # it counts what was given, the hold what it took
            assert hold["captured"] == hold["amount"]
        else:
            taken = sum(end["amount"] for end in by if end["kind"] not in _NOTHING)
            assert hold["captured"] <= taken <= hold["captured"] + hold["shortfall"]
        if not by:
            opened.add(hold["id"])
            held[hold["customer_id"], hold["currency"]] += hold["amount"]
            by_currency[hold["currency"]] += hold["amount"]
    there = _held_by_partners(tables)
    for account in accounts.values():
        if account["kind"] == AccountKind.CUSTOMER:
            assert account["debits_pending"] == held.get((account["owner_id"], account["currency"]), 0)
            assert account["credits_pending"] == 0
        elif account["kind"] == AccountKind.ISSUANCE:
            assert account["credits_pending"] == by_currency[account["currency"]]
            assert account["debits_pending"] == 0
        elif account["kind"] in (AccountKind.PARTNER, AccountKind.TRANSIT):
            both = account["debits_pending"], account["credits_pending"]
            held_there = there.get(account["currency"], 0)
            assert both == ((held_there, 0) if account["kind"] == AccountKind.PARTNER else (0, held_there))
        elif account["kind"] != AccountKind.POSITION:  # whose pending money is that of exchanges, see the accounts
            assert account["debits_pending"] == account["credits_pending"] == 0
    pinned: dict[Any, int] = defaultdict(int)
    for entry in tables["lot_entry"]:
        if entry["movement_id"] in opened:
            pinned[entry["account_id"], entry["expires_at"], entry["origin"]] += entry["held"]
    lots = {(lot["account_id"], lot["expires_at"], lot["origin"]): lot["held"] for lot in tables["lot"]}
    assert {key: units for key, units in lots.items() if units} == {
        key: units for key, units in pinned.items() if units
    }


def check_limits(entries: Sequence[Any], uses: Sequence[Any]) -> None:
    """What was used of a limit is what was counted under it."""
    counted: dict[tuple[int, int, str], int] = defaultdict(int)
    for entry in entries:
        counted[entry["limit_id"], entry["subject_id"], entry["period"]] += entry["amount"]
    stored = {(use["limit_id"], use["subject_id"], use["period"]): use["used"] for use in uses}
    assert min(stored.values(), default=0) >= 0
    assert stored == counted


def check_positions(accounts: dict[int, Any], legs: Sequence[Any], positions: Sequence[Any]) -> None:
    """Own debits and credits are those of the window's acts, and sum to zero per window and currency."""
    own: dict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0])
    for leg in legs:
        if leg["purpose"] in (Purpose.SETTLEMENT, Purpose.FEE) and leg["phase"] == Phase.POSTED:
            for side, account in enumerate((accounts[leg["debit_account_id"]], accounts[leg["credit_account_id"]])):
                assert account["kind"] == AccountKind.POSITION
                own[leg["window_id"], account["owner_id"], account["currency"]][side] += leg["amount"]
    found = {
        (row["window_id"], row["institution_id"], row["currency"]): [row["debits"], row["credits"]]
        for row in positions
        if row["debits"] or row["credits"]
    }
    assert found == dict(own)


def check_nets(tables: Tables) -> None:
    """The nets of each closed window and currency are the institutions' own acts and their children's nets to less than
    one unit of what is rounded; the members' sum to zero."""
    nets, positions = tables["window_net"], tables["position"]
    ordinals = {row["id"]: row["ordinal"] for row in tables["settlement_window"]}
    nodes = {
        row["key"]: json.loads(row["document"])
        for row in sorted(tables["configuration_change"], key=lambda row: row["version"])
        if row["noun"] == "institution"
    }
    operator = next(id for id, node in nodes.items() if node["parent"] is None) if nodes else 0
    sums: dict[tuple[int, str], int] = defaultdict(int)
    gaps = {(row["window_id"], row["institution_id"], row["currency"]): row["net"] for row in nets}
    for net in nets:
        window, node = net["window_id"], net["institution_id"]
        placed = [one["parent"] for one in nodes[node]["placements"] if one["window"] <= ordinals[window]]
        if placed and placed[-1] != operator:
            gaps[window, placed[-1], net["currency"]] -= net["net"]
        else:
            sums[window, net["currency"]] += net["net"]
    assert not any(sums.values())
    for net in nets:
        own = gaps[net["window_id"], net["institution_id"], net["currency"]]
        assert abs(own - (net["credits"] - net["debits"])) < 1_000_000
    closed = {row["window_id"] for row in nets}
    of_closed = [row for row in positions if row["window_id"] in closed and (row["debits"] or row["credits"])]
    assert sides([row for row in nets if row["debits"] or row["credits"]]) == sides(of_closed)


def sides(rows: Sequence[Any]) -> dict[tuple[int, int, str], tuple[int, int]]:
    return {(row["window_id"], row["institution_id"], row["currency"]): (row["debits"], row["credits"]) for row in rows}


async def check_journal(hub: Hub) -> None:
    """Entries are numbered without a gap, later in time, and each carries the hash before it."""
    entries = await hub.sql("SELECT * FROM journal_entry ORDER BY batch")
    [head] = await hub.sql("SELECT * FROM journal_head")
    check_chain(entries, head)


def check_chain(entries: Sequence[Any], head: Any) -> None:
    assert [entry["batch"] for entry in entries] == list(range(1, len(entries) + 1))
    for before, after in pairwise(entries):
        assert after["previous"] == before["hash"]
        assert after["at"] > before["at"]
    assert (head["batch"], head["hash"], head["at"]) == (entries[-1]["batch"], entries[-1]["hash"], entries[-1]["at"])
