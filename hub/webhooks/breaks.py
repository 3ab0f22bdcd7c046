"""Turns of breaks: when a reconciliation's break opened or came back, and when it ended, with what was wrong then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hub import tables
from hub.ledger import break_rows
from hub.ledger.journal import JOURNAL_ID
from hub.reconciliation.breaks import ENDED_AS, UNENDED, Break, BreakStatus, BreakStep, Figures, StepKind

_step = tables.break_step.c
_SHOWN: Final = (StepKind.FOUND, StepKind.CHANGED)


@dataclass(frozen=True, slots=True)
class Turn:
    """A break that opened, or ended, by the step with the identifier ``step``."""

    step: int
    broken: Break
    status: BreakStatus
    figures: Figures

    @property
    def is_open(self) -> bool:
        """Whether it opened."""
        return self.status in UNENDED


async def taken(connection: AsyncConnection, first: int, end: int) -> list[Turn]:
    """The turns from the identifier ``first`` to before ``end``."""
    told = select(_step.break_id).where(_step.journal_id == JOURNAL_ID, _step.id >= first, _step.id < end)
    steps = await break_rows.steps(connection, and_(_step.break_id.in_(told), _step.id < end))
    if not steps:
        return []
    named = {step.of for step in steps}
    breaks = await break_rows.breaks(connection, tables.reconciliation_break.c.id.in_(named))
    return [turn for turn in turns(steps, {one.id: one for one in breaks}) if turn.step >= first]


def turns(steps: Iterable[BreakStep], breaks: Mapping[int, Break]) -> list[Turn]:
    """Where breaks turn, by all of their steps in order: what is open and found again with other figures does not."""
    figures: dict[int, Figures] = {}
    ended: set[int] = set()
    made: list[Turn] = []
    for step in steps:
        if step.kind in _SHOWN and step.figures is not None:
            opens = step.of not in figures or step.of in ended
            figures[step.of] = step.figures
            ended.discard(step.of)
            status = BreakStatus.OPEN if opens else None
        elif step.kind is StepKind.MATCHED:
            status = BreakStatus.MATCHED_LATER
        elif step.kind is StepKind.APPROVED and step.ending is not None:
            status = ENDED_AS[step.ending]
        else:
            continue
        if status is None:
            continue
        if status not in UNENDED:
            ended.add(step.of)
        made.append(Turn(step.id, breaks[step.of], status, figures[step.of]))
    return made
