"""What the profiles service is told. Must not hold what a chain decides about its clients."""

from pydantic import Field

from chassis.config import ServiceSettings


class Settings(ServiceSettings):
    """The settings of this service."""

    suppression_key: str = Field(
        min_length=32,
        description="secret that erased persons' numbers are hashed with; never changed, or imports bring them back",
    )

    import_batch_lines: int = Field(
        1000, ge=1, le=5000, description="lines of an import that are committed together, with their event"
    )
    import_watch_seconds: float = Field(
        0.25, gt=0, le=10, description="seconds between two looks at an import that somebody watches"
    )
