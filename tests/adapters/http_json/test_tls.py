"""TLS is verified, against the authority that the configuration names, and our own certificate is shown."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from pydantic import ValidationError

from adapters.tls import Tls
from hub.partners import Answer, Status
from tests.adapters.http_json.bank import Bank, connected, order
from tests.adapters.http_json.certificates import Holder, holder, server_context
from tests.adapters.http_json.server import Server, serving


@pytest.fixture(scope="module")
def authority() -> Holder:
    return holder("authority")


@pytest.fixture(scope="module")
def ours(authority: Holder) -> Holder:
    return holder("hub", authority)


@pytest.fixture
async def bank_with_tls(bank: Bank, authority: Holder, tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(bank, server_context(holder("bank", authority), tmp_path)) as running:
        yield running


@pytest.fixture
async def bank_that_asks(bank: Bank, authority: Holder, tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(bank, server_context(holder("bank", authority), tmp_path, clients=authority)) as running:
        yield running


async def asked(server: Server, **tls: Any) -> Answer:
    partner = connected(server, tls=tls)
    try:
        return await partner.perform(order())
    finally:
        await partner.close()


async def test_a_partner_whose_authority_is_named_is_spoken_to(bank_with_tls: Server, authority: Holder) -> None:
    assert (await asked(bank_with_tls, authority=authority.pem)).status is Status.SUCCEEDED


async def test_a_partner_for_whom_nobody_vouches_is_told_nothing(bank_with_tls: Server, bank: Bank) -> None:
    for tls in ({}, {"authority": holder("another").pem}):
        answer = await asked(bank_with_tls, **tls)
        assert (answer.status, "CERTIFICATE_VERIFY_FAILED" in str(answer.message)) == (Status.ABSENT, True)
    assert (bank.orders, bank_with_tls.requests) == ({}, [])


async def test_a_partner_with_anothers_certificate_is_told_nothing(
    bank: Bank, authority: Holder, tmp_path: Path
) -> None:
    elsewhere = holder("bank", authority, host="bank.example")
    async with serving(bank, server_context(elsewhere, tmp_path)) as running:
        answer = await asked(running, authority=authority.pem)
    assert (answer.status, "Hostname mismatch" in str(answer.message)) == (Status.ABSENT, True)
    assert bank.orders == {}


async def test_our_certificate_is_shown_to_whoever_asks(
    bank_that_asks: Server, bank: Bank, authority: Holder, ours: Holder
) -> None:
    tls = {"authority": authority.pem}
    assert (await asked(bank_that_asks, **tls)).status in (Status.UNKNOWN, Status.ABSENT)
    assert bank.orders == {}
    known = await asked(bank_that_asks, **tls, certificate=ours.pem, key=ours.key_pem)
    assert known.status is Status.SUCCEEDED


def encrypted(of: Holder) -> str:
    return of.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")).decode()


def test_what_is_no_certificate_or_no_key_is_refused_without_repeating_it(authority: Holder, ours: Holder) -> None:
    wrong = [
        {"authority": "no certificate"},
        {"certificate": ours.pem},
        {"key": ours.key_pem},
        {"certificate": ours.pem, "key": authority.key_pem},
        {"certificate": ours.pem, "key": "no key at all"},
        {"certificate": ours.pem, "key": encrypted(ours)},
        {"certificate": "none", "key": ours.key_pem},
    ]
    for one in wrong:
        with pytest.raises(ValidationError) as refused:
            Tls.model_validate(one)
        told = str(refused.value.errors(include_input=False))
        assert "no key at all" not in told
        assert ours.key_pem[30:60] not in told


def test_old_protocols_are_not_spoken() -> None:
    made = Tls().context()
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (made.verify_mode, made.check_hostname) == (ssl.CERT_REQUIRED, True)
