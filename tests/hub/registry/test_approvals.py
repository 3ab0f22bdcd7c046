"""Approvals: each step of a version's way into force, whatever its terms are. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from hub.access import Credential, Role
from hub.errors import InvalidInput, NotAccepted, RateOverlap, SameApprover
from hub.registry import approvals
from hub.versions import Version, VersionStatus

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


class Step(StrEnum):
    """Whose word is needed."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    OPERATOR = "OPERATOR"


def person(name: str, institution: int = 1) -> Credential:
    """A key of a person's."""
    return Credential(
        id=institution * 100 + len(name),
        institution=institution,
        person=name,
        label="",
        roles=(Role.OPERATOR_ADMIN,),
        secret_hash=name,
        created_at=NOW,
        expires_at=None,
        revoked_at=None,
    )


ANN, BEN = person("Ann"), person("Ben")
PLAIN = Version(id=7, starts=None, ends=None)


def proposed(*awaiting: Step, starts: datetime | None = None, ends: datetime | None = None) -> Version:
    """What Ann has proposed."""
    return approvals.propose(replace(PLAIN, starts=starts, ends=ends), ANN, (*awaiting, Step.OPERATOR), ())


def test_a_proposal_is_numbered_after_all_of_its_subject_and_names_who_made_it() -> None:
    others = [replace(PLAIN, version=4, status=VersionStatus.REJECTED), replace(PLAIN, version=2)]
    made = approvals.propose(PLAIN, ANN, (Step.OPERATOR,), others)
    assert (made.version, made.status, made.awaiting) == (5, VersionStatus.PROPOSED, (Step.OPERATOR,))
    assert (made.proposed_by, made.proposed_by_credential, made.proposed_by_institution) == ("Ann", 103, 1)


def test_dates_are_neither_past_nor_the_wrong_way_round() -> None:
    approvals.check_dates(None, None, NOW)
    approvals.check_dates(NOW, NOW + TICK, NOW)
    for starts, ends in ((NOW - TICK, None), (None, NOW), (NOW + TICK, NOW + TICK)):
        with pytest.raises(InvalidInput):
            approvals.check_dates(starts, ends, NOW)


def test_consent_is_given_once_and_only_by_those_whom_it_awaits() -> None:
    once = approvals.accept(proposed(Step.BUYER, Step.SELLER), BEN, [Step.SELLER])
    assert (once.awaiting, once.accepted_by) == ((Step.BUYER, Step.OPERATOR), ("Ben",))
    with pytest.raises(InvalidInput):
        approvals.accept(once, BEN, [Step.SELLER])
    with pytest.raises(InvalidInput):
        approvals.accept(replace(once, status=VersionStatus.REJECTED), BEN, [Step.BUYER])


def test_approval_takes_another_person_and_all_consent() -> None:
    with pytest.raises(NotAccepted) as missing:
        approvals.approve(proposed(Step.BUYER), BEN, NOW, (), operator=Step.OPERATOR)
    assert missing.value.details == {"awaiting": "BUYER"}
    with pytest.raises(SameApprover):
        approvals.approve(proposed(), ANN, NOW, (), operator=Step.OPERATOR)
    for namesake in (person("Ann", institution=2), person("ANN", institution=2)):
        with pytest.raises(SameApprover):  # the record could not tell that they are two
            approvals.approve(proposed(), namesake, NOW, (), operator=Step.OPERATOR)
    done = approvals.approve(proposed(), BEN, NOW, (), operator=Step.OPERATOR)
    assert (done.status, done.starts, done.awaiting, done.decided_by) == (VersionStatus.APPROVED, NOW, (), "Ben")
    with pytest.raises(InvalidInput):
        approvals.approve(done, BEN, NOW, (), operator=Step.OPERATOR)


def test_two_approved_versions_never_start_at_one_instant() -> None:
    first = approvals.approve(proposed(), BEN, NOW, (), operator=Step.OPERATOR)
    second = approvals.approve(proposed(), BEN, NOW, (first,), operator=Step.OPERATOR)
    assert second.starts == NOW + TICK  # nobody named its start, so it makes way
    with pytest.raises(RateOverlap):
        approvals.approve(proposed(starts=NOW), BEN, NOW, (first,), operator=Step.OPERATOR)


def test_a_start_or_an_end_that_has_passed_before_approval_is_refused() -> None:
    with pytest.raises(InvalidInput):
        approvals.approve(proposed(starts=NOW - TICK), BEN, NOW, (), operator=Step.OPERATOR)
    with pytest.raises(InvalidInput):
        approvals.approve(proposed(ends=NOW), BEN, NOW, (), operator=Step.OPERATOR)


def test_a_version_is_rejected_before_its_approval_and_withdrawn_after_it() -> None:
    done = approvals.approve(proposed(), BEN, NOW, (), operator=Step.OPERATOR)
    rejected = approvals.reject(proposed(), BEN, "no")
    withdrawn = approvals.withdraw(done, ANN, "over")
    assert (rejected.status, rejected.decided_by, rejected.reason) == (VersionStatus.REJECTED, "Ben", "no")
    assert (withdrawn.status, withdrawn.decided_by, withdrawn.starts) == (VersionStatus.WITHDRAWN, "Ann", NOW)
    for end, version in ((approvals.reject, done), (approvals.withdraw, proposed()), (approvals.withdraw, withdrawn)):
        with pytest.raises(InvalidInput):
            end(version, ANN, "no")
    with pytest.raises(InvalidInput):
        approvals.reject(proposed(), ANN, " ")
