"""Who may do what."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.access import Credential, Right, Role, hash_secret, new_secret, person_key, require
from hub.errors import Forbidden, Unauthenticated
from tests.hub.test_institutions import TREE

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(microseconds=1)
OPERATOR, ALLIANCE, BANK, BRANCH, TELECOM = 1, 2, 3, 4, 5


def key(*roles: Role, of: int = BANK, expires: datetime | None = None, revoked: datetime | None = None) -> Credential:
    return Credential(9, of, "p", "l", roles, "", NOW, expires, revoked)


def passes(credential: Credential | None, right: Right, institution: int, *, exact: bool = False) -> bool:
    try:
        require(credential, right, TREE, institution, NOW, exact=exact)
    except Forbidden:
        return False
    return True


# By role: what its holder at BANK may do for BANK.
@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.INSTITUTION_ADMIN, {Right.CONFIGURE, Right.VOUCH, Right.READ}),
        (Role.INSTITUTION_TRADER, {Right.TRADE, Right.VOUCH, Right.READ}),
        (Role.INSTITUTION_AUDITOR, {Right.READ}),
    ],
)
def test_a_role_grants_its_rights_for_its_institution_and_those_below(role: Role, rights: set[Right]) -> None:
    for right in Right:
        for institution in (BANK, BRANCH):
            assert passes(key(role), right, institution) is (right in rights)
        for institution in (OPERATOR, ALLIANCE, TELECOM):
            assert not passes(key(role), right, institution)


def test_the_operators_administrator_may_do_everything_for_everybody() -> None:
    admin = key(Role.OPERATOR_ADMIN, of=OPERATOR)
    assert all(passes(admin, right, one) for right in Right for one in TREE)
    assert all(passes(admin, right, one, exact=True) for right in Right for one in TREE)


def test_the_operators_auditor_sees_everything_and_does_nothing() -> None:
    auditor = key(Role.OPERATOR_AUDITOR, of=OPERATOR)
    for right in Right:
        for institution in TREE:
            assert passes(auditor, right, institution) is (right is Right.READ)


def test_an_institutions_role_at_the_operator_operates_nothing() -> None:
    clerk = key(Role.INSTITUTION_ADMIN, Role.INSTITUTION_TRADER, of=OPERATOR)
    assert not any(passes(clerk, Right.OPERATE, one) for one in TREE)
    assert passes(clerk, Right.TRADE, BRANCH)  # it stands above everybody


def test_an_exact_right_does_not_reach_below() -> None:
    trader = key(Role.INSTITUTION_TRADER)
    assert passes(trader, Right.TRADE, BANK, exact=True)
    assert not passes(trader, Right.TRADE, BRANCH, exact=True)


@pytest.mark.parametrize(
    "dead",
    [
        None,
        key(Role.OPERATOR_ADMIN, of=OPERATOR, revoked=NOW),
        key(Role.OPERATOR_ADMIN, of=OPERATOR, expires=NOW),  # the instant of its expiry is over already
        key(Role.OPERATOR_ADMIN, of=OPERATOR, expires=LATER, revoked=LATER),
    ],
)
def test_a_key_that_is_not_live_is_no_key(dead: Credential | None) -> None:
    with pytest.raises(Unauthenticated):
        require(dead, Right.READ, TREE, OPERATOR, NOW)


def test_a_key_is_live_until_the_instant_of_its_expiry() -> None:
    assert key(expires=LATER).is_live(NOW)
    assert not key(expires=LATER).is_live(LATER)


def test_secrets_are_long_never_the_same_and_kept_as_their_hash() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(first) >= len("phk_") + 43  # 256 bits in base64
    # printf 'phk_x' | sha256sum
    assert hash_secret("phk_x") == "329119512be67dd1653106414e191df1faf4981cc793ca8adf259c38afb51cd2"


def test_persons_are_told_apart_by_more_than_capitals_and_the_width_of_characters() -> None:
    assert person_key("Zoë Lin") == person_key("zoë LIN") == person_key("\uff3aoë Lin")
    assert person_key("Zoë Lin") != person_key("Zoe Lin")
