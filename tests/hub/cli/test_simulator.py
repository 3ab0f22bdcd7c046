"""``points-hub simulator``: its books and its secrets are kept, and it proves itself as it is told to."""

import signal
import ssl
from pathlib import Path

import httpx2
import pytest

from tests.adapters.http_json.certificates import holder
from tests.adapters.http_json.test_credentials import keys
from tests.hub.cli.here import Here
from tests.hub.cli.simulating import simulating


def test_what_a_killed_simulator_answered_is_in_its_books_and_its_secret_is_asked_for(tmp_path: Path) -> None:
    books = ("--data", str(tmp_path / "books.db"), "--unit", "STARS")
    order = {"operation": "DEBIT", "member": "M-1", "amount": "1", "unit": "STARS"}
    with simulating(tmp_path, *books, end=signal.SIGKILL) as url, httpx2.Client(base_url=url, trust_env=False) as http:
        http.post("/sandbox/members", json={"member": "M-1", "available": "70"})
        told = [http.post("/v1/orders", json={**order, "reference": f"PH-{n}"}).json() for n in range(20)]
    with (
        simulating(tmp_path, *books, "--authentication", "bearer", SIMULATOR_SECRET="s3cret") as url,
        httpx2.Client(base_url=url, trust_env=False) as http,
    ):
        assert http.get("/v1/orders/PH-1").status_code == 401
        http.headers["authorization"] = "Bearer s3cret"
        assert [http.get(f"/v1/orders/{one['reference']}").json() for one in told] == told
        assert http.get("/sandbox/members/M-1").json()["available"] == "50.00"  # 70 - 20


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nightly", "25:00"), "25:00"),
        (("--authentication", "hmac"), "needs a secret"),
        (("--authentication", "rfc9421"), "has keys"),
        (("--signing-key", __file__, "--client-key", __file__), "It is no private key"),
        (("--client-authority", __file__), "needs a certificate and its key"),
    ],
)
def test_a_simulator_that_cannot_be_is_said_so(here: Here, arguments: tuple[str, ...], said: str) -> None:
    done = here.run("simulator", "--port", "0", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_simulator_asks_for_signatures_and_certificates(tmp_path: Path) -> None:
    authority = holder("authority")
    partner, hub = holder("partner", authority, host="127.0.0.1"), holder("hub", authority)
    files = {"authority": authority.pem, "partner": partner.pem, "partner-key": partner.key_pem}
    files |= {"hub": hub.pem + hub.key_pem, "ours": keys("ed25519")[0], "theirs": keys("ed25519")[1]}
    for name, pem in files.items():
        (tmp_path / f"{name}.pem").write_text(pem)
    named = {"signing-key": "ours", "client-key": "theirs", "tls-certificate": "partner", "tls-key": "partner-key"}
    options = [
        word
        for option, name in {**named, "client-authority": "authority"}.items()
        for word in (f"--{option}", str(tmp_path / f"{name}.pem"))
    ]
    stranger, known = (ssl.create_default_context(cadata=authority.pem) for _ in range(2))
    stranger.check_hostname = known.check_hostname = False  # the certificate names no address
    known.load_cert_chain(tmp_path / "hub.pem")
    with simulating(tmp_path, "--authentication", "rfc9421", *options) as url:
        assert url.startswith("https://")
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"{url}/", verify=stranger, trust_env=False)
        with httpx2.Client(base_url=url, verify=known, trust_env=False) as http:
            assert http.get("/sandbox/state").json()["programme"]["authentication"] == "rfc9421"
            unsigned = http.get("/v1/orders/PH-1")
    assert (unsigned.status_code, "signature-input" in unsigned.headers) == (401, True)
