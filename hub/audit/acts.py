"""Acts: each movement's legs are those that its kind posts, and each act has its outcome.

Figures come from the rows (a conversion's, a movement's), never from deciding again; what is proved is that rows of
different tables tell one story.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from hub import ids
from hub.audit import defaults, prepaid, relocations
from hub.audit.accounts import Accounts, Key, host_of
from hub.audit.act import Act
from hub.audit.breaks import Breaks
from hub.audit.disputes import Disputes
from hub.audit.entries import Batch
from hub.audit.exchanges import BY_PARTNERS, Exchanges
from hub.audit.findings import Findings
from hub.audit.relocations import Relocations
from hub.audit.shares import Shares
from hub.configuration import Configuration
from hub.currencies import PointCurrency
from hub.ledger.records import ACCEPTED, AccountKind, MovementKind, Phase, Purpose
from hub.points import share
from hub.prepaid import billed
from hub.shares import Act as FeeAct
from hub.shares import Part

Expected = tuple[Key, Key, int, int, int]  # debit, credit, amount, purpose, phase
_CUSTOMER, _ISSUANCE, _BREAKAGE, _POSITION = (
    int(kind) for kind in (AccountKind.CUSTOMER, AccountKind.ISSUANCE, AccountKind.BREAKAGE, AccountKind.POSITION)
)
# Their outcome names the movement; a conversion's names the conversion, a closing's or a payment's the window.
_NAMED_BY_MOVEMENT = frozenset(
    {
        MovementKind.ISSUE,
        MovementKind.TRANSFER,
        MovementKind.REDEEM,
        MovementKind.REVERSE,
        MovementKind.HOLD,
        MovementKind.CAPTURE,
        MovementKind.RELEASE,
        MovementKind.FREEZE,
        MovementKind.REMOVE,
        MovementKind.WRITE_OFF,
        MovementKind.CONTRIBUTE,
        MovementKind.CREDIT,
        *ACCEPTED,
    }
)
# Movements that one request made together, which is named by its own row.
_TOGETHER = {"cancellation": MovementKind.REVERSE, "basket": MovementKind.REDEEM}
_GROUPS = ("restriction", "clearing", *_TOGETHER)
_NOTHING_DONE = frozenset({MovementKind.DECLINE, MovementKind.REFUND})
_UNKEYED = frozenset({MovementKind.COVER, *defaults.KINDS, *prepaid.KINDS})
_BY_TIME = frozenset({MovementKind.RELEASE, MovementKind.EXPIRE})  # nobody asks the host for these


class Acts:
    """Acts in the order of the ledger. ``bonus_used``: what counts under bonus caps, by rate, bonus and customer."""

    def __init__(
        self,
        findings: Findings,
        accounts: Accounts,
        exchanges: Exchanges,
        relocations: Relocations,
        breaks: Breaks,
        shares: Shares,
        disputes: Disputes,
    ) -> None:
        self._findings = findings
        self._shares = shares
        self._breaks = breaks
        self._disputes = disputes
        self._accounts = accounts
        self._exchanges = exchanges
        self._relocations = relocations
        self._converted: set[int] = set()
        self._answered: set[int] = set()  # movements of the batch that convert what an earlier one accepted
        self.bonus_used: Counter[tuple[int, int, int]] = Counter()

    def check(self, act: Act) -> None:
        """Compare one movement of points with its legs. Those that close and settle are the windows' business."""
        key, moved = self._accounts.key, act.moved
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3], leg[2]) for leg in act.plain]
        kind = moved["kind"]
        if [leg[1] for leg in act.legs] != list(range(len(act.legs))):
            self._findings.add("ACT_LEGS", f"The legs of {act.name} are not numbered one after the other.")
        if self._exchanges.is_of(moved):
            expected = self._exchange(act)
        elif self._breaks.is_of(moved):
            expected = self._breaks.expected(act)
        elif self._disputes.is_of(moved):
            expected = self._disputes.expected(act)
        elif kind == MovementKind.REVERSE:
            expected = self._reversal(act)
        elif kind == MovementKind.CONVERT:
            expected = self._conversion(act)
        elif kind in relocations.KINDS:
            of = act.configuration.currency(moved["currency"])
            expected = None if of is None else self._relocations.expected(act, of)
        else:
            of = act.configuration.currency(moved["currency"])
            posts = _POSTS.get(kind)
            if of is not None and moved["merchant_id"] is not None:
                pair = (of.id, None)
                split = self._shares.split(act, FeeAct.REDEMPTION, pair, moved["money"], moved["fee"] or 0)
                self._shares.check(act, split, moved["merchant_id"])
                act = replace(act, parts=split[1])
            expected = None if of is None or posts is None else posts(act, of)
        if expected is None:
            self._findings.add("ACT", f"{act.name} is an act of something that there is not.")
        elif actual != [leg for leg in expected if leg[2]]:
            self._findings.add("ACT_LEGS", f"The legs of {act.name} are not what the act posts.")

    def _exchange(self, act: Act) -> list[Expected] | None:
        """A movement on the way of an act that needs partners. A conversion counts for bonuses when it begins."""
        kind, way = act.moved["kind"], self._exchanges.way(act.moved)
        expected = self._exchanges.expected(act)
        if kind == MovementKind.ACCEPT and expected is not None:
            self._converted.add(act.moved["id"])
            self._count_bonuses(act)
        elif kind in ACCEPTED.values() and expected is not None:
            self._answered.add(act.moved["id"])
            if kind == MovementKind.CONVERT:
                self._compare(act)
            elif kind == MovementKind.REVERSE:
                self._reversal(act)
        elif kind in _NOTHING_DONE and way is not None and way.kind is MovementKind.CONVERT:
            for index, counted in enumerate(_eligible(way.row) or ()):
                use = (way.row["rate_id"], index, way.row["from_customer_id"])
                if use in self.bonus_used:
                    self.bonus_used[use] -= counted
        return expected

    def _conversion(self, act: Act) -> list[Expected] | None:
        made, configuration = act.conversion, act.configuration
        rate = None if made is None else configuration.rates.get(made["rate_id"])
        if made is None or made["id"] in self._converted:
            return None
        self._converted.add(made["id"])
        if rate is None:
            return None
        source, target = configuration.currencies.get(rate.source), configuration.currencies.get(rate.target)
        if source is None or target is None:
            return None
        self._compare(act)
        self._count_bonuses(act)
        split = self._shares.split(act, FeeAct.CONVERSION, (source.id, target.id), rate.money, made["fee"])
        self._shares.check(act, split, source.issuer)
        giver, taker = (
            (_CUSTOMER, made["from_customer_id"], source.code),
            (_CUSTOMER, made["to_customer_id"], target.code),
        )
        return [
            _points(giver, (_ISSUANCE, source.issuer, source.code), made["source"]),
            _points((_ISSUANCE, target.issuer, target.code), taker, made["target"]),
            *_money(source.issuer, target.issuer, rate.money, made["settlement"], Purpose.SETTLEMENT),
            *_fees(source.issuer, rate.money, split[1]),
        ]

    def _compare(self, act: Act) -> None:
        """Hold the movement that converts against its conversion."""
        moved, made, configuration = act.moved, act.conversion, act.configuration
        rate = configuration.rates[made["rate_id"]]
        target = configuration.currencies[rate.target]
        name = ids.text(ids.CONVERSION, made["id"])
        stated = ("from_customer_id", "to_customer_id", "credential_id", "for_institution_id")
        pairs = [(made[column], moved[column]) for column in stated]
        pairs += [(made["target"], moved["amount"]), (made["settlement"], moved["value"]), (made["fee"], moved["fee"])]
        pairs += [(target.code, moved["currency"]), (rate.money, moved["money"])]
        if any(one != other for one, other in pairs):
            self._findings.add("CONVERSION", f"{name} and its movement say different things.")

    def _count_bonuses(self, act: Act) -> None:
        made = act.conversion
        rate = act.configuration.rates[made["rate_id"]]
        name = ids.text(ids.CONVERSION, made["id"])
        eligible = _eligible(made)
        if eligible is None or len(eligible) != len(rate.bonuses):
            self._findings.add("CONVERSION", f"{name} does not say what counts for each of its rate's bonuses.")
            eligible = ()
        for index, (counted, bonus) in enumerate(zip(eligible, rate.bonuses, strict=False)):
            if counted and bonus.cap is not None:
                use = (rate.id, index, made["from_customer_id"])
                self.bonus_used[use] += counted
                if self.bonus_used[use] > bonus.cap:
                    self._findings.add("BONUS_CAP", f"{name} takes its customer above the cap of bonus {index}.")

    def _reversal(self, act: Act) -> list[Expected] | None:
        moved, known = act.moved, act.original
        if known is None or not known.movement["amount"]:
            return None
        original, before, after = known.movement, act.before, act.after
        total = original["amount"]
        name = ids.text(ids.REVERSAL, moved["id"])
        if after > total:
            self._findings.add("REVERSAL", f"{name} and those before it reverse {after} of {total}.")
        swapped = (("from_customer_id", "to_customer_id"), ("to_customer_id", "from_customer_id"))
        same = (("currency", "currency"), ("money", "money"), ("merchant_id", "merchant_id"))
        returned = self._shares.check_returned(act)
        of_money = billed(sum(one.units for one in known.draws), total, before, after)
        parts = [
            (moved[part], None if original[part] is None else _part(original[part], *of_money))
            for part in ("value", "fee")
        ]
        if returned is not None:
            parts[1] = (moved["fee"], returned)
        if any(moved[mine] != original[its] for mine, its in swapped + same) or any(is_ != due for is_, due in parts):
            self._findings.add("REVERSAL", f"{name} is not the opposite of what it reverses.")
        converted = known.conversion
        if converted is not None:
            for index, counted in enumerate(_eligible(converted) or ()):
                use = (converted["rate_id"], index, converted["from_customer_id"])
                if use in self.bonus_used:
                    self.bonus_used[use] -= _part(counted, before, after, total)
        key = self._accounts.key
        return [
            (
                key(leg["credit_account_id"]),
                key(leg["debit_account_id"]),
                _part(leg["amount"], *((before, after, total) if leg["purpose"] == Purpose.POINTS else of_money))
                - sum(act.missing),
                leg["purpose"],
                int(Phase.POSTED),
            )
            for leg in known.legs
        ]

    def finish(
        self, batch: Batch, windows: Container[int], people: Container[int], configuration: Configuration
    ) -> None:
        """Compare the batch's acts with its outcomes; ``windows`` are those that were opened so far, ``people`` the
        bindings and links that were made."""
        add = self._findings.add
        for row in batch.rows.get("conversion", ()):
            if row["id"] not in self._converted:
                add("CONVERSION", f"{ids.text(ids.CONVERSION, row['id'])} has no movement.")
        self._converted.clear()
        answered, self._answered = self._answered, set()
        results: Counter[int] = Counter()
        for row in batch.rows.get("outcome", ()):
            refusal, details, subject = row["refusal"], row["details"], row["subject_id"]
            if (refusal is None) == (subject is None) or (refusal is None) != (details is None):
                add("OUTCOME", f"The outcome of key {row['key']!r} is neither a result nor a refusal.")
            if subject is not None:
                results[subject] += 1
        acts = {row["id"] for name in _GROUPS for row in batch.rows.get(name, ())}
        for id in acts:
            if not results[id]:
                add("ACT_OUTCOME", f"{id:x} is the outcome of no request.")
        acts.update(row["id"] for row in batch.rows.get("pool_member", ()))  # some without points, some without a key
        together = {
            moved["id"]: row["id"]
            for name, kind in _TOGETHER.items()
            for row in batch.rows.get(name, ())
            for moved in batch.rows.get("movement", ())
            if moved["kind"] == kind and row["id"] < moved["id"] <= row["last_id"]
        }
        files = batch.rows.get("confirmation_file", ())
        for moved in batch.rows.get("movement", ()):
            if any(file["id"] < moved["id"] <= file["last_id"] for file in files):
                continue  # a bank's file has, which is no request under a key
            if moved["kind"] in _BY_TIME and moved["credential_id"] == host_of(configuration):
                continue
            if moved["kind"] in BY_PARTNERS or moved["id"] in answered:
                continue
            if moved["kind"] == MovementKind.BILL:
                continue  # the hub's own, see the invoices
            if moved["kind"] == MovementKind.PAY:
                continue  # with the act that it pays, see the positions
            if moved["kind"] == MovementKind.CLEAR or moved["kind"] in relocations.KINDS:
                continue  # nobody asked for it but whoever ordered the whole; see the relations, and the relocations
            if self._breaks.is_of(moved) or self._disputes.is_of(moved) or moved["kind"] in _UNKEYED:
                continue  # two persons have, without a key
            subject = moved["id"] if moved["kind"] in _NAMED_BY_MOVEMENT else moved["subject_id"]
            subject = together.get(moved["id"], subject)
            if subject not in windows:
                acts.add(subject)
            if not results[subject]:
                add("ACT_OUTCOME", f"{ids.text(ids.ENTRY, moved['id'])} is the outcome of no request.")
        for subject, count in results.items():
            if subject in people:
                continue
            if (subject not in acts and subject not in windows and count) or (subject in acts and count > 1):
                add("OUTCOME", f"{count} outcomes of batch {batch.number} name {subject:x}, which is not their act.")


