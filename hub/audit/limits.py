"""Limits: what each movement counts, counted again from its legs and from the limits that were in force at it.

What was granted or refused is not decided again. What is proved is that every act counted what it had to, that a
reversal gave back its share, that nothing passed a limit, and that what was clipped had nothing left.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.audit.accounts import Accounts
from hub.audit.act import Act as Posted
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.originals import Original
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.db import driver_of
from hub.expiry import is_zone
from hub.institutions import Institution
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import ACCEPTED, AccountKind, MovementKind, Phase
from hub.limits import (
    Act,
    Limit,
    Mode,
    Period,
    UseKey,
    concerning,
    held,
    in_force,
    measured,
    outflow_key,
    period_of,
    subject_of,
)
from hub.points import share

_Counted = tuple[int, int, str, int]  # limit, subject, period, amount
# What is counted, its currency, the customer and its institution, the points, what they become, and what is settled.
_Promise = tuple[Act, int, int, int | None, int, int | None, tuple[str | None, int | None]]
_SIDES: dict[int, tuple[tuple[Act, str], ...]] = {
    MovementKind.ACCEPT_REDEEM: ((Act.REDEEM, "from_customer_id"),),
    MovementKind.ACCEPT_TRANSFER: ((Act.TRANSFER, "from_customer_id"), (Act.RECEIVE, "to_customer_id")),
    MovementKind.ACCEPT_ISSUE: ((Act.ISSUE, "to_customer_id"),),
}
_DEBITS = {
    MovementKind.TRANSFER: Act.TRANSFER,
    MovementKind.REDEEM: Act.REDEEM,
    MovementKind.CONVERT: Act.CONVERT,
    MovementKind.CONTRIBUTE: Act.TRANSFER,
}
_CREDITS = {
    MovementKind.ISSUE: Act.ISSUE,
    MovementKind.TRANSFER: Act.RECEIVE,
    MovementKind.CONVERT: Act.CONVERT_IN,
    MovementKind.CAPTURE: Act.RECEIVE,
}

_NOTHING_DONE = frozenset({MovementKind.DECLINE, MovementKind.REFUND})  # how an exchange may end
_ENDS = _NOTHING_DONE | frozenset(ACCEPTED.values())
_HOMES = f"SELECT id, institution_id FROM customer WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[])"
_ENTRIES = f"""
SELECT movement_id, limit_id, subject_id, period, amount FROM limit_entry
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[]) ORDER BY movement_id, n
"""


class Limits:
    """What counts under limits, in the order of the ledger. ``used``: by limit, subject and period."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._entries: dict[int, list[Any]] = {}
        self._clippings: dict[int, Any] = {}
        self._originals: dict[int, list[_Counted]] = {}
        self._homes: dict[int, int] = {}
        self._promised: dict[int, list[_Counted]] = {}  # by exchanges that are under way
        self.used: Counter[UseKey] = Counter()

    async def begin(
        self,
        connection: AsyncConnection,
        batch: Batch,
        configuration: Configuration,
        originals: Mapping[int, Original],
    ) -> None:
        """Take what a batch counted and clipped, and fetch its customers' institutions and what the acts that it
        reverses counted. Nothing while there is no limit, and none is set."""
        self._entries, self._originals, self._homes = {}, {}, {}
        for row in batch.rows.get("limit_entry", ()):
            self._entries.setdefault(row["movement_id"], []).append(row)
        self._clippings = {row["movement_id"]: row for row in batch.rows.get("clipping", ())}
        changes = batch.rows.get("configuration_change", ())
        counts = configuration.limits or configuration.outflows
        if not counts and not any(row["noun"] in ("limit", "rate") for row in changes):
            return
        movements = batch.rows.get("movement", ())
        people = {row[side] for row in movements for side in ("from_customer_id", "to_customer_id")} - {None}
        driver = driver_of(connection)
        self._homes = {row["id"]: row["institution_id"] for row in await driver.fetch(_HOMES, list(people))}
        if originals:
            # What partners were asked for was counted when it was accepted, by what the act is named by.
            reversed_ones = {one.movement["id"]: one.movement["id"] for one in originals.values()}
            reversed_ones |= {id: one.movement["id"] for id, one in originals.items()}
            for id, *counted in await driver.fetch(_ENTRIES, list(reversed_ones)):
                limit, subject, period, amount = counted
                self._originals.setdefault(reversed_ones[id], []).append((limit, subject, period, amount))

    def check(self, act: Posted) -> None:
        """Compare what one movement of points counted with what it had to."""
        moved, configuration, name = act.moved, act.configuration, act.name
        legs = [leg for leg in act.legs if leg[2] == Phase.POSTED]
        id = moved["id"]
        rows = self._entries.pop(id, [])
        if [row["n"] for row in rows] != list(range(len(rows))):
            self._findings.add("LIMIT_ENTRY", f"What {name} counts is not numbered one after the other.")
        actual: list[_Counted] = [(row["limit_id"], row["subject_id"], row["period"], row["amount"]) for row in rows]
        at = act.at
        if at is None or not (configuration.limits or configuration.outflows or actual):
            expected = []
        elif moved["kind"] == MovementKind.REVERSE:
            expected = self._given_back(act)
        elif moved["kind"] in ACCEPTED:
            expected = self._promised[id] = self._accepted(act, at) + self._flows(act)
        elif moved["subject_id"] in self._promised:  # it counted when it was accepted
            counted = self._promised.pop(moved["subject_id"]) if moved["kind"] in _ENDS else []
            came = moved["kind"] not in _NOTHING_DONE
            expected = [] if came else [(*key, -amount) for *key, amount in counted]  # type: ignore[misc]
        else:
            expected = self._counted(moved, legs, configuration, at) + self._flows(act)
        if actual != expected:
            self._findings.add("LIMIT_ENTRY", f"{name} does not count under limits what it has to.")
        for limit, subject, period, amount in actual:
            self.used[limit, subject, period] += amount
        if at is not None and moved["kind"] != MovementKind.REVERSE:
            for limit, subject, period, amount in actual:
                version = in_force(configuration.limits.get(limit, ()), at)
                allowed = None if version is None else version.amount
                if allowed is not None and amount > 0 and self.used[limit, subject, period] > allowed:
                    self._findings.add("LIMIT", f"{name} goes beyond a limit.")
                rate = configuration.rates.get(limit)
                most = None if rate is None else rate.outflow_limit
                if most is not None and amount > 0 and self.used[limit, subject, period] > most:
                    self._findings.add("LIMIT", f"{name} lets more flow than its rate allows.")
        clipping = self._clippings.pop(id, None)
        if clipping is None:
            return
        if at is None or not self._is_clipped(moved, legs, clipping, actual, configuration, at):
            self._findings.add("CLIPPING", f"What was clipped of {name} is not what its limit left.")

    def _flows(self, act: Posted) -> list[_Counted]:
        """What a conversion counts under its rate's outflow limit."""
        made = act.conversion if act.moved["kind"] in (MovementKind.CONVERT, MovementKind.ACCEPT) else None
        rate = None if made is None else act.configuration.rates.get(made["rate_id"])
        if made is None or rate is None or rate.outflow_limit is None:
            return []
        return [(*outflow_key(rate, made["window_id"]), made["target"])]

    def _given_back(self, act: Posted) -> list[_Counted]:
        """The opposite of what the original counted, in the share of it that is reversed."""
        if act.original is None or not act.original.movement["amount"]:
            return []
        original, total = act.original.movement["id"], act.original.movement["amount"]
        parts = [
            (limit, subject, period, share(act.after, total, amount) - share(act.before, total, amount))
            for limit, subject, period, amount in self._originals.get(original, [])
        ]
        return [(limit, subject, period, -part) for limit, subject, period, part in parts if part]

    def _accepted(self, act: Posted, at: datetime) -> list[_Counted]:
        """What an act that needs partners counts: what it will take from the giver, and give to the taker."""
        configuration = act.configuration
        counted: list[_Counted] = []
        for kind, currency, owner, home, points, target, settled in self._promises(act):
            of, families = configuration.currencies.get(currency), configuration.limits_on(kind, currency)
            if of is None or not families or not stands(configuration.institutions, home):
                continue
            for limit in concerning(families, configuration.institutions, home or 0, target, at):
                if limit.period is Period.BALANCE or not is_zone(limit.zone):
                    continue  # what a customer held then is not asked again
                account = self._accounts.find(AccountKind.CUSTOMER, owner, of.code)
                subject = subject_of(limit, owner, account, home or 0)
                if amount := measured(limit, configuration.valued(of, at), points, *settled):
                    counted.append((limit.family, subject, period_of(limit.period, limit.zone, at), amount))
        return counted

    def _promises(self, act: Posted) -> list[_Promise]:
        """The sides of an act that needs partners; a reversal counts nothing before it is done."""
        moved, made, configuration = act.moved, act.conversion, act.configuration
        nothing: tuple[str | None, int | None] = (None, None)
        of = configuration.currency(moved["currency"])
        if moved["kind"] == MovementKind.ACCEPT:
            rate = None if made is None else configuration.rates.get(made["rate_id"])
            if made is None or rate is None:
                return []
            giver, taker = ((made[f"{side}_customer_id"], made[f"{side}_institution_id"]) for side in ("from", "to"))
            paid = (rate.money, made["settlement"])
            return [
                (Act.CONVERT, rate.source, *giver, made["source"], rate.target, paid),
                (Act.CONVERT_IN, rate.target, *taker, made["target"], None, nothing),
            ]
        found: list[_Promise] = []
        for kind, column in _SIDES.get(moved["kind"], ()):
            if of is not None and moved[column] is not None:
                settled = (moved["money"], moved["value"]) if kind is Act.REDEEM else nothing
                home = self._homes.get(moved[column])
                found.append((kind, of.id, moved[column], home, moved["amount"], None, settled))
        return found

    def _counted(self, moved: Any, legs: list[Any], configuration: Configuration, at: datetime) -> list[_Counted]:
        counted: list[_Counted] = []
        for limit, of, account, points, after in self._limited(moved, legs, configuration, at):
            if limit.period is Period.BALANCE:
                if limit.amount is not None and held(limit, configuration.valued(of, at), after) > limit.amount:
                    self._findings.add("LIMIT", f"{ids.text(ids.ENTRY, moved['id'])} lets a customer hold too much.")
                continue
            settled = (moved["money"], moved["value"]) if limit.act in (Act.CONVERT, Act.REDEEM) else (None, None)
            amount = measured(limit, configuration.valued(of, at), points, *settled)
            if amount:
                owner = self._accounts.key(account)[1]
                subject = subject_of(limit, owner, account, self._homes.get(owner, 0))
                counted.append((limit.family, subject, period_of(limit.period, limit.zone, at), amount))
        return counted

    def _limited(
        self, moved: Any, legs: list[Any], configuration: Configuration, at: datetime
    ) -> list[tuple[Limit, PointCurrency, int, int, int]]:
        """The limits in force on each side of a movement: with its currency, the account, the points and the balance
        after."""
        found = []
        into = configuration.currency(moved["currency"])
        for _, _, _, _, debit, credit, points, debit_after, credit_after, _ in legs:
            if self._accounts.key(credit)[0] == AccountKind.DEBT:
                continue  # what repays a debt at once is a part of the credit before it, and no act of its own
            for account, acts, after in ((debit, _DEBITS, debit_after), (credit, _CREDITS, credit_after)):
                kind, owner, code = self._accounts.key(account)
                act, of = acts.get(moved["kind"]), configuration.currency(code)
                if moved["kind"] == MovementKind.CAPTURE and account == debit:
                    act = Act.REDEEM if moved["to_customer_id"] is None else Act.TRANSFER
                if kind != AccountKind.CUSTOMER or act is None or of is None:
                    continue
                families, home = configuration.limits_on(act, of.id), self._homes.get(owner)
                if not families or not stands(configuration.institutions, home):
                    continue
                target = into.id if act is Act.CONVERT and into is not None else None
                for limit in concerning(families, configuration.institutions, home or 0, target, at):
                    if is_zone(limit.zone):
                        found.append((limit, of, account, points, after))
        return found

    def _is_clipped(
        self,
        moved: Any,
        legs: list[Any],
        clipping: Any,
        actual: list[_Counted],
        configuration: Configuration,
        at: datetime,
    ) -> bool:
        """Whether less was issued than requested, because a limit in force that clips was used up by it."""
        family = configuration.limit_versions.get(clipping["version_id"])
        if moved["kind"] != MovementKind.ISSUE or family is None or clipping["requested"] <= moved["amount"]:
            return False
        for limit, of, _, _, after in self._limited(moved, legs, configuration, at):
            if limit.id == clipping["version_id"] and limit.mode is Mode.CLIP:
                if limit.period is Period.BALANCE:
                    return held(limit, configuration.valued(of, at), after) == limit.amount
                return any(self.used[counted[:3]] == limit.amount for counted in actual if counted[0] == family)
        return False

    def finish(self) -> None:
        """Find what is counted and clipped of movements that there are not."""
        for id in self._entries:
            self._findings.add("LIMIT_ENTRY", f"{ids.text(ids.ENTRY, id)} counts under limits, and there is none such.")
        for id in self._clippings:
            self._findings.add("CLIPPING", f"{ids.text(ids.ENTRY, id)} was clipped, and there is none such.")


def stands(institutions: Mapping[int, Institution], node: int | None) -> bool:
    """Whether an institution and all above it are there, which tampered rows may not give."""
    found = institutions.get(node or 0)
    while found is not None and found.parent is not None:
        found = institutions.get(found.parent)
    return found is not None
