"""Lots as their entries make them: what is in each, what of it is held, and in which order it was used.

An entry belongs to a leg of points and changes a lot of the account on its side. Lots are replayed leg by leg, so that
each use meets the lots that there were at it. Only open lots are kept.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hub.audit.accounts import Account, leg_name
from hub.audit.findings import Findings
from hub.expiry import NEVER
from hub.ledger.lots import MAIN, NO_ORIGIN, part_of
from hub.ledger.records import AccountKind, MovementKind, Phase

LotKey = tuple[datetime, str]  # expires at, origin
_CUSTOMER = int(AccountKind.CUSTOMER)

# The signs of an entry's amount and of what it holds, by its leg's phase and whether it is on the debited side.
_SIGNS = {
    (int(Phase.POSTED), True): (-1, 0),
    (int(Phase.POSTED), False): (1, 0),
    (int(Phase.PENDING), True): (0, 1),
    (int(Phase.VOIDED), True): (0, -1),
}
# These use what ends first, and what has no lot last; others use what was pinned or given before.
_IN_ORDER = frozenset(
    {
        MovementKind.TRANSFER,
        MovementKind.REDEEM,
        MovementKind.CONVERT,
        MovementKind.HOLD,
        MovementKind.FREEZE,
        MovementKind.CLEAR,
        MovementKind.CONTRIBUTE,
    }
)
# Of these, those that may be of one part of the account, which the rows do not name: in its order then.
_OF_A_PART = _IN_ORDER - {MovementKind.FREEZE, MovementKind.CLEAR}
# These may use points that are over; what a capture may is the holds' business, and frozen points wait for a decision.
_OVER_TOO = frozenset({MovementKind.EXPIRE, MovementKind.CAPTURE, MovementKind.REMOVE, MovementKind.RELOCATE})


class Lot:
    """What the entries so far make of a lot. ``earned_at``: the earliest of what went into it since it was empty."""

    __slots__ = ("amount", "earned_at", "held")

    def __init__(self, earned_at: datetime) -> None:
        self.amount = 0
        self.held = 0
        self.earned_at = earned_at


class Lots:
    """All open lots, by account."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.by_account: dict[int, dict[LotKey, Lot]] = {}

    def post(
        self, leg: Any, debit: Account | None, credit: Account | None, entries: Sequence[Any], kind: int, at: Any
    ) -> None:
        """Take the next leg with its entries, in their order, once its accounts have taken it.

        ``kind`` and ``at`` are its movement's; ``at`` is None where the rows give no time. Of legs without entries only
        those need be told that debit accounts with lots.
        """
        self._prove(leg, entries)
        used = [entry for entry in entries if entry[3] == leg[4] and leg[2] != Phase.VOIDED]
        last = self._last_used(leg, used)
        for entry in entries:
            side = debit if entry[3] == leg[4] else credit
            self._change(leg, entry, side)
        if at is not None:
            self._check_use(leg, debit, used, last, kind, at)
        for account in (debit, credit):
            if account is not None and account.key[0] == _CUSTOMER:
                plain = account.credits - account.debits - account.aged
                if not 0 <= account.pending_debits - account.pinned <= plain:
                    self._findings.add("LOT_BALANCE", f"{leg_name(leg)} uses more points without a lot than there are.")

    def left(self) -> Iterator[tuple[int, LotKey, Lot]]:
        """All open lots."""
        for account, lots in self.by_account.items():
            for key, lot in lots.items():
                yield account, key, lot

    def _prove(self, leg: Any, entries: Sequence[Any]) -> None:
        """Compare a leg's entries with it."""
        sums = {True: 0, False: 0}
        fits = [entry[2] for entry in entries] == list(range(len(entries)))
        for _, _, _, account, expires_at, origin, _, amount, held in entries:
            debited = account == leg[4]
            fits = fits and (debited or account == leg[5]) and (expires_at != NEVER or origin != NO_ORIGIN)
            fits = fits and _SIGNS.get((leg[2], debited)) == (_sign(amount), _sign(held))
            sums[debited] += abs(amount or held)
        if not fits or max(sums.values()) > leg[6]:
            self._findings.add("LOT_ENTRY", f"{leg_name(leg)} changes lots in a way that does not fit it.")

    def _last_used(self, leg: Any, used: Sequence[Any]) -> tuple[datetime, datetime]:
        """Of what a leg uses, what should come last, as the lots are before it; points without a lot come after all."""
        if not used or sum(abs(entry[7] or entry[8]) for entry in used) < leg[6]:
            return NEVER, NEVER
        lots = self.by_account.get(leg[4], {})
        return max(
            (expires_at, lot.earned_at if (lot := lots.get((expires_at, origin))) is not None else earned_at)
            for _, _, _, _, expires_at, origin, earned_at, _, _ in used
        )

    def _change(self, leg: Any, entry: Any, account: Account | None) -> None:
        _, _, _, number, expires_at, origin, earned_at, amount, held = entry
        if account is None or account.key[0] != _CUSTOMER:
            self._findings.add("LOT_ENTRY", f"{leg_name(leg)} has a lot of an account that has none.")
            return
        lots = self.by_account.setdefault(number, {})
        lot = lots.get((expires_at, origin))
        if lot is None:
            lot = lots[expires_at, origin] = Lot(earned_at)
        elif amount > 0:
            lot.earned_at = min(lot.earned_at, earned_at)
        lot.amount += amount
        lot.held += held
        account.aged += amount
        account.pinned += held
        if not 0 <= lot.held <= lot.amount:
            self._findings.add("LOT_BALANCE", f"{leg_name(leg)} uses more of a lot than there is, or than is free.")
        if not lot.amount and not lot.held:
            del lots[expires_at, origin]
            if not lots:
                del self.by_account[number]

    def _check_use(
        self,
        leg: Any,
        debit: Account | None,
        used: Sequence[Any],
        last: tuple[datetime, datetime],
        kind: int,
        at: datetime,
    ) -> None:
        if debit is None or debit.key[0] != _CUSTOMER or leg[2] == Phase.VOIDED:
            return
        if kind not in _OVER_TOO and any(entry[4] <= at for entry in used):
            self._findings.add("LOT_OVER", f"{leg_name(leg)} uses points that are over.")
        if kind not in _IN_ORDER:
            return
        part = _part_used(leg, used) if kind in _OF_A_PART else None
        for (expires_at, origin), lot in self.by_account.get(leg[4], {}).items():
            if part is not None and _part(origin) != part:
                continue
            if expires_at > at and lot.amount > lot.held and (expires_at, lot.earned_at) < last:
                self._findings.add("LOT_ORDER", f"{leg_name(leg)} uses other points than those that end first.")
                return


def _part_used(leg: Any, used: Sequence[Any]) -> str | None:
    """The one part of the account that a leg uses points of; None: of several."""
    parts = {_part(entry[5]) for entry in used}
    if sum(abs(entry[7] or entry[8]) for entry in used) < leg[6]:
        parts.add(MAIN)
    return parts.pop() if len(parts) == 1 else None


def _part(origin: str) -> str:
    """The part of an origin; of a text that is none, which is a finding of its own, one by itself."""
    try:
        return part_of(origin)
    except msgspec.DecodeError:
        return origin


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)