def _issue(act: Act, of: PointCurrency) -> list[Expected]:
    moved = act.moved
    paid = _money(moved["for_institution_id"], of.issuer, moved["money"], moved["value"] or 0, Purpose.SETTLEMENT)
    return [_points(_issuance(of), _taker(act), moved["amount"]), *paid]


def _transfer(act: Act, of: PointCurrency) -> list[Expected]:
    return [_points(_giver(act), _taker(act), act.moved["amount"])]


def _redeem(act: Act, of: PointCurrency) -> list[Expected]:
    return [_points(_giver(act), _issuance(of), act.moved["amount"]), *_paid(act, of)]


def _hold(act: Act, of: PointCurrency) -> list[Expected]:
    return [_points(_giver(act), _issuance(of), act.moved["amount"], Phase.PENDING)]


def _capture(act: Act, of: PointCurrency) -> list[Expected] | None:
    if act.hold is None:
        return None
    moved = act.moved
    taker = _issuance(of) if moved["to_customer_id"] is None else _taker(act)
    return [
        _points(_giver(act), _issuance(of), act.hold.row["amount"], Phase.VOIDED),
        _points(_giver(act), taker, moved["amount"]),
        *(() if moved["merchant_id"] is None else _paid(act, of)),
    ]


def _release(act: Act, of: PointCurrency) -> list[Expected] | None:
    if act.hold is None:
        return None
    return [_points(_giver(act), _issuance(of), act.hold.row["amount"], Phase.VOIDED)]


