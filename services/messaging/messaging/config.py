"""The settings that only messaging knows."""

from typing import Self

from pydantic import Field, model_validator

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
    public_url: str = Field(
        pattern="^https?://[^/?#]+$",
        description="address of the gateway as parties outside call it; stands in what they sign and are sent, and must"
        " be https where the carrier is a real one",
    )
    link_key: str = Field(
        min_length=32,
        description="secret that links to pictures and out of e-mails are signed with; a new one ends the old links",
    )
    carrier: str = Field(
        "sandbox",
        pattern="^(sandbox|twilio|off)$",
        description="the phone network: sandbox plays one; off keeps every text waiting",
    )
    twilio_account_sid: str = Field("", description="the account at Twilio, AC...")
    twilio_auth_tokens: str = Field(
        "",
        description="the account's auth token, which Twilio signs with; two with a comma between while it is rotated",
    )
    twilio_api_key_sid: str = Field(
        "", description="API key that Twilio is called with, SK...; empty: the account and its first token"
    )
    twilio_api_key_secret: str = Field("", description="secret of that API key")
    twilio_base_url: str = Field(
        "https://api.twilio.com", pattern="^https?://[^/?#]+$", description="address of Twilio's API"
    )
    smtp_url: str = Field(
        "",
        pattern="^((smtps?|starttls)://[^/?#]+)?$",
        description="mail server that e-mails go to: smtp://, starttls:// or smtps://user:password@host:port, what is"
        " not letter or digit percent-encoded; empty: the sandbox's mailboxes with the sandbox, else none go",
    )
    smtp_timeout_seconds: float = Field(
        5.0,
        gt=0,
        le=60,
        description="time that the mail server gets before it is given the content; must be below"
        " carrier_timeout_seconds, which bounds all together",
    )
    smtp_connections: int = Field(4, ge=1, le=100, description="connections to the mail server that are kept")
    email_return_domain: str = Field(
        "",
        pattern="^([A-Za-z0-9.-]+)?$",
        description="domain whose mail is handed to /outside/email/bounce, so that bounces are known; empty: they go to"
        " the store's own mailbox",
    )
    email_bounce_secret: str = Field(
        "",
        pattern="^(.{16,})?$",
        description="what whoever hands in bounces proves itself by, 16 characters or more; empty: none are taken",
    )
    media_max_bytes: int = Field(
        5_000_000, ge=1, le=5_000_000, description="most bytes of a picture, in both directions"
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
    bulk_ahead_seconds: float = Field(
        120.0,
        gt=0,
        le=3600,
        description="texts of a bulk send are written so long before their sender's turn: so old may be what the gate"
        " was asked, and so many wait",
    )
    sandbox_delay_seconds: float = Field(
        0.5, ge=0, le=60, description="time that the sandbox network takes for each receipt"
    )

    @model_validator(mode="after")
    def _mail_server_is_given_up_first(self) -> Self:
        if self.smtp_url and self.smtp_timeout_seconds >= self.carrier_timeout_seconds:
            raise ValueError("smtp_timeout_seconds must be below carrier_timeout_seconds")
        return self

    @property
    def auth_tokens(self) -> tuple[str, ...]:
        """Return Twilio's tokens, the one to call with first."""
        return tuple(token.strip() for token in self.twilio_auth_tokens.split(",") if token.strip())

    @model_validator(mode="after")
    def _twilio_is_told_everything(self) -> Self:
        if self.carrier == "twilio" and not (self.twilio_account_sid and self.auth_tokens):
            raise ValueError("carrier=twilio needs twilio_account_sid and twilio_auth_tokens")
        if bool(self.twilio_api_key_sid) != bool(self.twilio_api_key_secret):
            raise ValueError("twilio_api_key_sid and twilio_api_key_secret go together")
        return self
