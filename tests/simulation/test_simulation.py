"""The ledger's core in hundreds of courses of events; see ``tests/simulation/history.py``.

``--seed N``, or SIMULATION_SEED=N, runs one; SIMULATION_SEEDS says how many there are. ``make simulate`` runs thousands
of others, as every change has to pass.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import pytest

from hub.ledger import ageing, draft, engine, holds, lapse, limiting, load, lot_rows, lots, parts, resolve, reversals
from hub.ledger.draft import Draft
from hub.ledger.lots import Lot
from hub.ledger.records import Phase, Piece
from hub.points import share
from tests.properties.world import TOGETHER
from tests.simulation import history
from tests.simulation.many import histories

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "500"))
MUTANT_SEEDS = 150  # in which a planted bug is to be found

# What so many histories are for, and what they must have met therefore.
WANTED = {
    *("Issue", "Transfer", "Redeem", "Convert", "RequestQuote", "ExecuteQuote", "Reverse"),
    *("HoldPoints", "CaptureHold", "ReleaseHold", "close", "sweep", "configured", "jump"),
    *("lost", "doubled", "again", "replay", "conflict", "unchanged"),
    *("killed Death.LOADED", "killed Death.DECIDED", "killed Death.COMMITTED"),
    *("INSUFFICIENT_POINTS", "LIMIT_EXCEEDED", "POINTS_EXPIRED", "HOLD_EXPIRED", "HOLD_RESOLVED", "EXCEEDS_HELD"),
    *("EXCEEDS_ORIGINAL", "ALREADY_REVERSED", "QUOTE_EXPIRED", "QUOTE_USED", "SUSPENDED", "TRANSFER_FORBIDDEN"),
    *("FreezePoints", "ResolveFreeze", "FreezeAccount", "UnfreezeAccount", "WriteOffDebt", "FREEZE_RESOLVED", "FROZEN"),
    *("ContributeToPool", "JoinPool", "SetPoolRights", "LeavePool", "NOT_A_MEMBER", "POOL_RIGHT_MISSING"),
    *TOGETHER,
}
RARE = {"POOL_RIGHT_MISSING"}  # met among thousands only


@pytest.mark.long
def test_no_course_of_events_breaks_the_ledger(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    seed = request.config.getoption("--seed", None) or os.environ.get("SIMULATION_SEED")
    if seed is not None:
        history.run(int(seed))
        return
    met, wrong = histories(0, SEEDS)
    requests = met["sent"] + met["doubled"]
    record_property("told", f"{SEEDS} histories, {requests} requests, {sum(met.values())} events: {len(wrong)} wrong")
    assert not wrong, "\n\n".join(wrong[:5])
    assert met.keys() >= WANTED - RARE or SEEDS < 500, WANTED - met.keys()


# --- planted bugs, each to be found -----------------------------------------------------------------------------------


def spent_from_the_end(lots_: Iterable[Lot], amount: int, at: datetime) -> tuple[Piece, ...]:
    """Takes what ends last first."""
    pieces = []
    for lot in sorted(lots_, key=lambda one: (one.expires_at, one.earned_at, one.id), reverse=True):
        part = min(amount, lot.free) if lot.expires_at > at else 0
        if part > 0:
            pieces.append(lot.piece(part))
            amount -= part
    return tuple(pieces)


def never_voided(points: Callable[..., None]) -> Callable[..., None]:
    """Ends no hold."""

    def mutated(self: Draft, *arguments: Any, **named: Any) -> None:
        if Phase.VOIDED not in (*arguments, *named.values()):
            points(self, *arguments, **named)

    return mutated


async def nothing_known(*_: Any) -> dict[Any, Any]:
    """Forgets what stands under keys."""
    return {}


def each_rounded(pieces: Sequence[Piece], whole: int, into: int) -> list[int]:
    """Rounds every share for itself."""
    return [share(piece.amount, whole, into) for piece in pieces]


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "points that end last are spent first": lambda m: m.setattr(draft, "take", spent_from_the_end),
    "a capture voids no hold": lambda m: m.setattr(Draft, "points", never_voided(Draft.points)),
    "keys are forgotten": lambda m: m.setattr(load, "_known", nothing_known),
    "keys are forgotten within a batch": lambda m: m.setattr(engine, "remember", lambda *_: None),
    "time does nothing": lambda m: m.setattr(lapse, "lapses", lambda _: iter(())),
    "each piece of a conversion is rounded": lambda m: m.setattr(ageing, "shared", each_rounded),
    "points come back in the order of use": lambda m: m.setattr(
        lots, "middle", lambda p, w, b, a, *, backwards, of=lots.middle: of(p, w, b, a, backwards=False)
    ),
    "held points whose lot ended go to anybody": lambda m: m.setattr(
        holds, "_usable", lambda book, held, of, pins, *, burned: (pins, held.amount)
    ),
    "headroom does not come back": lambda m: m.setattr(limiting, "give_back", lambda *_: None),
    "nothing is clipped": lambda m: m.setattr(limiting, "clip", lambda *of: of[-1]),
    "nothing repays a debt": lambda m: m.setattr(Draft, "_credited", lambda *_: None),
    "points leave frozen accounts": lambda m: m.setattr(resolve, "unfrozen", lambda _: None),
    "a pool forgets who gave": lambda m: m.setattr(
        parts, "placed", lambda p, a, part, at, giver=None, of=parts.placed: of(p, a, part, at)
    ),
    "who has left gets contributions back": lambda m: m.setattr(reversals, "_check_membership", lambda *_: None),
    "lots that spending may reach are not read": lambda m: m.setattr(lot_rows, "_spenders", lambda *_: {}),
}


def run_all(seeds: int) -> None:
    for seed in range(seeds):
        history.run(seed)


@pytest.mark.parametrize("bug", MUTANTS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variant in range(history.VARIANTS):
        history.founded(variant)  # before there is a bug
    MUTANTS[bug](monkeypatch)
    with pytest.raises(history.Found, match=r"--seed \d+"):  # which repeats it
        run_all(MUTANT_SEEDS)
