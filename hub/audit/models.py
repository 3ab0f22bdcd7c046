"""Settlement models as the configuration's rows make them: a model's kind never changes, and nobody's money is in two.
How a version came into force is asked of all kinds of versions (``hub.audit.versions``)."""

from datetime import datetime

from hub.audit.findings import Findings
from hub.configuration import Configuration, with_changes
from hub.models import SettlementModel, contested


def check(findings: Findings, after: SettlementModel, configuration: Configuration, at: datetime | None) -> None:
    """Compare a change of a version at an instant with the configuration before it."""
    name = f"Version {after.version} of the settlement model {after.code}"
    if any(one.kind is not after.kind for one in configuration.model_versions.values() if one.code == after.code):
        findings.add("MODEL", f"{name} is of another kind than before.")
    known = with_changes(configuration, 0, [after])
    if at is not None and contested(known.models, at) is not None:
        findings.add("MODEL", f"{name} takes money that another model takes.")
