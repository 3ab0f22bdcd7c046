"""Defaults as the rows make them: which nets two persons declared unpaid, who bears them, and what came back.

The waterfall is gone through again, over what the pots held and the nets came to at that moment; each movement's legs
are held against it.
"""

from dataclasses import dataclass, field
from typing import Any

from hub import ids
from hub.access import person_key
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.audit.payments import Payments
from hub.audit.positions import Positions
from hub.configuration import Configuration
from hub.defaults import DefaultStepKind
from hub.ledger.records import AccountKind, MovementKind, Purpose
from hub.money import minor_unit_millionths
from hub.waterfall import NotBorne, Share, Source, bear, make_good

_KINDS = {
    DefaultStepKind.DECLARED: MovementKind.UNPAID,
    DefaultStepKind.COLLATERAL: MovementKind.DRAW_COLLATERAL,
    DefaultStepKind.FUND: MovementKind.DRAW_FUND,
    DefaultStepKind.CUT: MovementKind.CUT,
    DefaultStepKind.REPAID: MovementKind.REPAY,
}
KINDS = frozenset(_KINDS.values())
_SOURCES = {
    MovementKind.DRAW_COLLATERAL: (Source.COLLATERAL,),
    MovementKind.DRAW_FUND: (Source.OWN_FUND, Source.FUND),
    MovementKind.CUT: (Source.CUT,),
}
_POTS = {
    Source.COLLATERAL: AccountKind.COLLATERAL,
    Source.OWN_FUND: AccountKind.FUND,
    Source.FUND: AccountKind.FUND,
    Source.CUT: AccountKind.SETTLEMENT,
}
_ADVANCED = "*"  # the operator's part in place of those who had been paid out before
_Moves = list[tuple[Key, Key, int]]


@dataclass(slots=True)
class _Default:
    """A default as its rows make it: what the debtor still owes, who is to bear it, and who has not got it back."""

    row: Any
    status: str = ""  # the last step that changed it
    owed: int = 0
    shares: list[Share] | None = None
    left: dict[Source, dict[str, int]] = field(default_factory=dict)
    posted: int = 0  # of what is to be borne


