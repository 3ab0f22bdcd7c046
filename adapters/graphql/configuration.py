"""The configuration of another hub: where it is, as whom it is asked, and who is who there."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from adapters.http_json.credentials import SecretHeaderText
from adapters.parts import Part, Points, address
from adapters.tls import Tls
from hub.partners import ANSWER_S_MAX, HOLD_LASTS


class Reserve(Part):
    """The customer there that has what members gave, and gives what they get; of this hub and this currency alone."""

    reference: str = Field(min_length=1, max_length=100)
    institution: str | None = Field(default=None, max_length=32, description="Default: the members' institution.")


class Configuration(Points):
    """Another hub that keeps a currency's points."""

    url: str = Field(max_length=500, description="Its API, such as https://hub.example/graphql.")
    allow_plain_http: bool = Field(default=False, description="Let the address be http: leased lines, and trials.")
    key: SecretHeaderText = Field(
        min_length=1, description="Of a trader for the members' and the reserve's institution."
    )
    institution: str = Field(min_length=1, max_length=32, description="The members' institution there, by its code.")
    currency: str = Field(min_length=1, max_length=32, description="The point currency there, by its code.")
    reserve: Reserve
    member_prefix: str = Field(
        default="", max_length=60, description="What stands before our reference of a member in the one there."
    )
    holds: bool = Field(
        default=False,
        description="Hold, capture and release as well; then no day can be listed, as statements lack holds.",
    )
    hold_days: int = Field(
        default=HOLD_LASTS.days,
        ge=HOLD_LASTS.days,
        le=365,
        description="How long a hold lasts; the currency there bounds it.",
    )
    tls: Tls = Tls()
    connect_s: int = Field(default=5, ge=1, le=60, description="How long is waited for a connection.")
    answers_within_s: int = Field(
        default=10, ge=1, le=ANSWER_S_MAX, description="How long is waited for an answer in all."
    )
    answer_bytes_max: int = Field(default=1_048_576, ge=1_024, le=67_108_864, description="A longer answer is unread.")
    connections_max: int = Field(default=20, ge=1, le=200)

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if not urlsplit(address(url)).path.strip("/") or "{" in url or "}" in url:
            raise ValueError("it is no address such as https://hub.example/graphql")
        return url

    @model_validator(mode="after")
    def _fits(self) -> "Configuration":
        if self.url.startswith("http:") and not self.allow_plain_http:
            raise ValueError("without allowPlainHttp the address is https")
        return self

    @property
    def reserve_institution(self) -> str:
        """Where the reserve is a customer."""
        return self.reserve.institution or self.institution
