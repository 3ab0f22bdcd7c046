"""Cover as the rows make it: who agreed to its terms, and what was put up and taken back, by whom.

What it holds against acts is with the money legs, beside the caps.
"""

from typing import Any

from hub import ids
from hub.access import person_key
from hub.audit.accounts import Accounts, Key, operator_of
from hub.audit.findings import Findings
from hub.audit.payments import Payments
from hub.audit.positions import Positions
from hub.configuration import Change, Configuration
from hub.cover import NO_TERMS, EntryStatus, Pot, eases, reach
from hub.cover import Cover as Noun
from hub.ledger.cover import POTS
from hub.ledger.records import AccountKind, Purpose


class Cover:
    """Entries in the order of the journal; ``positions`` knows what is in each pot."""

    def __init__(self, findings: Findings, accounts: Accounts, positions: Positions, payments: Payments) -> None:
        self._findings = findings
        self._accounts = accounts
        self._positions = positions
        self._payments = payments
        self._open: dict[int, Any] = {}  # entries that nobody has decided on
        self._due: dict[int, Any] = {}  # by movement, the entry that it posts

    def terms(self, row: Change, after: Noun, before: Noun | None, configuration: Configuration) -> None:
        """Take the next change of somebody's terms, under the configuration before it."""
        node = configuration.institutions.get(after.institution)
        name = f"{node.code if node else after.institution} in {after.currency}"
        standing = NO_TERMS if before is None else before.terms
        if not eases(standing, after.terms):
            return
        by = configuration.credentials.get(row.credential)
        proposal = None if before is None else before.proposal
        if proposal is None or proposal.terms != after.terms:
            self._findings.add("COVER_CHANGE", f"The cover of {name} was eased without a proposal.")
        elif by is None or person_key(by.person) == person_key(proposal.person):
            self._findings.add("COVER_CHANGE", f"The cover of {name} was eased by one person.")

    def entry(self, row: Any) -> None:
        """Take what one person recorded."""
        if row["pot"] not in Pot.__members__:
            self._findings.add("COVER_ENTRY", f"{_name(row['id'])} is for nothing that there is.")
            return
        self._open[row["id"]] = row

    def decision(self, row: Any, configuration: Configuration) -> None:
        """Take what another person decided."""
        entry = self._open.pop(row["entry_id"], None)
        if entry is None:
            self._findings.add("COVER_ENTRY", f"{_name(row['entry_id'])} was decided on, and was not open.")
            return
        posted = row["status"] == EntryStatus.POSTED
        if posted is not (row["movement_id"] is not None) or (not posted and row["status"] != EntryStatus.REJECTED):
            self._findings.add("COVER_ENTRY", f"{_name(entry['id'])} does not say what became of it.")
        if posted:
            who = [configuration.credentials.get(one["credential_id"]) for one in (entry, row)]
            if len({None if one is None else person_key(one.person) for one in who}) < len(who):
                self._findings.add("COVER_ENTRY", f"{_name(entry['id'])} was recorded and approved by one person.")
        if row["movement_id"] is not None:
            self._due[row["movement_id"]] = entry

    def check(self, moved: Any, legs: list[Any], configuration: Configuration) -> None:
        """Take the movement that posts an entry, and hold what it leaves against what there has to be."""
        entry = self._due.pop(moved["id"], None)
        name = ids.text(ids.ENTRY, moved["id"])
        if entry is None:
            self._findings.add("COVER_ENTRY", f"{name} posts an entry that nobody has approved.")
            return
        node, currency, amount = entry["institution_id"], entry["currency"], entry["amount"]
        kind = POTS[Pot(entry["pot"])]
        pot: Key = (int(kind), node, currency)
        bank: Key = (int(AccountKind.BANK), operator_of(configuration), currency)
        sides = (bank, pot) if amount > 0 else (pot, bank)
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3], leg[9]) for leg in legs]
        if actual != [(*sides, abs(amount), int(Purpose.COVER), None)]:
            self._findings.add("ACT_LEGS", f"The legs of {name} are not what the act posts.")
        stated = (moved["for_institution_id"], moved["money"], moved["value"], moved["subject_id"])
        if stated != (node, currency, amount, entry["id"]):
            self._findings.add("COVER_ENTRY", f"{name} and {_name(entry['id'])} say different things.")
        positions = self._positions
        self._payments.bank(currency, -amount)
        positions.pots[pot] += amount
        cover = configuration.covers.get((node, currency))
        terms, left = NO_TERMS if cover is None else cover.terms, positions.pots[pot]
        short = left < (terms.fund if kind is AccountKind.FUND else 0)
        if kind is AccountKind.COLLATERAL and terms.needed:
            short = short or positions.exposure(node, currency) > reach(terms, left)
        if amount < 0 and short:
            self._findings.add("COVER", f"{name} leaves less than there had to be.")

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for entry in self._due.values():
            self._findings.add("COVER_ENTRY", f"{_name(entry['id'])} was approved, and nothing was posted.")
        self._due.clear()


def _name(id: int) -> str:
    return ids.text(ids.COVER_ENTRY, id)
