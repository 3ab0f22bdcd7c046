"""Accounts as their legs make them: running balances, what is pending, floors and kinds."""

from collections.abc import Iterable
from typing import Any

from hub import ids
from hub.audit.findings import Findings, name_of
from hub.configuration import Configuration
from hub.institutions import OPERATOR_CODE
from hub.ledger.records import AccountKind, Phase, Purpose

Key = tuple[int, int, str]  # kind, owner, currency
UNKNOWN: Key = (0, 0, "")

_POINTS = frozenset(
    {
        AccountKind.CUSTOMER,
        AccountKind.ISSUANCE,
        AccountKind.BREAKAGE,
        AccountKind.DEBT,
        AccountKind.PARTNER,
        AccountKind.TRANSIT,
    }
)
# What may be pending, and is in no window as long as it is.
_PENDING = frozenset({Purpose.POINTS, Purpose.SETTLEMENT, Purpose.FEE})
_WINDOWLESS = frozenset({Purpose.POINTS, Purpose.COVER})
_CUSTOMER = int(AccountKind.CUSTOMER)
_POSTED = int(Phase.POSTED)
_SIGNS = {int(Phase.PENDING): 1, int(Phase.VOIDED): -1}  # what a leg does to what is pending
# Between which kinds of accounts a purpose moves; either way round.
_BETWEEN = {
    Purpose.POINTS: (_POINTS, _POINTS),
    Purpose.SETTLEMENT: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.POSITION})),
    Purpose.FEE: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.POSITION})),
    Purpose.CLOSING: (
        frozenset({AccountKind.POSITION}),
        frozenset({AccountKind.SETTLEMENT, AccountKind.INTERNAL}),
    ),
    Purpose.LEVEL: (frozenset({AccountKind.INTERNAL}), frozenset({AccountKind.POSITION})),
    Purpose.ROUNDING: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.ROUNDING})),
    Purpose.EXCHANGE: (frozenset({AccountKind.SETTLEMENT}), frozenset({AccountKind.FX})),
    Purpose.PAYMENT: (
        frozenset({AccountKind.SETTLEMENT, AccountKind.LIQUIDITY}),
        frozenset({AccountKind.BANK, AccountKind.SETTLEMENT, AccountKind.POSITION}),
    ),
    Purpose.COVER: (
        frozenset({AccountKind.BANK}),
        frozenset({AccountKind.COLLATERAL, AccountKind.FUND, AccountKind.RECOVERED, AccountKind.LIQUIDITY}),
    ),
    Purpose.DEFAULT: (
        frozenset({AccountKind.RECEIVABLE, AccountKind.CLAIM}),
        frozenset(
            {
                AccountKind.SETTLEMENT,
                AccountKind.BANK,
                AccountKind.COLLATERAL,
                AccountKind.FUND,
                AccountKind.RECOVERED,
            }
        ),
    ),
}


class Account:
    """What the legs so far make of an account. ``after``: the balance that its last leg states; ``aged`` and
    ``pinned``: how much of it is in lots, and how much of that is held."""

    __slots__ = ("after", "aged", "credits", "debits", "key", "pending_credits", "pending_debits", "pinned")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.debits = 0
        self.credits = 0
        self.pending_debits = 0
        self.pending_credits = 0
        self.after = 0
        self.aged = 0
        self.pinned = 0

    @property
    def counters(self) -> tuple[int, int, int, int, int]:
        """As the table has them."""
        return self.debits, self.credits, self.pending_debits, self.pending_credits, self.aged


