"""What the waitlist service is told. Must not hold what a chain decides; that is its policy."""

from pydantic import Field

from chassis.config import ServiceSettings


class Settings(ServiceSettings):
    """The settings of this service."""

    offer_sweep_seconds: float = Field(
        5.0, gt=0, le=300, description="seconds between two looks for offers whose time is up"
    )
