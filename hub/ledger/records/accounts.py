"""Accounts and what is marked on them."""

from enum import IntEnum, IntFlag
from typing import Final


class AccountKind(IntEnum):
    """What an account is for. Customers, issuance and breakage hold points, the others money."""

    CUSTOMER = 1
    ISSUANCE = 2  # the contra account of a point currency, owned by its issuer
    BREAKAGE = 3  # points that expired
    POSITION = 4  # what the hub owes an institution in the open window
    SETTLEMENT = 5  # its rounded nets of closed windows, until they are paid
    BANK = 6  # the settlement bank, kept by the operator
    ROUNDING = 7  # what rounding nets leaves, owned by the operator
    DEBT = 8  # points that a customer owes, because they were taken away after they were spent
    PARTNER = 9  # the contra account of what came out of, less what went into, the system of a currency's partner
    TRANSIT = 10  # points that a partner has taken, and that are not yet anything else
    INTERNAL = 11  # through which a node's nets go to its parent, owned by the two of them together
    COLLATERAL = 20  # what an institution has put up for its own debts; the settlement bank has it
    FUND = 21  # what it has put up for everybody's
    RECOVERED = 22  # what a debtor has paid later, to who had been cut
    RECEIVABLE = 23  # nets that were declared unpaid, and not paid since
    CLAIM = 24  # what an institution bears of such a net
    LIQUIDITY = 25  # what it has put up to pay at once, where each act is
    FX = 40  # through which nets are exchanged, owned by the operator; empty after each closing


OF_POINTS: Final = frozenset(  # all others are of money
    {
        *(AccountKind.CUSTOMER, AccountKind.ISSUANCE, AccountKind.BREAKAGE, AccountKind.DEBT),
        *(AccountKind.PARTNER, AccountKind.TRANSIT),
    }
)


class Mark(IntFlag):
    """What an account is marked with: whether it, or its customer, is frozen, whether its customer owes points, and
    whether its customer has left, or is a pool."""

    FROZEN = 1
    CUSTOMER_FROZEN = 2
    DEBT = 4
    CLOSED = 8
    POOL = 16


class Account:
    """One account with its cumulative counters; the batch that holds it under the journal's lock may change it.

    ``aged``: how much of the balance is in lots; the rest never ends. ``marks``: of ``Mark``.
    """

    __slots__ = (
        "aged",
        "credits",
        "currency",
        "debits",
        "id",
        "kind",
        "marks",
        "owner",
        "pending_credits",
        "pending_debits",
    )

    def __init__(
        self,
        id: int,
        kind: int,
        owner: int,
        currency: str,
        debits: int = 0,
        credits: int = 0,
        pending_debits: int = 0,
        pending_credits: int = 0,
        aged: int = 0,
        marks: int = 0,
    ) -> None:
        self.id = id
        self.kind = kind
        self.owner = owner
        self.currency = currency
        self.debits = debits
        self.credits = credits
        self.pending_debits = pending_debits
        self.pending_credits = pending_credits
        self.aged = aged
        self.marks = marks

    @property
    def balance(self) -> int:
        """Posted credits less posted debits."""
        return self.credits - self.debits

    @property
    def available(self) -> int:
        """What may be spent: the balance less what is held."""
        return self.credits - self.debits - self.pending_debits
