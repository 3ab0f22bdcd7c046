"""Acceptances and disputes, as they are decided. Nothing is stored: what the rows give is told by hand."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hub.acceptance.disputes import (
    LINES_MAX,
    REFERENCES_MAX,
    Dispute,
    DisputeOutcome,
    DisputeReason,
    DisputeStatus,
    ReportLine,
    Statement,
)
from hub.acceptance.reports import DAYS, Standing, standing
from hub.access import Credential, Role
from hub.errors import (
    DisputeTooLate,
    Duplicate,
    Forbidden,
    InvalidAmount,
    InvalidInput,
    NotFound,
    Refusal,
    ReportAccepted,
    SameApprover,
)
from hub.ledger import commands
from hub.ledger.acceptances import accepted
from hub.ledger.applying import apply
from hub.ledger.book import Book
from hub.ledger.decide import HANDLERS
from hub.ledger.draft import Draft
from hub.ledger.records import Account, AccountKind, Net, Purpose, WindowStatus
from hub.revocations import RevocationReason
from tests.hub.ledger.books import AIR, BANK, CLOSED, CNY, GROUP, HUB, OPEN, STORE, book
from tests.hub.test_rates import NOW

BANKS, TRADER, GROUPS, AIRS, STORES, FIRST, SECOND, AUDITOR = range(11, 19)
LINE, FEE = (7_000, 1), (7_000, 2)
SAID = Statement("We never saw this act.", ("ticket 4711",))


def world(days_ago: int = DAYS - 1) -> Book:
    """A window that closed so many days ago, in which BANK owes AIR 5 CNY, and AIR a fee of 2 to the operator."""
    made = book((AIR, 0))
    roles = {
        BANKS: (BANK, Role.INSTITUTION_ADMIN), TRADER: (BANK, Role.INSTITUTION_TRADER),
        GROUPS: (GROUP, Role.INSTITUTION_ADMIN), AIRS: (AIR, Role.INSTITUTION_ADMIN),
        STORES: (STORE, Role.INSTITUTION_ADMIN), FIRST: (HUB, Role.OPERATOR_ADMIN), SECOND: (HUB, Role.OPERATOR_ADMIN),
        AUDITOR: (HUB, Role.OPERATOR_AUDITOR),
    }  # fmt: skip
    for id, (home, role) in roles.items():
        person = Credential(id, home, f"person {id}", "l", (role,), "hash", NOW, None, None)
        made.configuration.credentials[id] = person
    made.configuration.institution_codes["HUB"] = HUB
    closed = {"closed_at": NOW - timedelta(days=days_ago), "closed_in": 500, "status": WindowStatus.CLOSED}
    made.windows[CLOSED] = msgspec.structs.replace(made.windows[CLOSED], **closed)
    made.nets[CLOSED] = [Net(CLOSED, of, "CNY", 0, 0, net * CNY) for of, net in ((BANK, -5), (AIR, 3), (HUB, 2))]
    for place, (payer, payee, amount, purpose) in {
        LINE: (BANK, AIR, 5, Purpose.SETTLEMENT), FEE: (AIR, HUB, 2, Purpose.FEE),
    }.items():  # fmt: skip
        made.disputed_lines[place] = ReportLine(
            movement=place[0], leg=place[1], window=CLOSED, payer=payer, payee=payee, currency="CNY",
            amount=amount * CNY, purpose=purpose,
        )  # fmt: skip
    return made


def do(made: Book, command: commands.Command) -> Any:
    """The result of a command, taken into the book."""
    draft: Draft = HANDLERS[type(command)](made, command)
    apply(made, draft)
    return draft.result


def refused(made: Book, command: commands.Command, by: type[Exception]) -> dict[str, str]:
    with pytest.raises(by) as caught:
        do(made, command)
    return caught.value.details if isinstance(caught.value, Refusal) else {}


def line(of: tuple[int, int] = LINE, **changes: Any) -> commands.DisputedLine:
    usual: dict[str, Any] = {
        "movement": of[0],
        "leg": of[1],
        "reason": DisputeReason.AMOUNT,
        "expected": "3",
        "said": SAID,
    }
    return commands.DisputedLine(**usual | changes)


def opening(*lines: commands.DisputedLine, **changes: Any) -> commands.OpenDisputes:
    usual: dict[str, Any] = {"actor": BANKS, "window": CLOSED, "institution": f"I{BANK}", "lines": lines or (line(),)}
    return commands.OpenDisputes(**usual | changes)


def answer(id: int, actor: int = AIRS, said: Statement = SAID) -> commands.AnswerDispute:
    return commands.AnswerDispute(actor=actor, id=id, said=said)


def proposal(id: int, outcome: DisputeOutcome = DisputeOutcome.UPHELD, **changes: Any) -> commands.ProposeDisputeEnd:
    usual: dict[str, Any] = {"actor": FIRST, "id": id, "outcome": outcome, "amount": None, "said": SAID}
    return commands.ProposeDisputeEnd(**usual | changes)


def approval(found: Dispute, actor: int = SECOND, **changes: Any) -> commands.ApproveDisputeEnd:
    return commands.ApproveDisputeEnd(**{"actor": actor, "id": found.id, "proposal": found.proposal} | changes)


def registering(actor: int = BANKS, of: int = BANK, kid: str = "k1") -> commands.RegisterAcceptanceKey:
    return commands.RegisterAcceptanceKey(actor=actor, institution=f"I{of}", kid=kid, x="x", proof="p")


def accepting(actor: int = BANKS, of: int = BANK, kid: str = "k1", window: int = CLOSED) -> commands.AcceptReport:
    return commands.AcceptReport(actor=actor, window=window, institution=f"I{of}", digest="d", kid=kid, jws="j")


def revoking(since: Any, actor: int = BANKS) -> commands.RevokeAcceptanceKey:
    return commands.RevokeAcceptanceKey(actor=actor, kid="k1", since=since, reason=RevocationReason.COMPROMISED)


def opened(made: Book, *lines: commands.DisputedLine, **changes: Any) -> Dispute:
    found: Dispute = do(made, opening(*lines, **changes))[0]
    return found


# --- keys and acceptances ---------------------------------------------------------------------------------------------


def test_a_key_is_registered_by_its_institution_alone_and_a_new_one_replaces_it() -> None:
    made = world()
    for actor in (FIRST, GROUPS, AIRS, TRADER, AUDITOR):
        refused(made, registering(actor), Forbidden)
    first = do(made, registering())
    refused(made, registering(), Duplicate)
    refused(made, registering(AIRS, AIR), Duplicate)  # no key is two institutions'
    second = do(made, registering(kid="k2"))
    keys = made.configuration.acceptance_keys
    assert (keys["k1"].is_current, keys["k2"].is_current, first.id < second.id) == (False, True, True)
    refused(made, registering(), Duplicate)  # nor does an old one come back


def test_a_key_is_revoked_for_what_is_kept_later_by_its_institution_or_the_operator() -> None:
    made = world()
    do(made, registering())
    for actor in (GROUPS, TRADER):
        refused(made, revoking(NOW, actor), Forbidden)
    refused(made, revoking(NOW, AIRS), NotFound)
    refused(made, revoking(NOW + timedelta(seconds=1)), InvalidInput)
    assert do(made, revoking(NOW - timedelta(hours=1), FIRST)).revoked_since == NOW - timedelta(hours=1)
    assert do(made, revoking(NOW)).revoked_since == NOW - timedelta(hours=1)  # never taken back
    assert do(made, revoking(NOW - timedelta(hours=2))).revoked_since == NOW - timedelta(hours=2)
    refused(made, accepting(), InvalidInput)


def test_a_report_is_accepted_once_with_the_current_key_of_its_institution() -> None:
    made = world()
    do(made, registering())
    do(made, registering(AIRS, AIR, "air"))
    for actor in (FIRST, GROUPS, AIRS, TRADER):
        refused(made, accepting(actor), Forbidden)
    for wrong in ("none", "air"):
        refused(made, accepting(kid=wrong), InvalidInput)
    refused(made, accepting(window=OPEN), InvalidInput)
    refused(made, accepting(window=7), NotFound)
    refused(made, accepting(STORES, STORE), NotFound)  # it has no net
    do(made, accepting())
    refused(made, accepting(), Duplicate)
    assert refused(made, opening(), ReportAccepted) == {"institution": "I3", "window": "1"}
    do(made, revoking(made.at))  # it was kept at the instant from which the key is not believed
    assert accepted(made, CLOSED, BANK) is None
    do(made, registering(kid="k3"))
    do(made, accepting(kid="k3"))
    assert accepted(made, CLOSED, BANK) is not None


def test_what_is_disputed_is_not_accepted_and_silence_accepts_after_the_deadline() -> None:
    made = world()
    do(made, registering())
    found = opened(made)
    refused(made, accepting(), InvalidInput)
    do(made, commands.WithdrawDispute(actor=BANKS, id=found.id, reason="found it"))
    one = do(made, accepting())
    until = NOW + timedelta(days=1)
    assert standing(one, False, until, NOW) is Standing.ACCEPTED
    assert standing(None, False, until, NOW) is Standing.AWAITED
    assert standing(None, True, until, until) is Standing.DISPUTED
    assert standing(None, False, until, until) is Standing.ACCEPTED_BY_SILENCE


def test_lines_are_disputed_until_the_deadline_of_the_terms_at_the_closing() -> None:
    refused(world(DAYS), opening(), DisputeTooLate)  # ten days after it closed, to the instant
    do(world(DAYS - 1), opening())
    longer, later = world(DAYS), world(DAYS)
    for made, batch in ((longer, 499), (later, 500)):
        made.next_id = batch << 20
        do(made, commands.SetDisputeDays(actor=FIRST, days=DAYS + 1))
        made.next_id = 1000 << 20
    do(longer, opening())
    refused(later, opening(), DisputeTooLate)  # set in the very batch that closed the window
    for wrong in (0, -1, 366):
        refused(longer, commands.SetDisputeDays(actor=FIRST, days=wrong), InvalidInput)
    refused(longer, commands.SetDisputeDays(actor=BANKS, days=3), Forbidden)


# --- disputes ---------------------------------------------------------------------------------------------------------


def test_only_a_party_of_a_line_disputes_it_and_once() -> None:
    made = world()
    for actor in (FIRST, GROUPS, AIRS, TRADER):
        refused(made, opening(actor=actor), Forbidden)
    refused(made, opening(line(FEE)), NotFound)  # of AIR and the operator
    refused(made, opening(line((7_000, 3))), NotFound)
    refused(made, opening(window=OPEN), InvalidInput)
    refused(made, opening(line(), line()), Duplicate)
    refused(made, opening(institution="I1", actor=FIRST), InvalidInput)  # the operator's own word is another
    assert made.disputes == {}
    found = opened(made)
    assert (found.expected, found.other, found.status) == (3 * CNY, AIR, DisputeStatus.OPEN)
    refused(made, opening(), Duplicate)
    other = opened(made, actor=AIRS, institution=f"I{AIR}")
    assert other.other == BANK
    do(made, commands.WithdrawDispute(actor=BANKS, id=found.id, reason="settled between us"))
    refused(made, opening(), Duplicate)  # withdrawn is final


@pytest.mark.parametrize(
    ("changes", "by"),
    [
        ({"expected": "-1"}, InvalidAmount),
        ({"expected": "0.0000001"}, InvalidAmount),
        ({"said": Statement(" ")}, InvalidInput),
        ({"said": Statement("x", ("",))}, InvalidInput),
        ({"said": Statement("x", ("r" * 201,))}, InvalidInput),
        ({"said": Statement("x", ("r",) * (REFERENCES_MAX + 1))}, InvalidInput),
        ({"said": Statement("our key is phk_abc")}, InvalidInput),
        ({"said": Statement("x", ("-----BEGIN PRIVATE KEY-----",))}, InvalidInput),
    ],
)
def test_what_is_said_is_evidence_and_no_secret(changes: dict[str, Any], by: type[Refusal]) -> None:
    made = world()
    refused(made, opening(line(**changes)), by)
    for lines in ((), (line(),) * (LINES_MAX + 1)):
        refused(made, opening(actor=BANKS, lines=lines), InvalidInput)


def test_the_other_side_or_the_operator_answers_and_both_add_evidence() -> None:
    made = world()
    found = opened(made)
    refused(made, answer(found.id, STORES), NotFound)
    for actor in (BANKS, AUDITOR):
        refused(made, answer(found.id, actor), Forbidden)
    note = {actor: commands.NoteDispute(actor=actor, id=found.id, said=SAID) for actor in (BANKS, AIRS, FIRST, STORES)}
    for actor in (BANKS, AIRS, FIRST):
        do(made, note[actor])
    refused(made, note[STORES], NotFound)
    refused(made, proposal(found.id), InvalidInput)  # nobody has answered
    assert do(made, answer(found.id)).status is DisputeStatus.ANSWERED
    refused(made, answer(found.id), InvalidInput)
    for actor in (FIRST, AIRS, GROUPS):
        refused(made, commands.WithdrawDispute(actor=actor, id=found.id, reason="r"), Forbidden)


def test_an_upheld_dispute_gives_back_by_two_persons_what_they_said_in_the_open_window() -> None:
    made = world()
    found = opened(made)
    do(made, answer(found.id, FIRST))
    for wrong in ("0", "-1", "5.000001"):
        refused(made, proposal(found.id, amount=wrong), InvalidAmount)
    refused(made, proposal(found.id, DisputeOutcome.REJECTED, amount="1"), InvalidInput)
    refused(made, proposal(found.id, DisputeOutcome.WITHDRAWN), InvalidInput)
    refused(made, proposal(found.id, actor=AIRS), Forbidden)
    before = do(made, proposal(found.id, DisputeOutcome.REJECTED))
    last = do(made, proposal(found.id, amount="2.000001"))
    refused(made, approval(last, FIRST), SameApprover)
    refused(made, approval(before), NotFound)
    refused(made, approval(last, AIRS), Forbidden)
    draft = HANDLERS[commands.ApproveDisputeEnd](made, approval(last))
    [(_, leg)] = draft.legs
    sides = (leg.debit.owner, leg.credit.owner, leg.amount, leg.purpose, leg.window)
    assert sides == (AIR, BANK, 2_000_001, Purpose.SETTLEMENT, OPEN)  # AIR gives back, beyond its cap of 0
    assert {key: change for key, change in draft.positions.items() if key[1] in (AIR, BANK, GROUP, HUB)} == {
        (OPEN, AIR, "CNY"): -2_000_001, (OPEN, BANK, "CNY"): 2_000_001, (OPEN, GROUP, "CNY"): 2_000_001,
        (OPEN, HUB, "CNY"): 0,
    }  # fmt: skip
    apply(made, draft)
    ended = made.disputes[found.id]
    assert (ended.status, ended.outcome) == (DisputeStatus.RESOLVED, DisputeOutcome.UPHELD)
    for late in (proposal(found.id), commands.NoteDispute(actor=BANKS, id=found.id, said=SAID)):
        refused(made, late, InvalidInput)
    refused(made, approval(last), NotFound)


def test_all_disputes_of_a_line_give_back_the_line_at_most() -> None:
    made = world()
    mine, theirs = opened(made), opened(made, actor=AIRS, institution=f"I{AIR}")
    for one in (mine, theirs):
        do(made, answer(one.id, FIRST))
    both = do(made, proposal(mine.id, amount="4")), do(made, proposal(theirs.id, amount="3"))
    do(made, approval(both[0]))
    assert refused(made, approval(both[1]), InvalidAmount) == {"amount": "3.00", "left": "1.00"}
    rest = do(made, proposal(theirs.id))  # 5 - 4
    assert do(made, approval(rest)).corrected == CNY


def test_a_rejected_or_withdrawn_dispute_posts_nothing() -> None:
    made = world()
    made.accounts[AccountKind.POSITION, AIR, "CNY"] = Account(1, AccountKind.POSITION, AIR, "CNY")
    found = opened(made)
    do(made, answer(found.id))
    said = do(made, proposal(found.id, DisputeOutcome.REJECTED))
    ended = do(made, approval(said))
    assert (ended.outcome, ended.corrected) == (DisputeOutcome.REJECTED, 0)
    refused(made, commands.WithdrawDispute(actor=BANKS, id=found.id, reason="r"), InvalidInput)
    other = opened(made, actor=AIRS, institution=f"I{AIR}")
    do(made, answer(other.id, BANKS))
    gone = do(made, proposal(other.id))
    ended = do(made, commands.WithdrawDispute(actor=AIRS, id=other.id, reason="r"))
    assert (ended.outcome, ended.proposal) == (DisputeOutcome.WITHDRAWN, None)
    refused(made, approval(gone), NotFound)
    assert made.accounts[AccountKind.POSITION, AIR, "CNY"].credits == 0
