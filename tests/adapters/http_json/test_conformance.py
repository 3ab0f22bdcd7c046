"""The adapter passes the suite by configuration alone, over each proof of who calls; in full over the strongest: HTTP
message signatures in both directions, on a line where both sides show certificates."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.conformance.check import Verdict, run
from adapters.conformance.checks import CHECKS
from adapters.conformance.settings import FileHarness, TrialSettings
from adapters.conformance.suite import PartnerConformance
from adapters.conformance.trial import Harness
from adapters.http_json import kind
from adapters.http_json.configuration import Configuration
from adapters.simulator.authentication import Authentication, Scheme
from adapters.simulator.serving import Tls
from adapters.simulator.signatures import KEY_ID, Signatures
from adapters.tls import Tls as TheirTls
from hub.partners import Status
from tests.adapters.conftest import Playing, playing
from tests.adapters.http_json.bank import order
from tests.adapters.http_json.certificates import Holder, holder
from tests.adapters.http_json.test_credentials import keys
from tests.adapters.http_json.test_guide import example

SECRET = "the secret that both know"
OURS, THEIRS = "ecdsa-p256-sha256", "ed25519"  # the algorithms of our requests and of their answers
SIGNED = {"scheme": "rfc9421", "algorithm": OURS, "keyId": "points-hub", "key": keys(OURS)[0]}
PROVEN = {"scheme": "rfc9421", "algorithm": THEIRS, "keyId": KEY_ID, "key": keys(THEIRS)[1]}
FEW = ("does-debit-or-refuses-it", "finds-members", "survives-error-500")


def configured(url: str, **more: Any) -> dict[str, Any]:
    """The guide's example, for a simulator."""
    told = {**example(), "baseUrl": url, "allowPlainHttp": True, "answersWithinS": 2, "callbacks": None, **more}
    return {**told, "partial": ["CAPTURE", "RELEASE", "REVERSE"]}


@asynccontextmanager
async def simulator(folder: Path, authority: Holder) -> AsyncIterator[Playing]:
    """A partner that knows us by our signature and our certificate, and proves itself by its own."""
    for name, holding in (("partner", holder("partner", authority)), ("authority", authority)):
        (folder / f"{name}.pem").write_text(holding.pem)
        (folder / f"{name}-key.pem").write_text(holding.key_pem)
    signatures = Signatures(keys(THEIRS)[0].encode(), keys(OURS)[1].encode(), "points-hub")
    us = shown(holder("hub", authority), authority)
    async with playing(
        authentication=Authentication(Scheme.RFC9421, signatures=signatures),
        tls=Tls(folder / "partner.pem", folder / "partner-key.pem", folder / "authority.pem"),
        trust=TheirTls.model_validate(us).context(),
    ) as made:
        yield made


def shown(ours: Holder, authority: Holder) -> dict[str, str]:
    """Our certificate, and whom we trust, as configurations name them."""
    return {"authority": authority.pem, "certificate": ours.pem, "key": ours.key_pem}


@pytest.fixture(scope="module")
def authority() -> Holder:
    return holder("authority")


@pytest.fixture(scope="module")
async def strict(tmp_path_factory: pytest.TempPathFactory, authority: Holder) -> AsyncIterator[Playing]:
    async with simulator(tmp_path_factory.mktemp("strict"), authority) as made:
        yield made


@pytest.fixture(scope="module")
def us(authority: Holder) -> dict[str, str]:
    return shown(holder("hub", authority), authority)


class TestStrongest(PartnerConformance):
    @pytest.fixture
    def harness(self, strict: Playing, us: dict[str, str]) -> Harness:
        told = configured(strict.url, auth=SIGNED, verifyAnswers=PROVEN, tls=us)
        trial = {"configuration": told, "sandbox": strict.url, "address": "baseUrl", "tls": us}
        return FileHarness(kind, TrialSettings.model_validate(trial))


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        (Scheme.NONE, {"scheme": "none"}),
        (Scheme.BEARER, {"scheme": "bearer", "token": SECRET}),
        (Scheme.HMAC, {"scheme": "hmac", "key": SECRET}),
        (Scheme.OAUTH2, {"scheme": "oauth2", "clientId": "points-hub", "clientSecret": SECRET}),
    ],
)
async def test_each_proof_is_accepted_and_no_other(scheme: Scheme, auth: dict[str, str]) -> None:
    async with playing(authentication=Authentication(scheme, SECRET)) as made:
        more = {"tokenUrl": f"{made.url}/oauth/token"} if scheme is Scheme.OAUTH2 else {}
        trial = {"configuration": configured(made.url, auth={**auth, **more}), "sandbox": made.url}
        harness = FileHarness(kind, TrialSettings.model_validate({**trial, "address": "baseUrl"}))
        for check in CHECKS:
            if check.name in FEW:
                assert (await run(check, harness)).verdict is Verdict.PASSED, check.name
        if scheme is not Scheme.NONE:
            wrong = {name: "another" if value == SECRET else value for name, value in {**auth, **more}.items()}
            assert await told(made, auth=wrong) == (Status.ABSENT if scheme is Scheme.OAUTH2 else Status.UNKNOWN, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"auth": {"scheme": "none"}},
        {"auth": {**SIGNED, "keyId": "another"}},
        {"auth": {**SIGNED, "algorithm": THEIRS, "key": keys(THEIRS)[0]}},
        {"auth": {**SIGNED, "components": ["@method", "@path"]}},
    ],
    ids=["unsigned", "of another name", "by another key", "over less"],
)
async def test_a_request_that_is_not_signed_as_agreed_stops(
    strict: Playing, us: dict[str, str], changes: dict[str, Any]
) -> None:
    assert await told(strict, tls=us, **changes) == (Status.UNKNOWN, True)
    assert await told(strict, tls=us, auth=SIGNED) == (Status.REFUSED, False)


async def test_who_shows_no_certificate_or_another_s_is_not_spoken_to(
    strict: Playing, us: dict[str, str], authority: Holder
) -> None:
    stranger = shown(holder("stranger", holder("others")), authority)
    for tls in (stranger, {"authority": authority.pem}):
        status, _ = await told(strict, tls=tls, auth=SIGNED)
        assert status in (Status.UNKNOWN, Status.ABSENT)
    assert await told(strict, tls={**us, "authority": holder("others").pem}, auth=SIGNED) == (Status.ABSENT, False)


async def test_an_answer_by_another_key_is_not_believed(strict: Playing, us: dict[str, str]) -> None:
    other = {**PROVEN, "algorithm": OURS, "key": keys(OURS)[1]}
    assert await told(strict, tls=us, auth=SIGNED, verifyAnswers=other) == (Status.UNKNOWN, False)
    assert await told(strict, tls=us, auth=SIGNED, verifyAnswers=PROVEN) == (Status.REFUSED, False)


async def told(simulator: Playing, **more: Any) -> tuple[Status, bool]:
    """What an order of nobody's is answered, and whether it stops the partner."""
    partner = kind.connect(Configuration.model_validate(configured(simulator.url, **more)))
    try:
        answer = await partner.perform(order(f"PH-{next(simulator.numbers)}", member="NOBODY"))
        return answer.status, answer.halts
    finally:
        await partner.close()
