"""Prepaid blocks: each was offered and taken by its two sides, every grant drew what it had to out of the blocks bought
first, what was taken back went to the very blocks, and whoever was to be told that little is left was told once.

What a block has left is worked out again from its steps and from the grants themselves, not from what these say that
they drew.
"""

from datetime import datetime
from typing import Any

import msgspec

from hub import ids
from hub.audit.accounts import Accounts, Key
from hub.audit.act import Act
from hub.audit.entries import Batch
from hub.audit.findings import Findings
from hub.configuration import Configuration
from hub.currencies import HOSTED, PointCurrency
from hub.expiry import NEVER
from hub.ledger.journal import JOURNAL_ID
from hub.ledger.records import AccountKind, MovementKind, Phase, Purpose
from hub.prepaid import Block, BlockStatus, StepKind, draw, refund, returned
from hub.terms import nearest

KINDS = frozenset({MovementKind.PREPAY, MovementKind.PREPAY_REFUND})
_STANDING = f"""
SELECT id, status, sold_id, drawn, refunded, proposal_id FROM prepaid_block WHERE journal_id = {JOURNAL_ID}
"""

_Stock = tuple[int, str]  # holder, currency


class Prepaid:
    """Blocks in the order of the ledger, all of them: they are bought by the thousand points."""

    def __init__(self, findings: Findings, accounts: Accounts) -> None:
        self._findings = findings
        self._accounts = accounts
        self._blocks: dict[int, Block] = {}
        self._of: dict[_Stock, set[int]] = {}
        self._proposed: dict[int, Any] = {}  # by block, the step that stands
        self._notices: dict[_Stock, tuple[int | None, bool]] = {}  # the threshold, and whether it was low
        self._draws: dict[int, list[Any]] = {}  # of the batch, by movement
        self._due: dict[int, tuple[Any, Block, int, int]] = {}  # by movement: the step, the block, units and value
        self._crossed: list[tuple[_Stock, int, bool, int]] = []  # with the movement, and what has to be told

    def begin(self, batch: Batch) -> None:
        """Take the rows of a batch that belong to its movements."""
        self._draws = {}
        for row in batch.rows.get("prepaid_draw", ()):
            self._draws.setdefault(row["movement_id"], []).append(row)

    def drawn(self, movement: int) -> int:
        """What a movement says that it drew."""
        return sum(row["units"] for row in self._draws.get(movement, ()) if row["units"] > 0)

    def offer(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take a block that is offered."""
        of, by = configuration.currency(row["currency"]), configuration.credentials.get(row["credential_id"])
        holder, until = row["holder_id"], row["valid_until"]
        is_over = until is not None and batch.at is not None and until <= batch.at
        is_one = of is not None and holder in configuration.institutions and holder != of.issuer
        if not is_one or is_over or row["units"] <= 0 or row["value"] <= 0:
            self._findings.add("PREPAID_BLOCK", f"{_name(row['id'])} is of nothing that there is.")
        elif by is None or of is None or by.institution != of.issuer:
            self._findings.add("PREPAID_BLOCK", f"{_name(row['id'])} was not offered by its issuer.")
        self._blocks[row["id"]] = Block(
            id=row["id"],
            at=batch.at or NEVER,
            credential=row["credential_id"],
            holder=holder,
            currency=row["currency"],
            units=row["units"],
            money=row["money"],
            value=row["value"],
            until=until,
        )
        self._of.setdefault((holder, row["currency"]), set()).add(row["id"])

    def step(self, row: Any, batch: Batch, configuration: Configuration) -> None:
        """Take the next step of a block's way."""
        block, kind = self._blocks.get(row["block_id"]), row["kind"]
        if block is None or kind not in StepKind.__members__:
            self._findings.add("PREPAID_STEP", f"Step {row['id']:x} is of a block or a kind that there is not.")
            return
        of, by = configuration.currency(block.currency), configuration.credentials.get(row["credential_id"])
        sides = {block.holder} if of is None else {block.holder, of.issuer}
        side = None if by is None else by.institution
        proposed = self._proposed.get(block.id)
        match StepKind(kind):
            case StepKind.SOLD:
                fits = block.status is BlockStatus.OFFERED and side == block.holder
                fits = fits and self._may_buy(block, of, batch, configuration)
                block = msgspec.structs.replace(block, status=BlockStatus.SOLD, sold=row["movement_id"])
                fits = fits and self._post(row, block, block.units, block.value)
            case StepKind.DECLINED:
                fits = block.status is BlockStatus.OFFERED and side in sides
                block = msgspec.structs.replace(block, status=BlockStatus.DECLINED)
            case StepKind.REFUND_PROPOSED:
                asked = row["units"]
                fits = side in sides and 0 < (block.left if asked is None else asked) <= block.left
                self._proposed[block.id] = row
                block = msgspec.structs.replace(block, proposal=row["id"])
            case StepKind.REFUND_DECLINED:
                fits = proposed is not None and side in sides
                self._proposed.pop(block.id, None)
                block = msgspec.structs.replace(block, proposal=None)
            case StepKind.REFUNDED:
                fits = self._agreed(row, proposed, block, sides, side, configuration)
                value = refund(block, row["units"] or 0)
                self._proposed.pop(block.id, None)
                block = msgspec.structs.replace(block, refunded=block.refunded + (row["units"] or 0), proposal=None)
                fits = self._post(row, block, row["units"] or 0, value) and fits
        self._blocks[block.id] = block
        if not fits:
            self._findings.add("PREPAID_STEP", f"{_name(block.id)} goes on in a way that there is not.")

    def _may_buy(self, block: Block, of: PointCurrency | None, batch: Batch, configuration: Configuration) -> bool:
        """Whether grants by the holder's own terms could draw on a block when it was sold."""
        if of is None or batch.at is None or (block.until is not None and block.until <= batch.at):
            return False
        by_node = configuration.grants.get(of.id, {})
        terms = nearest(by_node, configuration.institutions, block.holder, batch.at)
        return terms is not None and terms.node == block.holder

    def _agreed(
        self, row: Any, proposed: Any, block: Block, sides: set[int], side: int | None, configuration: Configuration
    ) -> bool:
        """Whether what is handed back was proposed by one side, and accepted by the other."""
        if proposed is None or not row["units"] or row["units"] > block.left:
            return False
        by = configuration.credentials.get(proposed["credential_id"])
        other = sides - {None if by is None else by.institution}
        return other == {side} and row["units"] == (block.left if proposed["units"] is None else proposed["units"])

    def _post(self, row: Any, block: Block, units: int, value: int) -> bool:
        if row["movement_id"] is not None:
            self._due[row["movement_id"]] = (row, block, units, value)
        return row["movement_id"] is not None

    def posted(self, moved: Any, legs: list[Any], batch: Batch, configuration: Configuration) -> None:
        """Take the movement of a sale, or of what was handed back."""
        name = ids.text(ids.ENTRY, moved["id"])
        if moved["id"] not in self._due:
            self._findings.add("PREPAID_STEP", f"{name} sells or hands back a block, and nobody has said so.")
            return
        row, block, units, value = self._due.pop(moved["id"])
        sold, of = row["kind"] == StepKind.SOLD, configuration.currency(block.currency)
        kind = MovementKind.PREPAY if sold else MovementKind.PREPAY_REFUND
        stated = (moved["kind"], moved["credential_id"], moved["for_institution_id"], moved["currency"])
        figures = (moved["amount"], moved["money"], moved["value"], moved["subject_id"])
        due = (kind, row["credential_id"], block.holder, block.currency)
        if stated != due or figures != (units, block.money, value, block.id):
            self._findings.add("PREPAID_FIGURES", f"{name} and {_name(block.id)} say different things.")
        sides: list[Key] = [(int(AccountKind.POSITION), block.holder, block.money)]
        sides.append((int(AccountKind.POSITION), 0 if of is None else of.issuer, block.money))
        debit, credit = sides if sold else reversed(sides)
        key = self._accounts.key
        actual = [(key(leg[4]), key(leg[5]), leg[6], leg[3], leg[2]) for leg in legs]
        if actual != ([(debit, credit, value, int(Purpose.SETTLEMENT), int(Phase.POSTED))] if value else []):
            self._findings.add("ACT_LEGS", f"The legs of {name} are not what the act posts.")
        self._cross((block.holder, block.currency), moved["id"], batch.at)

    def check(self, act: Act) -> None:
        """Hold what an act says that it drew, or brought back, against what it had to."""
        stated = [(row["block_id"], row["units"]) for row in self._draws.pop(act.moved["id"], ())]
        expected: list[tuple[int, int]] = []
        if act.moved["kind"] == MovementKind.ISSUE and not act.over_partners:
            expected = self._expected(act)
        elif act.moved["kind"] == MovementKind.REVERSE and act.original is not None:
            amount = act.original.movement["amount"]
            back = returned(act.original.draws, amount, act.before, act.after)
            expected = [(id, -units) for id, units in back]
        if stated != expected:
            self._findings.add("PREPAID_DRAW", f"{act.name} did not draw on the blocks, or bring back, what it had to.")
        stocks: set[_Stock] = set()
        for id, units in expected:
            if (block := self._blocks.get(id)) is not None:
                self._blocks[id] = msgspec.structs.replace(block, drawn=block.drawn + units)
                stocks.add((block.holder, block.currency))
        for stock in stocks:
            self._cross(stock, act.moved["id"], act.at)

    def _expected(self, act: Act) -> list[tuple[int, int]]:
        of = act.configuration.currency(act.moved["currency"])
        grantor, nodes = act.moved["for_institution_id"], act.configuration.institutions
        if of is None or act.at is None or grantor == of.issuer or of.adapter != HOSTED or grantor not in nodes:
            return []
        terms = nearest(act.configuration.grants.get(of.id, {}), nodes, grantor, act.at)
        if terms is None:
            return []
        found, missing = draw(self._stock((terms.node, of.code)), act.moved["amount"], act.at)
        if missing and terms.prepaid_only:
            self._findings.add("PREPAID_DRAW", f"{act.name} grants more than was prepaid, and its terms let nobody.")
        return [(block.id, units) for block, units in found]

    def _stock(self, stock: _Stock) -> list[Block]:
        return [self._blocks[id] for id in self._of.get(stock, ())]

    def _cross(self, stock: _Stock, movement: int, at: datetime | None) -> None:
        """Note what has to be told of a stock that a movement has changed."""
        threshold, low = self._notices.get(stock, (None, False))
        if threshold is None or at is None:
            return
        left = sum(one.usable(at) for one in self._stock(stock))
        if (left < threshold) is not low:
            self._crossed.append((stock, movement, not low, left))

    def notice(self, row: Any, batch: Batch) -> None:
        """Take what was told of a stock, or below which of it somebody wants to be told."""
        stock = (row["holder_id"], row["currency"])
        if row["movement_id"] is None:
            left = 0 if batch.at is None else sum(one.usable(batch.at) for one in self._stock(stock))
            low = row["threshold"] is not None and left < row["threshold"]
            fits = (row["units_left"], row["low"]) == (left, low)
        else:
            due = (stock, row["movement_id"], row["low"], row["units_left"])
            fits = due in self._crossed and row["threshold"] == self._notices.get(stock, (None, False))[0]
            self._crossed = [one for one in self._crossed if one != due]
        self._notices[stock] = (row["threshold"], row["low"])
        if not fits:
            self._findings.add("PREPAID_NOTICE", f"What was told of the stock {stock[1]} of {stock[0]:x} is not so.")

    def finish(self) -> None:
        """Find what a batch leaves over."""
        for row, block, *_ in self._due.values():
            self._findings.add("PREPAID_STEP", f"{_name(block.id)}: nothing was posted for step {row['id']:x}.")
        for movement in self._draws:
            self._findings.add("PREPAID_DRAW", f"{ids.text(ids.ENTRY, movement)} draws, and is no act.")
        for stock, movement, *_ in self._crossed:
            name = ids.text(ids.ENTRY, movement)
            self._findings.add("PREPAID_NOTICE", f"It was not told what {name} made of the stock {stock[1]}.")
        self._due, self._draws, self._crossed = {}, {}, []

    async def compare(self, driver: Any) -> None:
        """Find every block that does not stand as its steps and the grants say."""
        left = dict(self._blocks)
        async for id, *stated in driver.cursor(_STANDING, prefetch=1_000):
            found = left.pop(id, None)
            if found is None or stated != [found.status, found.sold, found.drawn, found.refunded, found.proposal]:
                self._findings.add("PREPAID_STANDING", f"{_name(id)} does not stand as its steps and the grants say.")
        for id in left:
            self._findings.add("PREPAID_STANDING", f"{_name(id)} is missing.")


def _name(id: int) -> str:
    return ids.text(ids.PREPAID_BLOCK, id)
