"""Accounts as their legs make them: running balances, floors and kinds."""

from collections.abc import Iterable
from typing import Any

from hub import ids
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.institutions import OPERATOR_CODE
from hub.ledger.records import AccountKind, Phase, Purpose

Key = tuple[int, int, str]  # kind, owner, currency
UNKNOWN: Key = (0, 0, "")

_POINTS = frozenset({AccountKind.CUSTOMER, AccountKind.ISSUANCE, AccountKind.BREAKAGE})
_CUSTOMER = int(AccountKind.CUSTOMER)
# Between which kinds of accounts a purpose moves; either way round.
_BETWEEN = {
    Purpose.POINTS: (_POINTS, _POINTS),
    Purpose.SETTLEMENT: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.POSITION})),
    Purpose.FEE: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.POSITION})),
    Purpose.CLOSING: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.SETTLEMENT})),
    Purpose.ROUNDING: (frozenset({AccountKind.POSITION}), frozenset({AccountKind.ROUNDING})),
    Purpose.PAYMENT: (frozenset({AccountKind.SETTLEMENT}), frozenset({AccountKind.BANK})),
}


class Account:
    """What the legs so far make of an account; ``after`` is the balance that its last leg states."""

    __slots__ = ("after", "credits", "debits", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.debits = 0
        self.credits = 0
        self.after = 0


class Accounts:
    """All accounts, by identifier."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.by_id: dict[int, Account] = {}

    def open(self, rows: Iterable[Any]) -> None:
        """Take accounts that a batch opened."""
        for id, kind, owner, currency in rows:
            self.by_id[id] = Account((kind, owner, currency))

    def key(self, id: int) -> Key:
        """Whose account it is."""
        found = self.by_id.get(id)
        return UNKNOWN if found is None else found.key

    def post(self, legs: Iterable[Any]) -> None:
        """Take legs in their order.

        A stated balance is compared with the one stated before it, so that one wrong leg is one finding.
        """
        by_id, add = self.by_id, self._findings.add
        for leg in legs:
            movement, n, phase, purpose, debit_id, credit_id, amount, debit_after, credit_after, window = leg
            debit, credit = by_id.get(debit_id), by_id.get(credit_id)
            if debit is None or credit is None:
                add("LEG_ACCOUNT", f"{_name(movement, n)} names an account that there is not.")
            if debit_id == credit_id or amount <= 0 or phase != Phase.POSTED:
                add("LEG_AMOUNT", f"{_name(movement, n)} moves {amount} between accounts {debit_id} and {credit_id}.")
            if debit is not None:
                debit.debits += amount
                if debit_after != debit.after - amount:
                    add("LEG_BALANCE", f"{_name(movement, n)} states another balance of the debited account.")
                debit.after = debit_after
                if debit.key[0] == _CUSTOMER and (debit_after < 0 or debit.credits < debit.debits):
                    add("BELOW_ZERO", f"{_name(movement, n)} takes customer account {debit_id} below zero.")
            if credit is not None:
                credit.credits += amount
                if credit_after != credit.after + amount:
                    add("LEG_BALANCE", f"{_name(movement, n)} states another balance of the credited account.")
                credit.after = credit_after
            if debit is not None and credit is not None:
                if debit.key[2] != credit.key[2]:
                    add("LEG_CURRENCY", f"{_name(movement, n)} moves from {debit.key[2]} to {credit.key[2]}.")
                one, other = _BETWEEN.get(purpose, (frozenset(), frozenset()))
                kinds = debit.key[0], credit.key[0]
                fits = (kinds[0] in one and kinds[1] in other) or (kinds[0] in other and kinds[1] in one)
                if not fits or (window is None) != (purpose == Purpose.POINTS):
                    add("LEG_PURPOSE", f"{_name(movement, n)} is of a purpose that its accounts and window do not fit.")


def operator_of(configuration: Configuration) -> int:
    """The operator's identifier; 0 while the rows name none."""
    return configuration.institution_codes.get(OPERATOR_CODE, 0)


def _name(movement: int, n: int) -> str:
    return f"Leg {n} of {ids.text(ids.ENTRY, movement)}"
