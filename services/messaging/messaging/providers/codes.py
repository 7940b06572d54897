"""What a carrier's error codes mean for us, as data. The numbers are Twilio's, which the sandbox speaks as well.

A mail server's are those of RFC 5321 and RFC 3463, with `SMTP_` in front of what it answered while it was spoken to,
and `BOUNCE_` in front of what came back later, which is final: the mail server has tried for days.
"""

import enum
from collections.abc import Mapping
from datetime import timedelta


class Fault(enum.Enum):
    """Whose fault it is, which says what to do next."""

    OPTED_OUT = "never again until the client writes START"
    DEAD_NUMBER = "the number takes no texts"
    TRANSIENT = "try again a few times, later"
    LATER = "the mail server asks to come again: try for hours"
    SLOW_DOWN = "too fast: wait, then go on"
    CONTENT = "the text was filtered: no blind repeat"
    SENDER = "our number or account is at fault: somebody must look"
    OTHER = "not known: no repeat"


FAULTS: Mapping[str, Fault] = {
    "21610": Fault.OPTED_OUT,
    "21211": Fault.DEAD_NUMBER,
    "21614": Fault.DEAD_NUMBER,
    "21635": Fault.DEAD_NUMBER,
    "30005": Fault.DEAD_NUMBER,
    "30006": Fault.DEAD_NUMBER,
    "30003": Fault.TRANSIENT,
    "30008": Fault.TRANSIENT,
    "20429": Fault.SLOW_DOWN,
    "30022": Fault.SLOW_DOWN,
    "30023": Fault.SLOW_DOWN,
    "63038": Fault.SLOW_DOWN,
    "30007": Fault.CONTENT,
    "20003": Fault.SENDER,  # the account does not let us in
    "21606": Fault.SENDER,
    "21608": Fault.SENDER,
    "21612": Fault.SENDER,
    "30002": Fault.SENDER,
    "30034": Fault.SENDER,
}

EMAIL_UNCONFIRMED = "EMAIL_UNCONFIRMED"  # the answer was lost, and a mail server cannot be asked
SMTP, BOUNCE = "SMTP_", "BOUNCE_"
EMAIL_FAULTS: Mapping[str, Fault] = {
    **dict.fromkeys(
        ("550", "551", "553", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"), Fault.DEAD_NUMBER
    ),
    **dict.fromkeys(("530", "534", "535", "538", "5.1.7", "5.1.8", "5.7.8"), Fault.SENDER),
    **dict.fromkeys(("552", "554", "5.3.4", "5.7.1"), Fault.CONTENT),
}

NOT_CONFIGURED = "CHANNEL_NOT_CONFIGURED"

# What to do about it, for whoever reads the conversation.
_ADVICE: Mapping[Fault, str] = {
    Fault.OPTED_OUT: "The client opted out at the carrier. Only START from the client's own phone lifts that.",
    Fault.DEAD_NUMBER: "The number or address takes no messages. Ask the client for another one.",
    Fault.TRANSIENT: "It did not get through, though it was tried several times. Send it again later.",
    Fault.LATER: "The mail server did not take it, though it was tried for hours. Send it again later.",
    Fault.SLOW_DOWN: "The carrier was too busy for too long. Send it again later.",
    Fault.CONTENT: "It was filtered, or is too large. Change it before you send it again.",
    Fault.SENDER: "Our own number, address or account is at fault. Whoever looks after it has to act.",
    Fault.OTHER: "It was not taken. Whoever looks after the carrier can look the code up.",
}
_ADVICE_BY_CODE: Mapping[str, str] = {
    EMAIL_UNCONFIRMED: "Nobody knows whether it arrived. Ask the client before you send it again.",
    NOT_CONFIGURED: "Nothing is set up that could send on this channel.",
}
TRIED_AGAIN = "It did not get through. It is tried again by itself."

# How long to wait before the next attempt; after the last one the text has failed.
PAUSES: Mapping[Fault, tuple[timedelta, ...]] = {
    Fault.TRANSIENT: (timedelta(minutes=1), timedelta(minutes=5)),
    Fault.LATER: tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240)),
    Fault.SLOW_DOWN: (timedelta(seconds=10), timedelta(seconds=30), *[timedelta(minutes=2)] * 6),
}


def fault_of(code: str) -> Fault:
    """Return what a code means; an answer of the 5xx kind is transient."""
    if code.startswith(SMTP):
        return (
            Fault.LATER
            if code[len(SMTP) :].startswith("4")
            else EMAIL_FAULTS.get(code[len(SMTP) :], Fault.OTHER)
        )
    if code.startswith(BOUNCE):
        return EMAIL_FAULTS.get(code[len(BOUNCE) :], Fault.OTHER)
    if len(code) == 3 and code.startswith("5"):
        return Fault.TRANSIENT
    return FAULTS.get(code, Fault.OTHER)


def advice_on(code: str) -> str:
    """Return in words what to do about a message that failed with `code`; empty for none."""
    return (_ADVICE_BY_CODE.get(code) or _ADVICE[fault_of(code)]) if code else ""


def pause_after(code: str, attempts: int) -> timedelta | None:
    """Return how long to wait after `attempts` attempts ended with `code`; None to give up."""
    pauses = PAUSES.get(fault_of(code), ())
    return pauses[attempts - 1] if 0 < attempts <= len(pauses) else None
