"""Prepaid blocks: points of a currency that an institution has bought of the issuer ahead, to grant them later. Pure.

A block is offered by the issuer and taken by its holder; what the holder, or anybody under its grant terms, grants then
draws on its blocks, the one bought first before the others. What comes back of a grant comes back to the very blocks
out of which it was drawn, the last one first. For each block: bought = drawn + handed back + left. Points are in
smallest units of their currency, money in millionths.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from hub.points import share


class BlockStatus(StrEnum):
    """The life of a block; only a SOLD one is drawn on."""

    OFFERED = "OFFERED"
    SOLD = "SOLD"
    DECLINED = "DECLINED"


class StepKind(StrEnum):
    """What is done about a block after it was offered."""

    SOLD = "SOLD"
    DECLINED = "DECLINED"
    REFUND_PROPOSED = "REFUND_PROPOSED"
    REFUND_DECLINED = "REFUND_DECLINED"
    REFUNDED = "REFUNDED"


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """``units`` of a ``currency`` for ``value`` of ``money`` in all. ``holder``: who has them. ``until``: the first
    instant at which nothing is drawn any more. ``sold``: the movement by which it was sold; ``drawn``: of the units,
    what was granted and has not come back; ``refunded``: what was handed back for money; ``proposal``: the step by
    which handing back is proposed."""

    id: int
    at: datetime
    credential: int
    holder: int
    currency: str
    units: int
    money: str
    value: int
    until: datetime | None
    status: BlockStatus = BlockStatus.OFFERED
    sold: int | None = None
    drawn: int = 0
    refunded: int = 0
    proposal: int | None = None

    @property
    def left(self) -> int:
        """What of it is neither drawn nor handed back."""
        return self.units - self.drawn - self.refunded if self.status is BlockStatus.SOLD else 0

    def usable(self, at: datetime) -> int:
        """What of it may be drawn at an instant."""
        return self.left if self.until is None or at < self.until else 0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a block's way. ``units``: how much is handed back, or is to be; ``movement``: what was posted."""

    id: int
    of: int
    kind: StepKind
    credential: int
    units: int | None = None
    movement: int | None = None


class Draw(msgspec.Struct, frozen=True):
    """What a movement drew out of a block (``units`` above zero), or brought back to it (below)."""

    movement: int
    place: int
    block: int
    units: int


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a holder's stock of a currency stands against the ``threshold`` below which it is told that it is low;
    None: it is told nothing. Each is a change: of the threshold, or of whether ``left`` is below it. ``movement``: what
    brought the stock across."""

    id: int
    credential: int
    holder: int
    currency: str
    threshold: int | None
    low: bool
    left: int
    movement: int | None


def draw(blocks: Iterable[Block], units: int, at: datetime) -> tuple[list[tuple[Block, int]], int]:
    """Out of which blocks ``units`` are drawn at an instant, the one that was sold first before the others, each with
    how much; and what they do not cover."""
    found: list[tuple[Block, int]] = []
    for block in sorted(blocks, key=lambda one: one.sold or 0):
        taken = min(units, block.usable(at))
        if taken:
            found.append((block, taken))
            units -= taken
    return found, units


def returned(draws: Sequence[Draw], amount: int, before: int, after: int) -> list[tuple[int, int]]:
    """What of an act's ``draws`` comes back when units ``before`` to ``after`` of its ``amount`` are taken back,
    counted from the end: first what was not drawn, then what was drawn last. By block."""
    found: list[tuple[int, int]] = []
    end = amount - sum(one.units for one in draws)  # what lies behind the draws
    for one in reversed(draws):
        begin, end = end, end + one.units
        units = min(after, end) - max(before, begin)
        if units > 0:
            found.append((one.block, units))
    return found


def billed(drawn: int, amount: int, before: int, after: int) -> tuple[int, int, int]:
    """What was billed of an act of ``amount`` units of which ``drawn`` were prepaid: which of that is taken back with
    units ``before`` to ``after``, and all of it, at least 1. What was billed comes back first, so that no unit is both
    paid back and put back."""
    whole = amount - drawn
    return min(before, whole), min(after, whole), max(whole, 1)


def refund(block: Block, units: int) -> int:
    """What is paid back for ``units`` more that are handed back: the price's part, rounded down over all that was
    handed back, so that handing back all gives back all."""
    after = block.refunded + units
    return share(after, block.units, block.value) - share(block.refunded, block.units, block.value)


class Liability(msgspec.Struct, frozen=True, kw_only=True):
    """What an issuer was paid ahead for blocks, and still owes points for (a contract liability, IFRS 15.106).
    ``received`` = ``refunded`` + ``recognised`` + ``lapsed`` + ``liability``, exactly."""

    received: int
    refunded: int
    recognised: int  # the points were granted, and are an obligation of their own from then on
    lapsed: int  # the blocks are over, and nothing is owed for what was left
    liability: int


def liability(block: Block, at: datetime) -> Liability:
    """A sold block's part in its issuer's books at an instant. What is left counts at the price's part rounded down;
    what was granted is the rest."""
    refunded = share(block.refunded, block.units, block.value)
    left = share(block.left, block.units, block.value)
    over = block.until is not None and block.until <= at
    return Liability(
        received=block.value,
        refunded=refunded,
        recognised=block.value - refunded - left,
        lapsed=left if over else 0,
        liability=0 if over else left,
    )
