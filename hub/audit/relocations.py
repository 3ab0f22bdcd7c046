"""Relocations: each goes from step to step as it may, by two persons, and moves what both sides had on record.

What is proved is that nothing moved while the balances were fixed; that the hub's side of each comparison is what its
legs make of the account; that every customer was moved once, with the amount on record; that nothing is left behind;
and that a currency's keeper changes by a relocation alone. Only relocations that are on their way are kept in full.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from hub import ids
from hub.access import person_key
from hub.audit.accounts import Accounts, Key, host_of
from hub.audit.act import Act, sums
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency, Relocating
from hub.expiry import NEVER, end_of
from hub.ledger.commands import Connection
from hub.ledger.opening import ENDED, OpeningLot, RelocationAct, RelocationStatus
from hub.ledger.records import AccountKind, MovementKind, Purpose

KINDS = frozenset({MovementKind.RELOCATE, MovementKind.RECOGNISE, MovementKind.DERECOGNISE})
Expected = tuple[Key, Key, int, int, int]  # debit, credit, amount, purpose, phase
_S, _A = RelocationStatus, RelocationAct
_CUSTOMER = int(AccountKind.CUSTOMER)
_STEPS = {
    _A.APPROVE: ({_S.PROPOSED}, _S.APPROVED),
    _A.FIX: ({_S.APPROVED}, _S.FIXED),
    _A.READ: ({_S.FIXED, _S.COMPARED}, _S.FIXED),
    _A.COMPARE: ({_S.FIXED}, _S.COMPARED),
    _A.ACCEPT: ({_S.COMPARED}, _S.COMPARED),
    _A.COMPLETE: ({_S.COMPARED}, _S.MOVING),
    _A.FINISH: ({_S.MOVING}, _S.DONE),
    _A.CANCEL: ({_S.PROPOSED, _S.APPROVED, _S.FIXED, _S.COMPARED}, _S.CANCELLED),
}
_FIGURES = ("round", "customers", "ours", "theirs", "differing", "digest")
_LOTS = msgspec.json.Decoder(tuple[OpeningLot, ...])


class Way:
    """What the rows so far make of a relocation. ``left``: by customer, what is on record in the last round and not
    moved yet; ``posted``: what was recognised, and what was taken off."""

    __slots__ = (
        *("accepted", "approved_by", "customers", "differing", "digest", "ended_at", "halts_at", "left", "less"),
        *("more", "moved", "ours", "posted", "round", "row", "status", "theirs"),
    )

    def __init__(self, row: Any) -> None:
        self.row = row
        self.status: RelocationStatus | None = None
        self.approved_by: int | None = None
        self.halts_at: Any = None
        self.ended_at: Any = None
        self.posted = [0, 0]
        self.moved = 0
        self.begin(0)

    def begin(self, number: int) -> None:
        """Begin a round."""
        self.round = number
        self.left: dict[int, Any] = {}
        self.customers = self.ours = self.theirs = self.differing = self.more = self.less = 0
        self.digest: str | None = None
        self.accepted: list[int] = []

    @property
    def comes_home(self) -> bool:
        """Whether the hub is to keep the balances."""
        return bool(self.row["adapter"] == HOSTED)

    @property
    def is_fixed(self) -> bool:
        """Whether no balance may change."""
        return self.status in (_S.FIXED, _S.COMPARED, _S.MOVING)

    @property
    def standing(self) -> tuple[Any, ...]:
        """As the table has it."""
        by = self.accepted[0] if self.accepted else None
        counts = (self.customers, self.ours, self.theirs, self.differing, self.more, self.less)
        return (
            *(self.status, self.approved_by, self.round, *counts, self.digest),
            *(by, len(self.accepted) > 1, self.moved, self.ended_at),
        )


class Relocations:
    """All relocations, by identifier."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self.ways: dict[int, Way] = {}
        self._fixed: dict[str, Way] = {}  # by currency
        self._kept: dict[str, Way] = {}  # that ended in this batch, by currency

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch."""
        self._kept = {}
        for row in batch.rows.get("relocation", ()):
            self.ways[row["id"]] = Way(row)

    def expected(self, act: Act, of: PointCurrency) -> list[Expected]:
        """What a movement of a relocation posts."""
        moved = act.moved
        partner, issuance = _of(AccountKind.PARTNER, of), _of(AccountKind.ISSUANCE, of)
        match moved["kind"]:
            case MovementKind.RECOGNISE:
                sides = issuance, partner
            case MovementKind.DERECOGNISE:
                sides = partner, issuance
            case _ if moved["to_customer_id"] is None:
                sides = (_CUSTOMER, moved["from_customer_id"], of.code), partner
            case _:
                sides = partner, (_CUSTOMER, moved["to_customer_id"], of.code)
        return [(*sides, moved["amount"], int(Purpose.POINTS), 1)]

    def check(self, act: Act) -> None:
        """Take a movement: one of a relocation's, or another, which touches no account whose balance is fixed."""
        moved = act.moved
        if moved["kind"] not in KINDS:
            if self._fixed:
                self._check_fixed(act)
            return
        way = self.ways.get(moved["subject_id"])
        host = host_of(act.configuration)
        if way is None or way.status is not _S.MOVING or way.row["currency"] != moved["currency"]:
            self._findings.add("RELOCATION", f"{act.name} is of a relocation that was not on its way.")
        elif moved["credential_id"] != host:
            self._findings.add("RELOCATION", f"{act.name} was not made by the hub itself.")
        elif moved["kind"] == MovementKind.RELOCATE:
            self._move(act, way)
        else:
            way.posted[moved["kind"] == MovementKind.DERECOGNISE] += moved["amount"]

    def _check_fixed(self, act: Act) -> None:
        for leg in act.legs:
            for account in (leg[4], leg[5]):
                kind, _, currency = self._accounts.key(account)
                if kind == _CUSTOMER and currency in self._fixed:
                    self._findings.add("RELOCATION_FIXED", f"{act.name} changes a balance that was fixed.")
                    return

    def _move(self, act: Act, way: Way) -> None:
        moved = act.moved
        row = way.left.pop(moved["to_customer_id" if way.comes_home else "from_customer_id"], None)
        due = None if row is None else row["theirs" if way.comes_home else "ours"]
        if moved["amount"] != due:
            self._findings.add("RELOCATION", f"{act.name} moves what is not on record, or was moved before.")
        elif way.comes_home and not _fits(act, row):
            self._findings.add("LOT_LIFE", f"{act.name} gives points another life than the partner told.")
        way.moved += moved["amount"]

    def balance(self, row: Any) -> None:
        """Take what was put on record of a customer."""
        way = self.ways.get(row["relocation_id"])
        if way is None or way.status is not _S.FIXED or row["round"] != way.round:
            self._findings.add(
                "OPENING_BALANCE", f"A balance is on record of {_name(row['relocation_id'])} out of turn."
            )
            return
        account = self._accounts.by_id.get(self._accounts.find(_CUSTOMER, row["customer_id"], way.row["currency"]))
        held = 0 if account is None else account.credits - account.debits
        if row["ours"] != held:
            self._findings.add(
                "OPENING_BALANCE", f"{_name(way.row['id'])} has {row['ours']} on record where the account has {held}."
            )
        way.left[row["customer_id"]] = row
        way.customers += 1
        way.ours += row["ours"]
        way.theirs += row["theirs"]
        if not way.comes_home and row["ours"] != row["theirs"]:
            way.differing += 1
            way.more += max(0, row["theirs"] - row["ours"])
            way.less += max(0, row["ours"] - row["theirs"])

    def step(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take the next step of a relocation."""
        way, name = self.ways.get(row["relocation_id"]), _name(row["relocation_id"])
        act = RelocationAct(row["act"]) if row["act"] in RelocationAct.__members__ else None
        if way is None or act is None:
            self._findings.add("RELOCATION_STEP", f"{name} takes a step that there is not.")
            return
        if act is _A.READ:
            way.begin(way.round + 1)
            way.digest = row["digest"]
        before, after = ({None}, _S.PROPOSED) if act is _A.PROPOSE else _STEPS[act]
        if way.status not in before or not self._may(way, act, row, configuration):
            self._findings.add("RELOCATION_STEP", f"{name} comes to {row['act']} in a way that there is not.")
        if any(row[figure] != getattr(way, figure) for figure in _FIGURES):
            self._findings.add("RELOCATION_STEP", f"{name} says at {row['act']} other figures than are on record.")
        way.status = after
        self._take(way, act, row, batch)

    def _may(self, way: Way, act: RelocationAct, row: Any, configuration: Configuration) -> bool:
        """Whether a step has the persons, and the end, that it needs."""
        match act:
            case _A.PROPOSE:
                return bool(row["credential_id"] == way.row["credential_id"])
            case _A.APPROVE:
                return _are_two([way.row["credential_id"], row["credential_id"]], configuration)
            case _A.ACCEPT if way.accepted:
                return len(way.accepted) == 1 and _are_two([*way.accepted, row["credential_id"]], configuration)
            case _A.COMPLETE:
                return not way.differing or len(way.accepted) == 2
            case _A.FINISH:
                return self._is_whole(way, configuration)
        return True

    def _is_whole(self, way: Way, configuration: Configuration) -> bool:
        side, of = "theirs" if way.comes_home else "ours", configuration.currency(way.row["currency"])
        number = 0 if of is None else self._accounts.find(AccountKind.PARTNER, of.issuer, of.code)
        account = self._accounts.by_id.get(number)
        left = 0 if account is None or not way.comes_home else account.credits - account.debits
        recognised = way.comes_home or way.posted == [way.more, way.less]
        return recognised and not left and not any(row[side] for row in way.left.values())

    def _take(self, way: Way, act: RelocationAct, row: Any, batch: Batch) -> None:
        currency = way.row["currency"]
        match act:
            case _A.APPROVE:
                way.approved_by = row["credential_id"]
                way.halts_at = batch.at and max(way.row["starts_at"], batch.at)
            case _A.FIX:
                self._fixed[currency] = way
            case _A.ACCEPT:
                way.accepted.append(row["credential_id"])
            case _:
                pass
        if way.status in ENDED:
            way.left, way.ended_at = {}, batch.at
            self._fixed.pop(currency, None)
            self._kept[currency] = way

    def configured(self, before: PointCurrency | None, after: PointCurrency) -> None:
        """Take a change of a currency: its keeper, and whether it is on its way to another."""
        ended = self._kept.get(after.code)
        finished = ended is not None and ended.status is _S.DONE
        keeper = _keeper(ended.row) if finished and ended is not None else None
        if before is not None and before.adapter != after.adapter and keeper != (after.adapter, after.connection):
            self._findings.add("RELOCATION_KEEPER", f"{after.code} changed its keeper without a relocation.")
        ways = [one for one in self.ways.values() if one.row["currency"] == after.code and one.status not in ENDED]
        due = next((Relocating(one.row["id"], one.halts_at, one.is_fixed) for one in ways), None)
        if after.relocation != due:
            self._findings.add("RELOCATION_KEEPER", f"{after.code} is configured otherwise than its relocation stands.")

    def compare(self, rows: Iterable[Any]) -> None:
        """Compare the table with what its steps make of it."""
        standing: dict[int, tuple[Any, ...]] = {int(id): tuple(told) for id, *told in rows}
        for id in {*standing, *self.ways}:
            way = self.ways.get(id)
            if way is None or standing.get(id) != way.standing:
                self._findings.add("RELOCATION_STANDING", f"{_name(id)} does not stand as its steps say.")


def _fits(act: Act, row: Any) -> bool:
    """Whether the lots that a customer gets are the partner's, or those of the currency's policy."""
    of, at = act.configuration.currency(act.moved["currency"]), act.at
    if of is None or at is None:
        return True
    try:
        told = _LOTS.decode(row["lots"]) if row["lots"] else (OpeningLot(row["theirs"]),)
    except msgspec.DecodeError:
        return False
    due: dict[Any, int] = {}
    for lot in told:
        ends = lot.expires_at or end_of(of.expiry, of.time_zone, lot.earned_at or at)
        due[ends] = due.get(ends, 0) + lot.units
    given: dict[Any, int] = {}
    for (ends, _), units in sums(act.given()).items():
        given[ends] = given.get(ends, 0) + units
    given[NEVER] = given.get(NEVER, 0) + act.moved["amount"] - sum(given.values())
    return {ends: units for ends, units in due.items() if units} == {ends: n for ends, n in given.items() if n}


def _keeper(row: Any) -> tuple[str, str] | None:
    """Who is to keep the balances, and the configuration by which it is reached."""
    try:
        told = msgspec.json.decode(row["connection"], type=Connection) if row["connection"] else None
    except msgspec.MsgspecError:
        return None
    return row["adapter"], "" if told is None else told.sealed


def _are_two(credentials: list[int], configuration: Configuration) -> bool:
    people = [configuration.credentials.get(one) for one in credentials]
    return None not in people and len({person_key(one.person) for one in people if one is not None}) == len(people)


def _of(kind: AccountKind, of: PointCurrency) -> Key:
    return int(kind), of.issuer, of.code


def _name(relocation: int) -> str:
    return ids.text(ids.RELOCATION, relocation)
