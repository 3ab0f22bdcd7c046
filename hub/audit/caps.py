"""Caps as the configuration's rows make them: what eased one was proposed before, and by another person."""

from hub.access import person_key
from hub.audit.findings import Findings
from hub.configuration import Change, Configuration
from hub.institutions import DebitCap
from hub.registry.caps import eases


class Caps:
    """Caps that were changed when one person could still ease them name nobody."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._named = False  # whether any cap so far names who set it

    def take(self, row: Change, after: DebitCap, before: DebitCap | None, configuration: Configuration) -> None:
        """Take the next change of a cap, under the configuration before it."""
        if after.set_by is None:
            if self._named:
                self._findings.add("CAP_CHANGE", f"The cap of {_name(configuration, after)} was changed by nobody.")
            return
        self._named = True
        if before is None or not eases(before.amount, after.amount):
            return
        by = configuration.credentials.get(row.credential)
        proposal = before.proposal
        if proposal is None or proposal.amount != after.amount:
            self._findings.add("CAP_CHANGE", f"The cap of {_name(configuration, after)} was eased without a proposal.")
        elif by is None or person_key(by.person) == person_key(proposal.person):
            self._findings.add("CAP_CHANGE", f"The cap of {_name(configuration, after)} was eased by one person.")


def _name(configuration: Configuration, cap: DebitCap) -> str:
    found = configuration.institutions.get(cap.institution)
    return f"{found.code if found else cap.institution} in {cap.currency}"
