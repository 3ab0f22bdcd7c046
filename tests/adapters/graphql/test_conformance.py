"""The suite that every adapter passes, against a real second hub: with a journal, and with holds instead."""

import pytest

from adapters.conformance.suite import PartnerConformance
from tests.adapters.graphql.conftest import Other, OtherHarness


class TestMoving(PartnerConformance):
    @pytest.fixture
    def harness(self, other: Other) -> OtherHarness:
        return OtherHarness(other, {})


class TestHolding(PartnerConformance):
    @pytest.fixture
    def harness(self, other: Other) -> OtherHarness:
        return OtherHarness(other, {"holds": True})
