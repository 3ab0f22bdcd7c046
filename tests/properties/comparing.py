"""Whether the tables hold what the model does.

What is over goes only when its account is touched, so what the tables still have of it is taken off first, as the
architecture has it: an expired hold frees what it pins, and points that are over and free are breakage.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.ledger.records import AccountKind
from tests.properties.drawing import PARENTS
from tests.properties.invariants import Tables, balance
from tests.properties.model import Model, Who
from tests.properties.purses import FOR_EVER, Tag

Codes = Mapping[int, str]  # institutions' codes by identifier


def compare(model: Model, tables: Tables, codes: Codes, windows: dict[int, int]) -> int:
    """Fail if the tables do not hold what the model does now. ``windows``: identifiers by number. Answers how many
    points are over and still to go."""
    customers = {
        row["customer_id"]: (codes[row["institution_id"]], row["reference"]) for row in tables["customer_reference"]
    }
    assert set(customers.values()) == model.customers
    late = compare_points(model, tables, customers)
    compare_holds(model, tables, customers)
    compare_money(model, tables, codes, windows)
    used = {
        (row["rate_id"], row["bonus"], customers[row["customer_id"]]): row["used"]
        for row in tables["bonus_use"]
        if row["used"]
    }
    assert used == {key: units for key, units in model.bonus_used.items() if units}
    offers = {row["id"]: (row["used_by"] is not None, row["cancelled"]) for row in tables["quote"]}
    assert offers == {number: (offer.used, offer.cancelled) for number, offer in model.offers.items()}
    return late


def compare_points(model: Model, tables: Tables, customers: dict[int, Who]) -> int:
    """Balances, what is available, and every lot in the order of spending; and breakage."""
    freed: dict[Any, int] = defaultdict(int)
    unheld: dict[tuple[int, str], int] = defaultdict(int)
    late = {hold["id"]: hold for hold in tables["hold"] if hold["status"] == "HELD" and hold["expires_at"] <= model.now}
    for hold in late.values():
        unheld[hold["customer_id"], hold["currency"]] += hold["amount"]
    for entry in tables["lot_entry"] if late else ():
        if entry["movement_id"] in late:
            freed[entry["account_id"], entry["expires_at"], entry["origin"]] += entry["held"]
    accounts = {row["id"]: row for row in tables["account"]}
    over: dict[int, int] = defaultdict(int)
    lots: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in sorted(tables["lot"], key=lambda row: (row["expires_at"], row["earned_at"], row["id"])):
        amount, held = row["amount"], row["held"] - freed[row["account_id"], row["expires_at"], row["origin"]]
        if row["expires_at"] <= model.now:
            over[row["account_id"]] += amount - held
            amount = held
        if amount:
            lots[row["account_id"]].append((tag_of(row), row["earned_at"], amount, held))
    found, expected = {}, {}
    broken: dict[str, int] = defaultdict(int)
    for account in accounts.values():
        if account["kind"] == AccountKind.CUSTOMER:
            total = balance(account) - over[account["id"]]
            held = account["debits_pending"] - unheld[account["owner_id"], account["currency"]]
            if total:
                who = customers[account["owner_id"]]
                found[who, account["currency"]] = (total, total - held, lots[account["id"]])
            broken[account["currency"]] += over[account["id"]]
        elif account["kind"] == AccountKind.BREAKAGE:
            broken[account["currency"]] += balance(account)
    for key, purse in model.purses.items():
        if purse.balance:
            mine = [(lot.part.tag, lot.part.earned, lot.part.amount, lot.held) for lot in purse.in_order()]
            expected[key] = (purse.balance, purse.available, mine)
    assert found == expected, _difference(found, expected)
    assert {code: units for code, units in broken.items() if units} == {
        code: units for code, units in model.breakage.items() if units
    }
    return sum(over.values()) + len(late)


def _difference(found: dict[Any, Any], expected: dict[Any, Any]) -> Any:
    return {
        key: {"found": found.get(key), "expected": expected.get(key)}
        for key in {**found, **expected}
        if found.get(key) != expected.get(key)
    }


def tag_of(row: Any) -> Tag:
    """What tells a lot from others of its account, out of the text that the ledger keeps."""
    origin = json.loads(row["origin"] or "{}")
    was = tuple(sorted((code, datetime.fromisoformat(end)) for code, end in origin.pop("was", {}).items()))
    day, giver = origin.pop("earned", None), origin.pop("giver", None)
    assert not origin
    return row["expires_at"] if row["expires_at"].year < 9999 else FOR_EVER, was, day, giver


def compare_holds(model: Model, tables: Tables, customers: dict[int, Who]) -> None:
    found = {}
    for row in tables["hold"]:
        status = "EXPIRED" if row["status"] == "HELD" and row["expires_at"] <= model.now else row["status"]
        who = customers[row["customer_id"]], row["currency"]
        found[row["id"]] = (*who, row["amount"], row["captured"], row["expires_at"], status)
    assert found == {
        number: (hold.who, hold.currency.code, hold.amount, hold.captured, hold.until, hold.status)
        for number, hold in model.holds.items()
    }


def compare_money(model: Model, tables: Tables, codes: Codes, windows: dict[int, int]) -> None:
    """Positions, nets, and which windows are settled."""
    numbers = {id: number for number, id in windows.items()}
    positions = {
        (numbers[row["window_id"]], codes[row["institution_id"]]): (row["debits"], row["credits"], row["subtree"])
        for row in tables["position"]
    }
    for window in windows:
        for node in [*PARENTS, "HUB"]:
            own = model.own.get((window, node), [0, 0])
            expected = (*own, model.subtree(window, node))
            assert positions.get((window, node), (0, 0, 0)) == expected, (window, node)
    nets: dict[int, dict[str, int]] = {}
    for row in tables["window_net"]:
        nets.setdefault(numbers[row["window_id"]], {})[codes[row["institution_id"]]] = row["net"]
    assert nets == {window: of_window for window, of_window in model.nets.items() if of_window}
    settled = {row["number"] for row in tables["settlement_window"] if row["status"] == "SETTLED"}
    assert settled == model.settled
