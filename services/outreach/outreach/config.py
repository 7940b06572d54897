"""What the outreach service is told. Must not hold a rule of a signal; those stand beside the signal."""

from pydantic import Field, ValidationInfo, field_validator

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
    slice_clients: int = Field(
        100_000,
        ge=1,
        le=1_000_000,
        description="most clients that are ranked in one go; a larger chain is ranked in slices that replicas share",
    )
    ranking_workers: int = Field(
        2,
        ge=1,
        le=16,
        description="slices, and sets of due clients, that one process ranks at a time; each takes a core at times",
    )
    due_poll_seconds: float = Field(
        0.1, gt=0, le=60, description="seconds between two looks for clients to be looked at in sets"
    )
    sending_poll_seconds: float = Field(
        1.0, gt=0, le=60, description="seconds between two looks for campaigns that something is due for"
    )
    automated_poll_seconds: float = Field(
        15.0,
        gt=0,
        le=600,
        description="seconds between two looks for suggestions that are answered by themselves",
    )
    draft_endpoint: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+\S*)?$",
        description="address of a language model that speaks OpenAI's chat completions; empty: drafts by template only",
    )
    draft_model: str = Field("", validate_default=True, description="which model to ask there")
    draft_api_key: str = Field("", description="secret that the endpoint asks for, sent as a bearer token")
    draft_timeout_seconds: float = Field(
        5.0,
        gt=0,
        le=8,
        description="seconds after which a draft is written by template; callers wait 10 by default",
    )

    @field_validator("draft_model")
    @classmethod
    def _is_named_where_one_is_asked(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("draft_endpoint") and not value:
            raise ValueError("must be set where CARNET_DRAFT_ENDPOINT is")
        return value
