"""How a chain works its queue: read it, decide anew, and see its signals as they are in force."""

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.caller import Caller
from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import invalid
from outreach.domain import SIGNALS, Signal
from outreach.domain.settings import OutreachSettings, SignalSettings
from outreach.scoring.effects import Counts, effect
from outreach.signals import READINGS, Parameter, Reading
from outreach.store import chains, suggestions
from outreach.store import effects as effects_store
from outreach.store import settings as store


@dataclass(frozen=True)
class SignalInForce:
    """A signal as it works here: `values` are its parameters' at a store, or the chain's."""

    signal: Signal
    reading: Reading
    values: Sequence[tuple[Parameter, float]]
    is_off: bool
    effect: float
    counts: Counts
    open_suggestions: int


async def get_settings(*, database: Database, chain_id: str) -> OutreachSettings:
    """Return the chain's settings with the built-in values filled in."""
    async with database.transaction(chain_id) as tx:
        return await store.get_settings(tx)


async def update_settings(
    *, database: Database, clock: Clock, caller: Caller, wanted: OutreachSettings, etag: str
) -> OutreachSettings:
    """Put settings in the place of those that are there, and have the chain ranked by them.

    Raises OUTREACH_SETTINGS_CHANGED for a stale etag, and FIELD_INVALID naming what is out of its bounds.
    """
    require_rules(wanted.signals)
    async with database.transaction(caller.chain_id) as tx:
        stands = await store.find_written(tx, lock=True)
        decided = stands.updated(wanted, etag=etag)
        now = clock.now()
        await store.put_settings(tx, decided, now=now)
        if _is_ranked_otherwise(stands, decided):
            await chains.request_scoring(tx, reason="settings", now=now)
        return decided.in_force()


async def list_signals(
    *, database: Database, clock: Clock, chain_id: str, store_id: str
) -> Sequence[SignalInForce]:
    """Return every signal with its parameters at a store, or the chain's, and how well it works here."""
    async with database.transaction(chain_id) as tx:
        settings = await store.get_settings(tx)
        counts = await effects_store.find_effect_counts(tx)
        chain = await chains.get_chain(tx)
        now = clock.now()
        waiting = await suggestions.count_open_signals(
            tx, store_id=store_id, today=chain.today(now), queue_day=chain.queue_day(now)
        )
    found: list[SignalInForce] = []
    for signal in SIGNALS:
        reading, rules = READINGS[signal], settings.of_signal(signal, store_id)
        here = counts.get(signal, Counts())
        found.append(
            SignalInForce(
                signal=signal,
                reading=reading,
                values=[(one, rules.parameters.get(one.name, one.built_in)) for one in reading.parameters],
                is_off=rules.is_off,
                effect=effect(reading.prior, here),
                counts=here,
                open_suggestions=waiting.get(signal, 0),
            )
        )
    return found


def require_rules(signals: Sequence[SignalSettings]) -> None:
    """Refuse, with FIELD_INVALID, a parameter that its signal does not have or cannot have, and what is said twice."""
    said: set[tuple[Signal, str]] = set()
    for place, one in enumerate(signals):
        at = f"settings.signals[{place}]"
        if (one.signal, one.store_id) in said:
            raise invalid(at, "is said twice for this signal and store")
        said.add((one.signal, one.store_id))
        parameters = {parameter.name: parameter for parameter in READINGS[one.signal].parameters}
        for name, value in one.parameters.items():
            field = f"{at}.parameters[{name}]"
            parameter = parameters.get(name)
            if parameter is None:
                known = ", ".join(parameters) or "none"
                raise invalid(field, f"is not a parameter of {one.signal}; it has {known}")
            if not parameter.least <= value <= parameter.most:
                raise invalid(field, f"must be from {parameter.least:g} to {parameter.most:g}")
            if parameter.is_whole and value != int(value):
                raise invalid(field, "must be a whole number")


def _is_ranked_otherwise(stands: OutreachSettings, decided: OutreachSettings) -> bool:
    def ranked_by(settings: OutreachSettings) -> tuple[object, ...]:
        rules = settings.in_force()
        return (
            list(rules.signals),
            rules.tier_bands,
            rules.exploration_share,
            rules.holdout_share,
            rules.fatigue,
        )

    return ranked_by(stands) != ranked_by(decided)
