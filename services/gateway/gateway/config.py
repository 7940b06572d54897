"""The gateway's settings."""

from pydantic import Field

from chassis.config import ServiceSettings


class Settings(ServiceSettings):
    """What the gateway is told beside what every service is."""

    http_address: str = Field(description="host:port to serve the REST API on")
    public_url: str = Field(
        description="address of the REST API as clients see it; stands in the OpenAPI document"
    )
    valkey_url: str = Field(description="redis:// address of Valkey: rate limits, idempotency keys, wake-ups")
    encryption_key: str = Field(description="Fernet key for webhook secrets and stored answers")
    operator_key_hash: str = Field(
        "",
        pattern="^([0-9a-f]{64})?$",
        description="SHA-256 of the operator's key in hex; empty: there is no operator",
    )
    allow_private_webhooks: bool = Field(
        False,
        description="true lets webhooks go to http:// and private networks: for one machine and tests only",
    )
    profiles_address: str = Field(description="host:port of profiles' gRPC server")
    outreach_address: str = Field(description="host:port of outreach's gRPC server")
    messaging_address: str = Field(description="host:port of messaging's gRPC server")
    waitlist_address: str = Field(description="host:port of waitlist's gRPC server")
    appointments_address: str = Field(description="host:port of appointments' gRPC server")
    session_hours: float = Field(12.0, gt=0, le=24 * 30, description="how long a sign-in lasts")
    rate_per_second: float = Field(
        50.0, gt=0, description="requests a second that one credential may keep up"
    )
    rate_burst: int = Field(100, ge=1, description="requests that one credential may make at once")
    sign_in_burst: int = Field(20, ge=1, description="failed sign-ins of one e-mail before it has to wait")
    address_rate_per_second: float = Field(
        5.0, gt=0, description="requests a second of one address without credentials"
    )
    address_burst: int = Field(60, ge=1, description="requests of one address without credentials at once")
    outside_rate_per_second: float = Field(
        500.0, gt=0, description="requests a second of one address below /outside, such as a carrier's"
    )
    outside_burst: int = Field(2000, ge=1, description="requests of one address below /outside at once")