def _break(act: Act, of: PointCurrency) -> list[Expected]:
    return [_points(_giver(act), (_BREAKAGE, of.issuer, of.code), act.moved["amount"])]


def _remove(act: Act, of: PointCurrency) -> list[Expected] | None:
    if act.hold is None:
        return None
    voided = _points(_giver(act), _issuance(of), act.hold.row["amount"], Phase.VOIDED)
    return [voided, _points(_giver(act), _issuance(of), act.moved["amount"])]


def _nothing(_act: Act, _of: PointCurrency) -> list[Expected]:
    return []


# What each kind of act posts, but those of a conversion or reversal; None: it is about something that there is not.
_POSTS: dict[int, Callable[[Act, PointCurrency], list[Expected] | None]] = {
    MovementKind.ISSUE: _issue,
    MovementKind.TRANSFER: _transfer,
    MovementKind.REDEEM: _redeem,
    MovementKind.HOLD: _hold,
    MovementKind.CAPTURE: _capture,
    MovementKind.RELEASE: _release,
    MovementKind.EXPIRE: _break,
    MovementKind.FREEZE: _hold,
    MovementKind.REMOVE: _remove,
    MovementKind.CLEAR: _break,
    MovementKind.WRITE_OFF: _nothing,
    MovementKind.CONTRIBUTE: _transfer,
    MovementKind.WITHDRAW: _transfer,
}


