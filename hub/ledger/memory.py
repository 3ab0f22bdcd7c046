"""Memory: which customer a reference names, and which account a customer has of a currency.

Neither changes once it is committed, so a process may remember what it has read and find the
account by its identifier the next time: one look into one index instead of three. Balances are never remembered, and
neither is whom a bound card or number names. To erase a reference will be a change of the configuration, so that every
process forgets it under the lock.
"""

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

from hub.ledger.records import Customer

_K = TypeVar("_K")
_V = TypeVar("_V")
ENTRIES_MAX = 100_000


class Memory:
    """What one process remembers; the oldest half goes when it is full."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._customers: dict[tuple[int, str], Customer] = {}
        self._accounts: dict[tuple[int, str], int] = {}

    def recall(self, home: int, reference: str, currency: str) -> tuple[Customer, int] | None:
        """The customer and the identifier of its account of ``currency``; None unless both are remembered."""
        customer = self._customers.get((home, reference))
        if customer is None:
            return None
        account = self._accounts.get((customer.id, currency))
        return None if account is None else (customer, account)

    def remember(self, customer: Customer, reference: str, currency: str, account: int) -> None:
        """Remember what was read, committed."""
        self._customers[customer.institution, reference] = customer
        self._accounts[customer.id, currency] = account
        if len(self._accounts) > self._entries_max:
            self._accounts = dict(_younger_half(self._accounts))
            self._customers = dict(_younger_half(self._customers))


def _younger_half(entries: dict[_K, _V]) -> Iterator[tuple[_K, _V]]:
    return islice(entries.items(), len(entries) // 2, None)
