"""Memory: which customer a reference names, and which account a customer has of a currency.

Neither changes once it is committed, so a process may remember what it has read and find the
account by its identifier the next time: one look into one index instead of three. Balances are never remembered, and
neither is whom a bound card or number names. To erase a reference will be a change of the configuration, so that every
process forgets it under the lock.
"""

from itertools import islice

from hub.ledger.records import Customer

ENTRIES_MAX = 100_000

PartyKey = tuple[int, str, str]  # institution, reference, currency


class Memory:
    """What one process remembers; the oldest half goes when it is full."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._found: dict[PartyKey, tuple[Customer, int]] = {}

    def recall(self, key: PartyKey) -> tuple[Customer, int] | None:
        """The customer, and the identifier of its account of the currency; None unless both are remembered."""
        return self._found.get(key)

    def remember(self, key: PartyKey, customer: Customer, account: int) -> None:
        """Remember what was read, committed."""
        self._found[key] = customer, account
        if len(self._found) > self._entries_max:
            self._found = dict(islice(self._found.items(), len(self._found) // 2, None))
