"""Partners that speak JSON over HTTP, described by configuration alone (docs/guides/connect-a-partner.md).

configuration.py   what a partner is described by, and which descriptions fit together
templates.py       texts and bodies with places in them for what an order says
paths.py           where in an answer something stands
amounts.py         amounts and times as the partner writes them; exact, never a float
credentials.py     how our requests prove who sends them
proofs.py          how answers and callbacks prove whose they are
wire.py            a request on its way, and what is certain of it when it fails
answers.py         what an answer means: words of status, and the catalogue of errors
partner.py         the port on top of these
"""

from pydantic import BaseModel

from adapters.http_json.configuration import Configuration
from adapters.http_json.partner import HttpJsonPartner


class HttpJson:
    """The kind ``http_json``."""

    @property
    def configuration(self) -> type[BaseModel]:
        return Configuration

    def connect(self, configuration: Configuration) -> HttpJsonPartner:
        return HttpJsonPartner(configuration)


kind = HttpJson()