def _giver(act: Act) -> Key:
    return _CUSTOMER, act.moved["from_customer_id"], act.moved["currency"]


def _taker(act: Act) -> Key:
    return _CUSTOMER, act.moved["to_customer_id"], act.moved["currency"]


def _issuance(of: PointCurrency) -> Key:
    return _ISSUANCE, of.issuer, of.code


def _points(debit: Key, credit: Key, amount: int, phase: Phase = Phase.POSTED) -> Expected:
    return debit, credit, amount, int(Purpose.POINTS), int(phase)


def _paid(act: Act, of: PointCurrency) -> Iterable[Expected]:
    """What the issuer pays to the merchant of an act, and what is charged to the merchant."""
    moved = act.moved
    yield from _money(of.issuer, moved["merchant_id"], moved["money"], moved["value"], Purpose.SETTLEMENT)
    yield from _fees(moved["merchant_id"], moved["money"], act.parts)


def _fees(payer: int, money: str, parts: Iterable[Part]) -> Iterable[Expected]:
    """What ``payer`` pays of a fee."""
    for part in parts:
        yield from _money(payer, part.payee, money, part.amount, Purpose.FEE)


def _money(payer: int, payee: int, money: str, amount: int, purpose: Purpose) -> Iterable[Expected]:
    if amount and payer != payee:
        yield (_POSITION, payer, money), (_POSITION, payee, money), amount, int(purpose), int(Phase.POSTED)


def _part(whole: int, before: int, after: int, total: int) -> int:
    return share(after, total, whole) - share(before, total, whole)


def _eligible(conversion: Any) -> tuple[int, ...] | None:
    try:
        return msgspec.json.decode(conversion["eligible"], type=tuple[int, ...])
    except msgspec.DecodeError:
        return None
