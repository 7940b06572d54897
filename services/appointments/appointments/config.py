"""What the appointments service is told."""

from pydantic import Field

from chassis.config import ServiceSettings


class Settings(ServiceSettings):
    """The settings of this service."""

    buffer_minutes: int = Field(
        15, ge=0, le=240, description="kept free after a viewing, so that two clients do not meet"
    )
    slot_grid_minutes: int = Field(
        30, ge=5, le=240, description="minutes from one listed start to the next, counted from the opening"
    )
