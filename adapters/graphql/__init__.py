"""Another hub of this kind as a partner: the two federate (docs/guides/federate.md).

configuration.py   where the other hub is, and as whom it is asked
documents.py       what it is asked, in GraphQL
answers.py         what its answers mean
partner.py         the port on top of these
"""

from pydantic import BaseModel

from adapters.graphql.configuration import Configuration
from adapters.graphql.partner import HubPartner


class GraphQL:
    """The kind ``graphql``."""

    @property
    def configuration(self) -> type[BaseModel]:
        return Configuration

    def connect(self, configuration: Configuration) -> HubPartner:
        return HubPartner(configuration)


kind = GraphQL()
