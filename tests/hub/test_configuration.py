"""The configuration as a value: its history's rows, and the next one made of the last."""

import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from hub.access import Credential, Role
from hub.configuration import Configuration, Noun, change, decode, with_changes
from hub.currencies import Expiry, ExpiryKind, PointCurrency, RateConsent
from hub.institutions import DebitCap, Institution, Kind, Placement, Status
from hub.limits import Act
from hub.rates import Funding, Step
from hub.versions import VersionStatus
from tests.hub.test_limits import LIMIT as ISSUED
from tests.hub.test_rates import NOW, bonus, rate

HUB = Institution(1, "HUB", "Hub", Kind.OPERATOR, Status.ACTIVE, None, (), (), True)
BANK = Institution(2, "BANK", "Bank 银行", Kind.BANK, Status.SUSPENDED, 1, (Placement(3, 1),), ("north", '"x"'), False)
KEY = Credential(3, 2, "Li", "key", (Role.INSTITUTION_TRADER, Role.INSTITUTION_AUDITOR), "ab", NOW, NOW, None)
POINTS = PointCurrency(
    4, "BP", "Points", 2, 6, 10**21, "CNY", Expiry(ExpiryKind.END_OF_YEAR, 2), True, False, RateConsent.ISSUER, "hosted"
)
OTHERS = replace(POINTS, id=5, code="AP")
TERMS = replace(
    rate(
        "18014398509481985:7",
        bonus(30, cap=5, funded_by=Funding.TARGET_ISSUER, starts=NOW),
        bonus(per_block=1, block=2),
    ),
    id=6,
    source=4,
    target=5,
    awaiting=(Step.OPERATOR,),
    accepted_by=("Li", "Wu"),
)
CAP = DebitCap(7, 2, "CNY", 10**18)
LIMIT = replace(ISSUED, id=9, family=9, currency=4, owner=2, institution=2, zone="Asia/Shanghai", notice_days=30)
LIFTED = replace(LIMIT, id=10, version=2, amount=None, starts=LIMIT.starts + timedelta(days=1))
NOUNS: list[Noun] = [HUB, BANK, KEY, POINTS, OTHERS, TERMS, CAP, replace(CAP, amount=None), LIMIT, LIFTED]


def test_every_noun_is_recorded_and_read_back_the_same() -> None:
    for number, noun in enumerate(NOUNS):
        row = change(number, noun, 3)
        assert decode(row) == noun
        assert (row.version, row.key, row.credential) == (number, noun.id, 3)
        assert change(number, decode(row), 3) == row  # the same text, so the journal's hash can be made again


def test_currencies_that_were_recorded_before_partners_had_connections_are_read() -> None:
    row = change(1, POINTS, 3)
    assert '"connection":""' in row.document
    old = replace(row, document=row.document.replace('"connection":"",', "").replace(',"connection":""', ""))
    assert "connection" not in old.document
    assert decode(old) == POINTS


def test_times_of_any_zone_are_read_back_as_the_same_instant() -> None:
    east = datetime(2025, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    found = decode(change(1, replace(KEY, expires_at=east), 1))
    assert isinstance(found, Credential)
    assert found.expires_at == datetime(2025, 1, 1, tzinfo=UTC)


def test_the_base_is_not_changed() -> None:
    base = with_changes(Configuration(), 1, [HUB, BANK, POINTS, OTHERS, TERMS, CAP, LIMIT])
    before = copy.deepcopy(base)
    with_changes(base, 2, [replace(BANK, parent=None), replace(TERMS, status=VersionStatus.WITHDRAWN), KEY, LIFTED])
    assert base == before


def test_only_approved_rates_are_indexed_for_their_pair() -> None:
    base = with_changes(Configuration(), 1, [POINTS, OTHERS, replace(TERMS, status=VersionStatus.PROPOSED)])
    assert base.versions_of(4, 5) == ()
    approved = with_changes(base, 2, [TERMS])
    assert approved.versions_of(4, 5) == (TERMS,)
    again = with_changes(approved, 3, [replace(TERMS, reason="edited")])
    assert [one.reason for one in again.versions_of(4, 5)] == ["edited"]
    for ending in (VersionStatus.WITHDRAWN, VersionStatus.REJECTED):
        assert with_changes(again, 4, [replace(TERMS, status=ending)]).approved == {}


def test_limits_are_found_by_act_and_currency_with_their_versions_by_start() -> None:
    first = replace(LIMIT, id=11, version=3, starts=LIMIT.starts - timedelta(days=1))
    other = replace(LIMIT, id=12, family=12, code="other")
    spent = replace(LIMIT, id=13, family=13, act=Act.REDEEM)
    found = with_changes(with_changes(Configuration(), 1, [LIMIT, spent, LIFTED]), 2, [first, other])
    assert found.limits_on(Act.ISSUE, 4) == [(first, LIMIT, LIFTED), (other,)]
    assert found.limits_on(Act.REDEEM, 4) == [(spent,)]
    assert found.limits_on(Act.REDEEM, 5) == found.limits_on(Act.TRANSFER, 4) == []
    assert found.limit_versions == {9: 9, 10: 9, 11: 9, 12: 12, 13: 13}


def test_a_moved_institution_is_its_new_parents_child() -> None:
    alliance = replace(BANK, id=8, code="ALLIANCE", parent=1)
    base = with_changes(Configuration(), 1, [HUB, BANK, alliance])
    assert base.children == {1: (2, 8)}
    assert with_changes(base, 2, [replace(BANK, parent=8)]).children == {1: (8,), 8: (2,)}


@given(
    st.lists(st.sampled_from([*NOUNS, replace(BANK, parent=None), replace(TERMS, status=VersionStatus.WITHDRAWN)])),
    st.data(),
)
def test_changes_in_steps_are_changes_at_once(nouns: list[Noun], data: st.DataObject) -> None:
    whole = with_changes(Configuration(), 9, nouns)
    stepwise, left = Configuration(), list(nouns)
    while left:
        count = data.draw(st.integers(1, len(left)))
        stepwise, left = with_changes(stepwise, 9, left[:count]), left[count:]
    assert replace(stepwise, version=9) == whole
