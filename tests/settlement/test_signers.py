"""Who is believed: the hub's keys of now and before, and those that the operator has put beside them."""

from pathlib import Path

import pytest

from settlement import signing
from settlement.publish import Keys
from settlement.signers import Signers

TYP = "something+jws"


def test_the_hubs_own_keys_and_those_beside_them_are_believed_and_nobody_else(tmp_path: Path) -> None:
    signers = Signers(Keys(tmp_path / "signing"), tmp_path / "certifiers")
    before = signers.keys.current()
    tokens = [before.sign(b"{}", TYP), signing.rotate(tmp_path / "signing").sign(b"{}", TYP)]
    other, stranger = signing.SigningKey.generate(), signing.SigningKey.generate()
    with pytest.raises(ValueError, match="None of the keys"):
        signers.verified(other.sign(b"{}", TYP))
    signing.publish(tmp_path / "certifiers", other)
    for key, token in zip((before, signers.keys.current(), other), (*tokens, other.sign(b"{}", TYP)), strict=True):
        found = signers.verified(token)
        assert (found.signer, found.type, found.payload) == (key.kid, TYP, b"{}")
    for token in (stranger.sign(b"{}", TYP), tokens[0][:-4] + "AAAA", "", "a.b.c"):
        with pytest.raises(ValueError, match="None of the keys"):
            signers.verified(token)
