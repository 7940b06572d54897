"""What the outreach service is told. Must not hold a rule of a signal; those stand beside the signal."""

from pydantic import Field

from chassis.config import ServiceSettings


class Settings(ServiceSettings):
    """The settings of this service."""

    profiles_address: str = Field(description="host:port of profiles, asked for names when a text is drafted")
    messaging_address: str = Field(description="host:port of messaging, which sends or refuses texts")
    queue_size: int = Field(
        50, ge=1, le=500, description="most open suggestions that an associate's queue is given"
    )
    nightly_hour: int = Field(
        4, ge=0, le=23, description="hour of the chain's own day at which it is ranked every night"
    )
    replay_hold_hours: float = Field(
        12.0,
        gt=0,
        le=168,
        description="hours for which a ranking of an earlier day is left alone by the nightly one",
    )
    scoring_poll_seconds: float = Field(
        1.0, gt=0, le=60, description="seconds between two looks for chains that wait to be ranked"
    )
    sending_poll_seconds: float = Field(
        1.0,
        gt=0,
        le=60,
        description="seconds between two looks for campaigns and automated texts that are due",
    )
