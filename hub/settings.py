"""Settings: everything the environment decides, under ``HUB_``. A wrong value names its key."""

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.expiry import is_zone
from hub.partners import HOLD_SPARE


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError("it is no time zone such as Asia/Shanghai")
    return name


class Settings(BaseSettings):
    """The hub's settings; each is read from ``HUB_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="HUB_", extra="ignore")

    name: str = Field(default="Points Hub", description="Its name in reports and answers.")
    data_dir: Path = Field(default=Path(".hub"), description="Where the embedded database and the keys are.")
    database_url: SecretStr | None = Field(
        default=None,
        description="A PostgreSQL 15 or newer instead of the embedded one, as the role that serves.",
    )
    database_owner_url: SecretStr | None = Field(
        default=None, description="The same database as the role that migrates; default: the role that serves."
    )
    signing_key: SecretStr | None = Field(
        default=None, description="The private Ed25519 key, as PEM or JWK; default: a file in the data folder."
    )
    signing_jwks: str | None = Field(
        default=None,
        description="Public keys that signed before or sign on other hosts, as a JWK set such as "
        "/.well-known/jwks.json; default: those in the data folder alone.",
    )
    secrets_key: SecretStr | None = Field(
        default=None,
        description="The key that partners' secrets are kept under, or several with commas between: the first seals, "
        "all open; default: a file in the data folder.",
    )
    webhook_networks: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Networks in which webhooks may have addresses, besides public ones."
    )
    quote_ttl_seconds: int = Field(default=900, ge=1, le=86_400, description="How long a quote binds.")
    sweep_seconds: int = Field(
        default=60, ge=0, le=86_400, description="How often the server settles what has expired; 0: not by itself."
    )
    billing_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC", description="The time zone of the months that are billed, such as Asia/Shanghai."
    )
    partner_lease_seconds: int = Field(
        default=90, ge=1, le=3_600, description="How long a call of a partner is one process's: longer than any answer."
    )
    partner_give_up_seconds: int = Field(
        default=3_600,
        ge=1,
        le=HOLD_SPARE // timedelta(seconds=1),
        description="How long is tried what a partner has certainly not done.",
    )
    reconcile_after_minutes: int = Field(
        default=120,
        ge=-1,
        le=1_440,
        description="How long a day of a partner's has to be over before the server reconciles it; -1: not by itself.",
    )
    environment: str = Field(default="production", description="'development' serves GraphiQL at /graphql.")
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR.")
    origins: tuple[str, ...] = Field(default=(), description="Origins of web pages that may open subscriptions.")
    public_url: str = Field(default="", description="What links in answers begin with; default: relative links.")
    database_connections: int = Field(default=8, ge=2, le=64, description="Connections for reads, per worker process.")
    queue_commands: int = Field(
        default=20_000, ge=10_000, description="Commands waiting before RETRY_LATER, per worker."
    )
    batch_commands: int = Field(default=1_000, ge=1, le=10_000, description="Commands in one commit at most.")

    @property
    def development(self) -> bool:
        """Whether conveniences for developers are served."""
        return self.environment == "development"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