class Defaults:
    """Nets that were not paid, in the order of the journal."""

    def __init__(self, findings: Findings, accounts: Accounts, positions: Positions, payments: Payments) -> None:
        self._findings = findings
        self._accounts = accounts
        self._positions = positions
        self._payments = payments
        self._known: dict[int, _Default] = {}
        self._due: dict[int, Any] = {}  # steps by the movement that each posts
        self._begun: set[int] = set()  # of this batch, what somebody bears and nobody has finished
        self._payouts: dict[tuple[int, str], dict[str, int]] = {}  # by window and currency, what may still be cut

    def proposed(self, row: Any) -> None:
        """Take what one person proposed."""
        self._known[row["id"]] = _Default(row, "PROPOSED", row["amount"])

    def step(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take what was done about a default."""
        of, kind = self._known.get(row["default_id"]), row["kind"]
        before = {
            "REJECTED": ("PROPOSED",),
            "DECLARED": ("PROPOSED",),
            "REPAID": ("DECLARED", "COVERED"),
        }.get(kind, ("DECLARED",))
        if of is None or kind not in DefaultStepKind.__members__ or of.status not in before:
            self._findings.add("DEFAULT", f"{_name(row['default_id'])} was not where step {row['id']:x} finds it.")
            return
        if (row["movement_id"] is not None) != (kind in _KINDS):
            self._findings.add("DEFAULT", f"Step {row['id']:x} of {_name(of.row['id'])} posts what it should not.")
        if row["movement_id"] is not None:
            self._due[row["movement_id"]] = row
        if kind == "DECLARED":
            who = [configuration.credentials.get(one["credential_id"]) for one in (of.row, row)]
            if len({None if one is None else person_key(one.person) for one in who}) < len(who):
                self._findings.add("DEFAULT", f"{_name(of.row['id'])} was proposed and declared by one person.")
        elif kind == "COVERED":
            shares = self._shares(of, configuration)
            if of.posted != sum(share.amount for share in shares) or row["amount"] != of.owed:
                self._findings.add("DEFAULT", f"{_name(of.row['id'])} is not borne as the waterfall says.")
            self._begun.discard(of.row["id"])
            self._payments.borne(of.row["window_id"], batch)
        if kind in ("REJECTED", "DECLARED", "COVERED"):
            of.status = kind

    def check(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take a movement, and hold its legs against what its step posts."""
        step, name = self._due.pop(moved["id"], None), ids.text(ids.ENTRY, moved["id"])
        of = None if step is None else self._known.get(step["default_id"])
        if step is None or of is None or moved["kind"] != _KINDS[DefaultStepKind(step["kind"])]:
            self._findings.add("DEFAULT", f"{name} is of no step of a default.")
            return
        row, amount, kind = of.row, step["amount"], moved["kind"]
        stated = tuple(moved[part] for part in ("for_institution_id", "money", "value", "amount", "subject_id"))
        if stated != (row["institution_id"], row["currency"], amount, amount, row["id"]):
            self._findings.add("DEFAULT", f"{name} and {_name(row['id'])} say different things.")
        before = set(self._payments.due.get(row["window_id"], ()))  # who is not paid
        if kind == MovementKind.UNPAID:
            moves = self._unpaid(of, amount, batch, configuration)
        elif kind == MovementKind.REPAY:
            moves = self._repay(of, amount, configuration)
        else:
            moves = self._drawn(of, kind, before, configuration)
        key, window = self._accounts.key, row["window_id"]
        actual = [(key(leg[4]), key(leg[5]), leg[6]) for leg in legs]
        if actual != moves or any((leg[3], leg[9]) != (Purpose.DEFAULT, window) for leg in legs):
            self._findings.add("ACT_LEGS", f"The legs of {name} are not what the act posts.")
        pots = self._positions.pots
        for debit, credit, moving in moves:
            for side, sign in ((debit, -1), (credit, 1)):
                if side[0] not in (AccountKind.SETTLEMENT, AccountKind.BANK):
                    pots[side] += sign * moving

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for step in self._due.values():
            self._findings.add("DEFAULT", f"A step of {_name(step['default_id'])} has not posted what it should.")
        self._due.clear()
        for id in self._begun:
            self._findings.add("DEFAULT", f"{_name(id)} is borne, and was never said to be.")
        self._begun.clear()

    def _unpaid(self, of: _Default, amount: int, batch: Batch, configuration: Configuration) -> _Moves:
        node, currency = of.row["institution_id"], of.row["currency"]
        if amount != of.row["amount"]:
            self._findings.add("DEFAULT", f"{_name(of.row['id'])} was declared with another amount.")
        self._payments.unpaid(of.row["window_id"], node, currency, amount, batch, configuration)
        return [((int(AccountKind.RECEIVABLE), node, currency), (int(AccountKind.SETTLEMENT), node, currency), amount)]

    def _drawn(self, of: _Default, kind: int, unpaid: set[tuple[int, str]], configuration: Configuration) -> _Moves:
        """What the sources of one step give."""
        self._begun.add(of.row["id"])
        currency, moves = of.row["currency"], []
        codes = configuration.institution_codes
        for share in self._shares(of, configuration):
            if share.source not in _SOURCES[MovementKind(kind)]:
                continue
            node, left, bearer = codes[share.of], of.left.setdefault(share.source, {}), share.of
            of.posted += share.amount
            is_paid = share.source is Source.CUT and (node, currency) not in unpaid
            if is_paid:  # before, and the operator stands in for it
                bearer = configuration.institutions[operator_of(configuration)].code + _ADVANCED
            left[bearer] = left.get(bearer, 0) + share.amount
            if is_paid:
                continue
            if share.source is Source.CUT:
                self._payments.cut(of.row["window_id"], node, currency, share.amount, configuration)
            giving = (int(_POTS[share.source]), node, currency)
            moves.append((giving, (int(AccountKind.CLAIM), node, currency), share.amount))
        return moves

    def _repay(self, of: _Default, amount: int, configuration: Configuration) -> _Moves:
        node, currency = of.row["institution_id"], of.row["currency"]
        of.owed -= amount
        if of.owed < 0:
            self._findings.add("DEFAULT", f"More was paid of {_name(of.row['id'])} than was owed.")
        bank = (int(AccountKind.BANK), operator_of(configuration), currency)
        self._payments.bank(currency, -amount)
        self._payments.repaid(of.row["window_id"], node, currency, amount, configuration)
        moves: _Moves = [(bank, (int(AccountKind.RECEIVABLE), node, currency), amount)]
        shares, _ = make_good(amount, of.left, minor_unit_millionths(currency))
        for share in shares:
            of.left[share.source][share.of] -= share.amount
            if not share.of.endswith(_ADVANCED):
                owner = configuration.institution_codes[share.of]
                kind = AccountKind.RECOVERED if share.source is Source.CUT else _POTS[share.source]
                moves.append(((int(AccountKind.CLAIM), owner, currency), (int(kind), owner, currency), share.amount))
        return moves

    def _shares(self, of: _Default, configuration: Configuration) -> list[Share]:
        """Who is to bear a default, from what there was when the first of them did."""
        if of.shares is None:
            row, codes = of.row, {id: node.code for id, node in configuration.institutions.items()}
            currency, debtor = row["currency"], row["institution_id"]
            pots = self._positions.pots
            failing = {
                one.row["institution_id"]
                for one in self._known.values()
                if one.status in ("DECLARED", "COVERED") and one.owed and one.row["currency"] == currency
            } - {debtor}
            fund = {
                codes.get(owner, ""): amount
                for (kind, owner, money), amount in pots.items()
                if (kind, money) == (AccountKind.FUND, currency) and owner not in failing
            }
            place = (row["window_id"], currency)
            payouts = self._payouts.get(place)
            if payouts is None:
                found = self._payments.payouts(*place)
                payouts = self._payouts[place] = {codes.get(node, ""): net for node, net in found.items()}
            collateral = pots[int(AccountKind.COLLATERAL), debtor, currency]
            minor = minor_unit_millionths(currency)
            try:
                of.shares = bear(of.owed, codes.get(debtor, ""), collateral, fund, payouts, minor)
            except NotBorne:
                of.shares = []
                self._findings.add("DEFAULT", f"{_name(row['id'])} is more than all could bear.")
            for share in of.shares:
                if share.source is Source.CUT:
                    payouts[share.of] -= share.amount
        return of.shares


def _name(id: int) -> str:
    return ids.text(ids.DEFAULT, id)
