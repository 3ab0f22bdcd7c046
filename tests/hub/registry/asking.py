"""Commands that configure, with whatever a test does not care about filled in."""

from typing import Any

from hub.access import Role
from hub.currencies import ExpiryKind, RateConsent
from hub.institutions import Kind
from hub.ledger import commands
from hub.ledger.commands import MoneyText
from tests.conftest import Hub


def institution(hub: Hub, **changes: Any) -> commands.CreateInstitution:
    usual = {
        "code": "BANK",
        "name": "Bank",
        "kind": Kind.BANK,
        "parent": None,
        "zones": ("north",),
        "auto_enroll": True,
    }
    return commands.CreateInstitution(**{"actor": hub.admin, **usual, **changes})


def currency(hub: Hub, **changes: Any) -> commands.RegisterPointCurrency:
    usual: dict[str, Any] = {
        "code": "BP",
        "name": "Points",
        "issuer": "BANK",
        "scale": 2,
        "unit_value": MoneyText("0.000000000001", "CNY"),
        "expiry": ExpiryKind.NEVER,
        "expiry_months": None,
        "transferable": True,
        "cashable": False,
        "rate_consent": RateConsent.ISSUER,
        "adapter": "hosted",
    }
    return commands.RegisterPointCurrency(**{"actor": hub.admin, **usual, **changes})


def credential(hub: Hub, *roles: Role, of: str = "BANK", **changes: Any) -> commands.CreateCredential:
    usual = {"institution": of, "person": "Li", "label": "l", "expires_at": None, "secret_hash": "00"}
    return commands.CreateCredential(**{"actor": hub.admin, "roles": roles, **usual, **changes})
