"""Acts: each movement's legs are those that its kind posts, and each act has its outcome.

Figures come from the rows (a conversion's, a movement's), never from deciding again; what is proved is that rows of
different tables tell one story.
"""

from collections import Counter
from collections.abc import Container, Iterable
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import ids
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.db import driver_of
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Purpose
from hub.points import share

Expected = tuple[Key, Key, int, int]  # debit, credit, amount, purpose
_CUSTOMER, _ISSUANCE, _POSITION = (
    int(kind) for kind in (AccountKind.CUSTOMER, AccountKind.ISSUANCE, AccountKind.POSITION)
)
# Their outcome names the movement; a conversion's names the conversion, a closing's or a payment's the window.
_NAMED_BY_MOVEMENT = frozenset({MovementKind.ISSUE, MovementKind.TRANSFER, MovementKind.REDEEM, MovementKind.REVERSE})

_ORIGINALS = f"""
SELECT * FROM movement
WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[]) AND kind <> {int(MovementKind.REVERSE)}
UNION ALL
SELECT * FROM movement
WHERE journal_id = {JOURNAL_ID} AND subject_id = ANY($1::bigint[]) AND kind = {int(MovementKind.CONVERT)}
"""
_LEGS = f"""
SELECT movement_id, purpose, debit_account_id, credit_account_id, amount FROM leg
WHERE journal_id = {JOURNAL_ID} AND movement_id = ANY($1::bigint[]) ORDER BY movement_id, n
"""
_REVERSED = f"""
SELECT subject_id, sum(amount)::bigint AS amount FROM movement
WHERE journal_id = {JOURNAL_ID} AND kind = {int(MovementKind.REVERSE)} AND subject_id = ANY($1::bigint[]) AND id < $2
GROUP BY subject_id
"""
_CONVERSIONS = f"""
SELECT id, rate_id, from_customer_id, target, eligible FROM conversion
WHERE journal_id = {JOURNAL_ID} AND id = ANY($1::bigint[])
"""


