"""Whether the tables hold what the model does.

What is over goes only when its account is touched, so what the tables still have of it is taken off first, as the
architecture has it: an expired hold frees what it pins, and points that are over and free are breakage.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.ledger.records import AccountKind, Mark
from tests.properties.invariants import Tables, balance
from tests.properties.model.calendar import FOR_EVER
from tests.properties.model.customers import ALL
from tests.properties.model.model import Model
from tests.properties.model.purses import MAIN, Tag, Who
from tests.properties.world import PARENTS

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
    compare_restrictions(model, tables, customers)
    compare_limits(model, tables, codes, customers)
    compare_pools(model, tables, customers)
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
            lots[row["account_id"]].append((tag_of(row, customers), row["earned_at"], amount, held))
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


def tag_of(row: Any, customers: dict[int, Who]) -> Tag:
    """What tells a lot from others of its account, out of the text that the ledger keeps."""
    origin = json.loads(row["origin"] or "{}")
    was = tuple(sorted((code, datetime.fromisoformat(end)) for code, end in origin.pop("was", {}).items()))
    day, giver, part = origin.pop("earned", None), origin.pop("giver", None), origin.pop("part", MAIN)
    assert not origin
    return until(row), was, day, None if giver is None else customers[giver], part


def until(row: Any) -> datetime:
    """When a lot or a hold ends."""
    ends: datetime = row["expires_at"]
    return ends if ends.year < 9999 else FOR_EVER


def compare_holds(model: Model, tables: Tables, customers: dict[int, Who]) -> None:
    found = {}
    for row in tables["hold"]:
        status = "EXPIRED" if row["status"] == "HELD" and row["expires_at"] <= model.now else row["status"]
        who = customers[row["customer_id"]], row["currency"]
        found[row["id"]] = (*who, row["amount"], row["shortfall"], row["captured"], until(row), status)
    assert found == {
        number: (hold.who, hold.currency.code, hold.amount, hold.shortfall, hold.captured, hold.until, hold.status)
        for number, hold in model.holds.items()
    }


def compare_restrictions(model: Model, tables: Tables, customers: dict[int, Who]) -> None:
    """What is owed and missing, and which accounts are marked for what."""
    debts, marks = {}, {}
    for account in tables["account"]:
        if account["kind"] == AccountKind.DEBT and balance(account):
            debts[customers[account["owner_id"]], account["currency"]] = -balance(account)
        elif account["kind"] == AccountKind.CUSTOMER:
            marks[customers[account["owner_id"]], account["currency"]] = account["marks"]
    assert debts == {key: units for key, units in model.debts.items() if units}
    assert marks == {key: marked(model, *key) for key in marks}
    assert {customers[row["customer_id"]] for row in tables["customer_mark"] if row["marks"]} == {
        who for who, code in model.frozen if code == ALL
    }
    missing = {code: [0, 0] for code in model.currencies}
    currencies = {row["id"]: row["currency"] for row in tables["movement"]} if tables["missing"] else {}
    for row in tables["missing"]:
        both = missing[currencies[row["movement_id"]]]
        both[0] += row["debt"]
        both[1] += row["written_off"]
    assert missing == model.missing


def marked(model: Model, who: Who, code: str) -> int:
    """What an account is to be marked with."""
    found = 0
    for mark, holds in (
        (Mark.FROZEN, (who, code) in model.frozen),
        (Mark.CUSTOMER_FROZEN, (who, ALL) in model.frozen),
        (Mark.DEBT, model.debts.get((who, code), 0)),
        (Mark.POOL, who in model.pools),
    ):
        found |= mark if holds else 0
    return int(found)


def compare_limits(model: Model, tables: Tables, codes: Codes, customers: dict[int, Who]) -> None:
    """What was used of every limit by whom and when, and which issues were clipped."""
    accounts = {row["id"]: (customers.get(row["owner_id"]), row["currency"]) for row in tables["account"]}
    found = {}
    for row in tables["limit_use"]:
        limit, subject = model.limits[row["limit_id"]], row["subject_id"]
        match limit.subject:
            case "CUSTOMER":
                whose: Any = customers[subject]
            case "ACCOUNT":
                whose = accounts[subject]
            case "INSTITUTION":
                whose = codes[subject]
            case _:
                whose = limit.currency
        found[row["limit_id"], whose, row["period"]] = row["used"]
    assert {key: units for key, units in found.items() if units} == {
        key: units for key, units in model.used.items() if units
    }
    clipped = {row["movement_id"]: (row["version_id"], row["requested"]) for row in tables["clipping"]}
    assert clipped == {number: act.clipped for number, act in model.acts.items() if act.clipped is not None}


def compare_pools(model: Model, tables: Tables, customers: dict[int, Who]) -> None:
    """Who is in which pool with which rights, and who has spent of them."""
    found: dict[Who, dict[Who, frozenset[str]]] = {customers[row["id"]]: {} for row in tables["pool"]}
    for row in sorted(tables["pool_member"], key=lambda row: row["id"]):
        members, member = found[customers[row["pool_id"]]], customers[row["customer_id"]]
        members.pop(member, None)
        if row["rights"] is not None:
            members[member] = frozenset(json.loads(row["rights"]))
    assert found == {who: pool.rights for who, pool in model.pools.items()}
    assert Counter(customers[row["customer_id"]] for row in tables["pool_use"]) == Counter(model.spenders)


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
