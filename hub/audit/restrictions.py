"""Restrictions: the marks of accounts and customers are those that the history of restrictions and debts gives.

Each restriction follows from the one before it, a customer uses nothing of an account while it is frozen, and who has
left has nothing.
"""

from typing import Any

from hub import ids
from hub.audit.accounts import Accounts
from hub.audit.act import Act
from hub.audit.debts import Debts
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, Mark, MovementKind, RestrictionKind

_CUSTOMER = int(AccountKind.CUSTOMER)
_ALL = ""
# What a customer does with points, or has done with them; others take what is theirs.
_USES = frozenset(
    {
        MovementKind.TRANSFER,
        MovementKind.REDEEM,
        MovementKind.CONVERT,
        MovementKind.HOLD,
        MovementKind.CAPTURE,
        MovementKind.CONTRIBUTE,
        MovementKind.WITHDRAW,
        MovementKind.ACCEPT,
        MovementKind.ACCEPT_REVERSE,
    }
)
_MARKED = f"SELECT id, marks FROM account WHERE journal_id = {JOURNAL_ID} AND marks <> 0"
_CUSTOMERS = f"SELECT customer_id, marks FROM customer_mark WHERE journal_id = {JOURNAL_ID}"


class Restrictions:
    """What stands, by customer and currency (empty: all)."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._standing: dict[tuple[int, str], RestrictionKind] = {}
        self._closing: dict[int, int] = {}  # customers by the restriction that closes them
        self._clearings: set[int] = set()

    def begin(self, batch: Batch) -> None:
        """Take a batch's clearings, which clear customers who stay."""
        self._clearings.update(row["id"] for row in batch.rows.get("clearing", ()))

    def take(self, row: Any) -> None:
        """Take the next restriction."""
        subject, kind = (row["customer_id"], row["currency"]), row["kind"]
        before = self._standing.get(subject)
        frozen, closed = before is RestrictionKind.FREEZE, self._standing.get((subject[0], _ALL))
        fits = {
            RestrictionKind.FREEZE: not frozen,
            RestrictionKind.UNFREEZE: frozen,
            RestrictionKind.CLOSE: not frozen and row["currency"] == _ALL,
        }.get(kind, False)
        if not fits or closed is RestrictionKind.CLOSE:
            self._findings.add(
                "RESTRICTION", f"{ids.text(ids.RESTRICTION, row['id'])} does not follow from those before it."
            )
        if kind in set(RestrictionKind):
            self._standing[subject] = RestrictionKind(kind)
        if kind == RestrictionKind.CLOSE:
            self._closing[row["id"]] = row["customer_id"]

    def check(self, act: Act) -> None:
        """Compare an act with what stands."""
        moved = act.moved
        subject = moved["subject_id"]
        if (
            moved["kind"] == MovementKind.CLEAR
            and subject not in self._clearings
            and (self._closing.get(subject) != moved["from_customer_id"])
        ):
            self._findings.add("RESTRICTION", f"{act.name} clears a customer who has not left.")
        if not self._standing:
            return
        promised = act.over_partners and act.hold is not None  # and so held before anything was frozen
        for leg in act.plain:
            debit, credit = self._accounts.key(leg[4]), self._accounts.key(leg[5])
            uses = debit[0] == _CUSTOMER and moved["kind"] in _USES and not promised
            if uses and self._marks(*debit[1:]) & ~Mark.DEBT:
                self._findings.add("FROZEN", f"{act.name} uses points of an account that is frozen or closed.")
            if credit[0] == _CUSTOMER and self._marks(*credit[1:]) & Mark.CLOSED:
                self._findings.add("FROZEN", f"{act.name} credits a customer who has left.")

    def _marks(self, customer: int, currency: str) -> int:
        marks = 0
        if self._standing.get((customer, currency)) is RestrictionKind.FREEZE:
            marks |= Mark.FROZEN
        return int(marks | self._of_customer(customer))

    def _of_customer(self, customer: int) -> int:
        match self._standing.get((customer, _ALL)):
            case RestrictionKind.FREEZE:
                return int(Mark.CUSTOMER_FROZEN)
            case RestrictionKind.CLOSE:
                return int(Mark.CLOSED)
        return 0

    async def compare(self, driver: Any, debts: Debts) -> None:
        """Compare the marks that stand with those that are due."""
        add = self._findings.add
        owing = {debtor for debtor, owed in debts.owed.items() if owed}
        due = {}
        for id, account in self._accounts.by_id.items():
            kind, owner, currency = account.key
            if kind != _CUSTOMER:
                continue
            marks = self._marks(owner, currency) | (int(Mark.DEBT) if (owner, currency) in owing else 0)
            if marks:
                due[id] = marks
            if marks & Mark.CLOSED and account.credits != account.debits:
                add("CLOSED", f"Account {id} is of a customer who has left, and is not empty.")
        for id, marks in await driver.fetch(_MARKED):
            if due.pop(id, 0) != marks & ~Mark.POOL:  # which is the pools' business
                add("MARK", f"Account {id} is not marked as its restrictions and its debt have it.")
        for id in due:
            add("MARK", f"Account {id} is not marked, and should be.")
        customers = {customer for customer, currency in self._standing if currency == _ALL}
        for customer, marks in await driver.fetch(_CUSTOMERS):
            if marks != self._of_customer(customer) or customer not in customers:
                add("MARK", f"Customer {customer} is not marked as the restrictions have it.")
            customers.discard(customer)
        for customer in customers:
            add("MARK", f"Customer {customer} is not marked, and should be.")
