"""The signing key, rotated from the command line."""

from settlement.signing import CURRENT, SigningKey, ensure, jwks
from tests.hub.cli.here import Here, says_why


def test_a_rotated_key_is_kept_for_verification(here: Here) -> None:
    signing = here.folder / "signing"
    old = ensure(signing)
    done = here.run("keys", "rotate")
    assert done.returncode == 0, done.stderr
    new = SigningKey.from_file(signing / CURRENT)
    assert {old.kid, new.kid} == {key["kid"] for key in jwks(signing)["keys"]}
    assert new.kid != old.kid
    assert old.kid in done.stdout
    assert new.kid in done.stdout


def test_a_key_that_is_not_in_the_folder_is_not_rotated(here: Here) -> None:
    says_why(here.run("keys", "rotate"), "There is no signing key")
    pem = SigningKey.generate().private_pem().decode()
    says_why(here.run("keys", "rotate", HUB_SIGNING_KEY=pem), "HUB_SIGNING_KEY")
