"""The demo's partners are ones that the hub can be told of."""

import json

import pytest

from adapters.http_json.configuration import Configuration
from hub.demo.network import KEPT_ELSEWHERE, Programme
from hub.demo.simulators import Partner, configuration
from hub.partners import Operation


@pytest.mark.parametrize("programme", KEPT_ELSEWHERE, ids=lambda each: each.code)
def test_the_adapter_takes_the_configuration(programme: Programme) -> None:
    partner = Partner(programme, "http://127.0.0.1:9000", "known to both")
    told = Configuration.model_validate_json(json.dumps(configuration(partner)))
    assert (told.unit, told.scale, told.settling) == (programme.code, programme.scale, programme.settling)
    assert set(told.orders[0].operations) == {Operation.DEBIT, Operation.CREDIT, Operation.REVERSE}


def test_a_partner_s_secret_is_its_own() -> None:
    one, other = (configuration(Partner(KEPT_ELSEWHERE[0], "http://127.0.0.1:9000", secret)) for secret in ("a", "b"))
    assert one["auth"] != other["auth"]
