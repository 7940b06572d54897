"""What the profiles service is told. Must not hold what a chain decides about its clients."""

from pydantic import Field

from chassis.objects import ObjectSettings


class Settings(ObjectSettings):
    """The settings of this service."""

    suppression_key: str = Field(
        min_length=32,
        description="secret that erased persons' numbers are hashed with; never changed, or imports bring them back",
    )

    outreach_address: str = Field(description="host:port of outreach, asked for what it keeps of a client")
    messaging_address: str = Field(description="host:port of messaging, asked for the same")
    waitlist_address: str = Field(description="host:port of waitlist, asked for the same")
    appointments_address: str = Field(description="host:port of appointments, asked for the same")
    privacy_poll_seconds: float = Field(
        2.0,
        gt=0,
        le=600,
        description="seconds between two looks for exports to gather and records past their time",
    )

    duplicate_poll_seconds: float = Field(
        1.0, gt=0, le=600, description="seconds between two looks for clients to compare with others"
    )
    import_batch_lines: int = Field(
        1000, ge=1, le=5000, description="lines of an import that are committed together, with their event"
    )
    import_watch_seconds: float = Field(
        0.25, gt=0, le=10, description="seconds between two looks at an import that somebody watches"
    )
    attachment_max_bytes: int = Field(
        15 * 1024 * 1024, ge=1024, le=1024**3, description="most bytes of one attachment"
    )
    objects_sweep_seconds: float = Field(
        60.0, gt=0, le=3600, description="seconds between two looks for objects that are to be removed"
    )
    encryption_key: str = Field(description="Fernet key that the secrets of connectors are kept under")
    business_central_url: str = Field(
        "https://api.businesscentral.dynamics.com", description="where Business Central's API is"
    )
    business_central_sign_in_url: str = Field(
        "https://login.microsoftonline.com", description="where tokens for Business Central are asked for"
    )
    connector_poll_seconds: float = Field(
        5.0, gt=0, le=600, description="seconds between two looks for connectors that are due"
    )
