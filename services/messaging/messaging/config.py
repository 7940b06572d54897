"""The settings that only messaging knows."""

from pydantic import Field

from chassis.objects import ObjectSettings


class Settings(ObjectSettings):
    """What messaging is told beside what every service is told."""

    suppression_key: str = Field(
        min_length=32,
        description="secret that the numbers of erased persons are hashed with; never changed, or those who asked for"
        " silence are forgotten",
    )
    profiles_address: str = Field(
        description="host:port of profiles, which knows numbers, zones and consents"
    )
    carrier: str = Field(
        "sandbox",
        pattern="^(sandbox|off)$",
        description="the phone network: sandbox plays one; off keeps every text waiting",
    )
    carrier_timeout_seconds: float = Field(
        10.0, gt=0, le=60, description="time that the carrier gets to answer"
    )
    carrier_lease_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="after so long without an answer the carrier is asked what became of a text; keep it well above"
        " carrier_timeout_seconds, so that no call can still be under way",
    )
    sending_poll_seconds: float = Field(0.5, gt=0, le=60, description="pause between two looks for due texts")
    sandbox_delay_seconds: float = Field(
        0.5, ge=0, le=60, description="time that the sandbox network takes for each receipt"
    )
