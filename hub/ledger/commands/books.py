"""The terms of the books: their days, their locked period, and the general ledger's accounts."""

from datetime import date

import msgspec

from hub.ledger.commands.command import Command


class LedgerAccountText(msgspec.Struct, frozen=True):
    kind: str
    currency: str | None
    code: str
    name: str


class SetBooks(Command, frozen=True, kw_only=True):
    """Each as it is from now on; None: as it was."""

    time_zone: str | None
    accounts: tuple[LedgerAccountText, ...] | None


class LockPeriod(Command, frozen=True, kw_only=True):
    """``through``: the last day whose books are closed."""

    through: date
