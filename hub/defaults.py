"""Defaults: nets that were not paid, and who bears them.

A default is one net of one window that two persons have declared unpaid after it was due. From then on the pay-outs of
its currency in that window wait; once every pay-in has come or is declared unpaid too, the loss is borne by the
waterfall (``hub.waterfall``), and the pay-outs go on. The debtor goes on owing all of it.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from hub.waterfall import Source


class DefaultStatus(StrEnum):
    """The life of a default."""

    PROPOSED = "PROPOSED"
    REJECTED = "REJECTED"
    DECLARED = "DECLARED"
    COVERED = "COVERED"
    REPAID = "REPAID"


class DefaultStepKind(StrEnum):
    """What was done about a default."""

    PROPOSED = "PROPOSED"
    REJECTED = "REJECTED"
    DECLARED = "DECLARED"
    COLLATERAL = "COLLATERAL"
    FUND = "FUND"
    CUT = "CUT"
    COVERED = "COVERED"
    REPAID = "REPAID"


class Borne(msgspec.Struct, frozen=True):
    """What one institution bears of a default out of one source, and what it has got back; millionths. ``advanced``: it
    is the operator's, in place of somebody who had been paid out before."""

    source: Source
    institution: int
    amount: int
    repaid: int = 0
    advanced: bool = False

    @property
    def left(self) -> int:
        """What it has not got back."""
        return self.amount - self.repaid


def ordered(borne: Iterable[Borne]) -> tuple[Borne, ...]:
    """In the order in which sources bear, the operator's part in place of others last."""
    order = list(Source)
    return tuple(sorted(borne, key=lambda one: (order.index(one.source), one.advanced, one.institution)))


class DefaultStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its row. ``amount``: what it is about, in millionths. ``at`` is known of what is read."""

    id: int
    of: int
    kind: DefaultStepKind
    credential: int
    amount: int
    value_date: str | None = None
    reference: str | None = None
    movement: int | None = None
    at: datetime | None = None


class Default(msgspec.Struct, frozen=True, kw_only=True):
    """``amount``: the net, above zero; ``repaid``: what of it the debtor has paid since; millionths."""

    id: int
    at: datetime
    credential: int
    window: int
    institution: int
    currency: str
    amount: int
    status: DefaultStatus = DefaultStatus.PROPOSED
    repaid: int = 0
    borne: tuple[Borne, ...] = ()
    references: tuple[str, ...] = ()  # of what was repaid

    @property
    def outstanding(self) -> int:
        """What the debtor still owes of it."""
        return self.amount - self.repaid

    @property
    def is_standing(self) -> bool:
        """Whether it was declared, and so the bank moves nothing for the net itself."""
        return self.status in (DefaultStatus.DECLARED, DefaultStatus.COVERED, DefaultStatus.REPAID)
