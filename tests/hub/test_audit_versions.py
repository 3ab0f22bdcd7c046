"""What the audit makes of each step of a version's life, and of every step that there is not. Pure."""

from dataclasses import replace
from typing import Any

import pytest

from hub.access import Credential, Role
from hub.audit import versions
from hub.audit.findings import Findings
from hub.configuration import Change
from hub.registry import approvals
from hub.terms import Step
from hub.versions import Version, VersionStatus
from tests.hub.registry.test_approvals import ANN, BEN, NOW, PLAIN, TICK, person

SHOP = replace(person("Sue", institution=2), roles=(Role.INSTITUTION_ADMIN,))
PROPOSED = approvals.propose(PLAIN, ANN, (Step.MERCHANT, Step.OPERATOR), ())
ACCEPTED = approvals.accept(PROPOSED, SHOP, [Step.MERCHANT])
APPROVED = approvals.approve(ACCEPTED, BEN, NOW, (), operator=Step.OPERATOR)
ENDED = approvals.withdraw(APPROVED, ANN, "over")


def found(before: Version | None, after: Version, by: Credential | None) -> list[str]:
    findings = Findings()
    versions.check(findings, Change(1, "acceptance", after.id, "", 0), before, after, by)
    return [one.code for one in findings.all()]


def test_the_steps_that_there_are_follow() -> None:
    steps: list[tuple[Version | None, Version, Credential]] = [
        (None, PROPOSED, ANN),
        (PROPOSED, ACCEPTED, SHOP),
        (ACCEPTED, APPROVED, BEN),
        (APPROVED, ENDED, ANN),
        (PROPOSED, approvals.reject(PROPOSED, SHOP, "dear"), SHOP),
    ]
    assert [found(*step) for step in steps] == [[]] * 5


@pytest.mark.parametrize(
    ("before", "after", "by", "changes"),
    [
        (None, PROPOSED, BEN, {}),  # in another's name
        (None, PROPOSED, None, {}),
        (None, APPROVED, BEN, {}),  # never proposed
        (None, PROPOSED, ANN, {"awaiting": ()}),
        (PROPOSED, ACCEPTED, BEN, {}),
        (PROPOSED, ACCEPTED, SHOP, {"awaiting": PROPOSED.awaiting}),
        (PROPOSED, ACCEPTED, SHOP, {"version": 9}),  # the terms themselves
        (ACCEPTED, APPROVED, ANN, {"decided_by": "Ann"}),  # by who proposed it
        (ACCEPTED, APPROVED, SHOP, {"decided_by": "Sue"}),  # not for the operator
        (ACCEPTED, APPROVED, BEN, {"decided_by": "Ann"}),
        (ACCEPTED, APPROVED, BEN, {"starts": None}),
        (replace(ACCEPTED, starts=NOW), APPROVED, BEN, {"starts": NOW + TICK}),
        (PROPOSED, APPROVED, BEN, {"accepted_by": ()}),  # without the merchant's consent
        (ACCEPTED, APPROVED, BEN, {"accepted_by": ("Eve",)}),
        (APPROVED, ENDED, ANN, {"reason": None}),
        (APPROVED, ENDED, BEN, {}),
        (PROPOSED, ENDED, ANN, {}),  # withdrawn before it was approved
        (ENDED, APPROVED, BEN, {}),  # back to life
    ],
)
def test_every_other_step_is_found(
    before: Version | None, after: Version, by: Credential | None, changes: dict[str, Any]
) -> None:
    assert found(before, replace(after, **changes), by) == ["VERSION"]


def test_an_end_is_final() -> None:
    for status in VersionStatus:
        assert found(ENDED, replace(ENDED, status=status), ANN) == ["VERSION"]
