"""Taken: what some batches of the journal hold that events are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.acceptance.disputes import Dispute, DisputeStep
from hub.acceptance.reports import Acceptance
from hub.configuration import Change
from hub.ledger.records import Conversion, Hold, Movement, Net, Obligation, Window
from hub.prepaid import Notice
from hub.rates import Rate
from hub.webhooks.breaks import Turn


@dataclass(frozen=True, slots=True)
class Taken:
    """What some batches hold that events are made of. ``holds``: those that their movements ended or reversed, and
    ``originals``: acts that they reversed, both by identifier; ``conversions``: by identifier, also those reversed."""

    times: Mapping[int, datetime]
    movements: Sequence[Movement]
    holds: Mapping[int, Hold]
    originals: Mapping[int, Movement]
    conversions: Mapping[int, Conversion]
    changed: Sequence[tuple[int, Conversion]]  # with the batch that left it in another state than completed
    waiting: Sequence[tuple[int, Movement, str]]  # the same of other acts over partners, and PENDING, REFUSED, IN_DOUBT
    changes: Sequence[tuple[Change, Rate]]
    closed: Sequence[tuple[int, Window]]  # with the batch
    settled: Sequence[tuple[int, Window]]
    nets: Mapping[int, Sequence[Net]]
    obligations: Mapping[int, Sequence[Obligation]]
    breaks: Sequence[Turn]
    acceptances: Sequence[Acceptance] = ()
    disputed: Sequence[tuple[DisputeStep, Dispute]] = ()
    low: Sequence[Notice] = ()