class Accounts:
    """All accounts, by identifier."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.by_id: dict[int, Account] = {}
        self._by_key: dict[Key, int] = {}

    def open(self, rows: Iterable[Any]) -> None:
        """Take accounts that a batch opened."""
        for id, kind, owner, currency in rows:
            self.by_id[id] = Account((kind, owner, currency))
            self._by_key[kind, owner, currency] = id

    def key(self, id: int) -> Key:
        """Whose account it is."""
        found = self.by_id.get(id)
        return UNKNOWN if found is None else found.key

    def compare(self, moved: Any, legs: list[Any], expected: list[tuple[Key, Key, int, int]]) -> None:
        """Pass if an act about a window posts these legs (debit, credit, amount, purpose) in it, and no other."""
        key = self.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3]) for leg in legs]
        if actual != expected or any(leg[9] != moved["subject_id"] for leg in legs):
            self._findings.add("ACT_LEGS", f"The legs of {name_of(moved)} are not what the act posts.")

    def find(self, kind: int, owner: int, currency: str) -> int:
        """The identifier of an account; 0: there is none."""
        return self._by_key.get((int(kind), owner, currency), 0)

    def post(self, leg: Any) -> tuple[Account | None, Account | None]:
        """Take the next leg; answers the accounts that it debits and credits.

        A stated balance is what was posted, and is compared with the one stated before it, so that one wrong leg is one
        finding.
        """
        _, _, phase, purpose, debit_id, credit_id, amount, debit_after, credit_after, window = leg
        by_id, add = self.by_id, self._findings.add
        debit, credit = by_id.get(debit_id), by_id.get(credit_id)
        if debit is None or credit is None:
            add("LEG_ACCOUNT", f"{leg_name(leg)} names an account that there is not.")
        if debit_id == credit_id or amount <= 0:
            add("LEG_AMOUNT", f"{leg_name(leg)} moves {amount} between accounts {debit_id} and {credit_id}.")
        if phase != _POSTED and (phase not in _SIGNS or purpose not in _PENDING):
            add("LEG_PHASE", f"{leg_name(leg)} is in a phase in which there is none of its purpose.")
        posted = amount if phase == _POSTED else 0
        pending = _SIGNS.get(phase, 0) * amount
        if debit is not None:
            debit.debits += posted
            debit.pending_debits += pending
            if debit_after != debit.after - posted:
                add("LEG_BALANCE", f"{leg_name(leg)} states another balance of the debited account.")
            debit.after = debit_after
            if debit.key[0] == _CUSTOMER:
                held = debit.pending_debits
                if debit_after < held or debit.credits - debit.debits < held:
                    add("BELOW_ZERO", f"{leg_name(leg)} takes what customer account {debit_id} may spend below zero.")
            if pending < 0 and debit.pending_debits < 0:
                add("LEG_PHASE", f"{leg_name(leg)} frees more of account {debit_id} than was pending.")
        if credit is not None:
            credit.credits += posted
            credit.pending_credits += pending
            if credit_after != credit.after + posted:
                add("LEG_BALANCE", f"{leg_name(leg)} states another balance of the credited account.")
            credit.after = credit_after
            if pending < 0 and credit.pending_credits < 0:
                add("LEG_PHASE", f"{leg_name(leg)} takes more off account {credit_id} than was pending.")
        if debit is not None and credit is not None:
            if debit.key[2] != credit.key[2]:
                add("LEG_CURRENCY", f"{leg_name(leg)} moves from {debit.key[2]} to {credit.key[2]}.")
            one, other = _BETWEEN.get(purpose, (frozenset(), frozenset()))
            kinds = debit.key[0], credit.key[0]
            fits = (kinds[0] in one and kinds[1] in other) or (kinds[0] in other and kinds[1] in one)
            if not fits or (window is None) != (purpose in _WINDOWLESS or phase != _POSTED):
                add("LEG_PURPOSE", f"{leg_name(leg)} is of a purpose that its accounts and window do not fit.")
        return debit, credit


def operator_of(configuration: Configuration) -> int:
    """The operator's identifier; 0 while the rows name none."""
    return configuration.institution_codes.get(OPERATOR_CODE, 0)


def host_of(configuration: Configuration) -> int:
    """The host's credential; 0 while the rows name none."""
    return next((one.id for one in configuration.credentials.values() if not one.secret_hash), 0)


def leg_name(leg: Any) -> str:
    """How findings call a leg."""
    return f"Leg {leg[1]} of {ids.text(ids.ENTRY, leg[0])}"