class Acts:
    """Acts in the order of the ledger. ``bonus_used``: what counts under bonus caps, by rate, bonus and customer."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._conversions: dict[int, Any] = {}
        self._originals: dict[int, tuple[Any, list[Any]]] = {}
        self._converted: dict[int, Any] = {}
        self._reversed: Counter[int] = Counter()
        self.bonus_used: Counter[tuple[int, int, int]] = Counter()

    async def begin(self, connection: AsyncConnection, batch: Batch) -> None:
        """Take a batch's conversions, and fetch what its reversals reverse."""
        self._conversions = {row["id"]: row for row in batch.rows.get("conversion", ())}
        self._originals = {}
        subjects = list({row["subject_id"] for row in batch.rows.get("movement", ()) if _is_reversal(row)})
        if not subjects:
            return
        driver = await driver_of(connection)
        legs: dict[int, list[Any]] = {}
        originals = await driver.fetch(_ORIGINALS, subjects)
        for leg in await driver.fetch(_LEGS, [row["id"] for row in originals]):
            legs.setdefault(leg["movement_id"], []).append(leg)
        self._originals = {
            row["subject_id"] if row["kind"] == MovementKind.CONVERT else row["id"]: (row, legs.get(row["id"], []))
            for row in originals
        }
        self._converted = {row["id"]: row for row in await driver.fetch(_CONVERSIONS, subjects)}
        first = ids.first_of(batch.number)
        self._reversed = Counter(
            {row["subject_id"]: row["amount"] for row in await driver.fetch(_REVERSED, subjects, first)}
        )

    def check(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Compare one movement of points with its legs. Those that close and settle are the windows' business."""
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3]) for leg in legs]
        kind, name = moved["kind"], ids.text(ids.ENTRY, moved["id"])
        if [leg[1] for leg in legs] != list(range(len(legs))):
            self._findings.add("ACT_LEGS", f"The legs of {name} are not numbered one after the other.")
        if kind == MovementKind.REVERSE:
            expected = self._reversal(moved)
        elif kind == MovementKind.CONVERT:
            expected = self._conversion(moved, configuration)
        else:
            expected = _simple(moved, configuration)
        if expected is None:
            self._findings.add("ACT", f"{name} is an act of something that there is not.")
        elif actual != expected:
            self._findings.add("ACT_LEGS", f"The legs of {name} are not what the act posts.")

    def _conversion(self, moved: Any, configuration: Configuration) -> list[Expected] | None:
        made = self._conversions.pop(moved["subject_id"], None)
        rate = None if made is None else configuration.rates.get(made["rate_id"])
        if made is None or rate is None:
            return None
        source, target = configuration.currencies.get(rate.source), configuration.currencies.get(rate.target)
        if source is None or target is None:
            return None
        name = ids.text(ids.CONVERSION, made["id"])
        stated = ("from_customer_id", "to_customer_id", "credential_id", "for_institution_id")
        pairs = [(made[column], moved[column]) for column in stated]
        pairs += [(made["target"], moved["amount"]), (made["settlement"], moved["value"]), (made["fee"], moved["fee"])]
        pairs += [(target.code, moved["currency"]), (rate.money, moved["money"])]
        if any(one != other for one, other in pairs):
            self._findings.add("CONVERSION", f"{name} and its movement say different things.")
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
        giver, taker = (
            (_CUSTOMER, made["from_customer_id"], source.code),
            (_CUSTOMER, made["to_customer_id"], target.code),
        )
        return [
            (giver, (_ISSUANCE, source.issuer, source.code), made["source"], int(Purpose.POINTS)),
            ((_ISSUANCE, target.issuer, target.code), taker, made["target"], int(Purpose.POINTS)),
            *_money(source.issuer, target.issuer, rate.money, made["settlement"], Purpose.SETTLEMENT),
            *_money(source.issuer, operator_of(configuration), rate.money, made["fee"], Purpose.FEE),
        ]

    def _reversal(self, moved: Any) -> list[Expected] | None:
        subject = moved["subject_id"]
        original, legs = self._originals.get(subject, (None, []))
        if original is None or not original["amount"]:
            return None
        total, before = original["amount"], self._reversed[subject]
        after = self._reversed[subject] = before + moved["amount"]
        name = ids.text(ids.REVERSAL, moved["id"])
        if after > total:
            self._findings.add("REVERSAL", f"{name} and those before it reverse {after} of {total}.")
        swapped = (("from_customer_id", "to_customer_id"), ("to_customer_id", "from_customer_id"))
        same = (("currency", "currency"), ("money", "money"), ("merchant_id", "merchant_id"))
        parts = [
            (moved[part], None if original[part] is None else _part(original[part], before, after, total))
            for part in ("value", "fee")
        ]
        if any(moved[mine] != original[its] for mine, its in swapped + same) or any(is_ != due for is_, due in parts):
            self._findings.add("REVERSAL", f"{name} is not the opposite of what it reverses.")
        converted = self._converted.get(subject)
        if converted is not None:
            for index, counted in enumerate(_eligible(converted) or ()):
                use = (converted["rate_id"], index, converted["from_customer_id"])
                if use in self.bonus_used:
                    self.bonus_used[use] -= _part(counted, before, after, total)
        key = self._accounts.key
        expected = [
            (key(leg[3]), key(leg[2]), _part(leg["amount"], before, after, total), leg["purpose"]) for leg in legs
        ]
        return [leg for leg in expected if leg[2]]

    def original_ids(self) -> list[int]:
        """The movements that the batch's reversals reverse."""
        return [original["id"] for original, _ in self._originals.values()]

    def reversed_part(self, moved: Any) -> tuple[int, int, int, int] | None:
        """The movement that a checked reversal reverses, its credited points, and how many of them were reversed before
        and after it; None: there is no such movement."""
        original, _ = self._originals.get(moved["subject_id"], (None, []))
        if original is None or not original["amount"]:
            return None
        after = self._reversed[moved["subject_id"]]
        return original["id"], original["amount"], after - moved["amount"], after

    def finish(self, batch: Batch, windows: Container[int], people: Container[int]) -> None:
        """Compare the batch's acts with its outcomes; ``windows`` are those that were opened so far, ``people`` the
        bindings and links that were made."""
        add = self._findings.add
        for id in self._conversions:
            add("CONVERSION", f"{ids.text(ids.CONVERSION, id)} has no movement.")
        results: Counter[int] = Counter()
        for row in batch.rows.get("outcome", ()):
            refusal, details, subject = row["refusal"], row["details"], row["subject_id"]
            if (refusal is None) == (subject is None) or (refusal is None) != (details is None):
                add("OUTCOME", f"The outcome of key {row['key']!r} is neither a result nor a refusal.")
            if subject is not None:
                results[subject] += 1
        acts: set[int] = set()
        for moved in batch.rows.get("movement", ()):
            subject = moved["id"] if moved["kind"] in _NAMED_BY_MOVEMENT else moved["subject_id"]
            if subject not in windows:
                acts.add(subject)
            if not results[subject]:
                add("ACT_OUTCOME", f"{ids.text(ids.ENTRY, moved['id'])} is the outcome of no request.")
        for subject, count in results.items():
            if subject in people:
                continue
            if (subject not in acts and subject not in windows and count) or (subject in acts and count > 1):
                add("OUTCOME", f"{count} outcomes of batch {batch.number} name {subject:x}, which is not their act.")


def _simple(moved: Any, configuration: Configuration) -> list[Expected] | None:
    """What issuing, transferring and redeeming post."""
    of = configuration.currency(moved["currency"])
    if of is None:
        return None
    giver, taker = (_CUSTOMER, moved["from_customer_id"], of.code), (_CUSTOMER, moved["to_customer_id"], of.code)
    issuance, amount, points = (_ISSUANCE, of.issuer, of.code), moved["amount"], int(Purpose.POINTS)
    match moved["kind"]:
        case MovementKind.ISSUE:
            return [(issuance, taker, amount, points)]
        case MovementKind.TRANSFER:
            return [(giver, taker, amount, points)]
        case MovementKind.REDEEM:
            paid = _money(of.issuer, moved["merchant_id"], moved["money"], moved["value"], Purpose.SETTLEMENT)
            return [(giver, issuance, amount, points), *paid]
    return None


def _money(payer: int, payee: int, money: str, amount: int, purpose: Purpose) -> Iterable[Expected]:
    if amount and payer != payee:
        yield (_POSITION, payer, money), (_POSITION, payee, money), amount, int(purpose)


def _part(whole: int, before: int, after: int, total: int) -> int:
    return share(after, total, whole) - share(before, total, whole)


def _is_reversal(moved: Any) -> bool:
    return bool(moved["kind"] == MovementKind.REVERSE and moved["subject_id"] is not None)


def _eligible(conversion: Any) -> tuple[int, ...] | None:
    try:
        return msgspec.json.decode(conversion["eligible"], type=tuple[int, ...])
    except msgspec.DecodeError:
        return None
