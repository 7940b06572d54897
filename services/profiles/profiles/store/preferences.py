"""Rows of what clients prefer."""

from collections.abc import Sequence
from datetime import date

from chassis.database import Transaction
from chassis.errors import not_found
from profiles.domain.preferences import Finger, Preference, PreferenceKind, SizeSystem

# A row from before preferences had ids is known by its place.
_ID = "coalesce(preference_id, 'prf_' || position)"
COLUMNS = (
    f"kind, value, source, noted_on, {_ID}, finger, size_system, minimum_minor, maximum_minor, currency_code"
)


def preference_of(
    kind: str,
    value: str,
    source: str,
    noted_on: str | None,
    preference_id: str,
    finger: str,
    size_system: str,
    minimum_minor: int | None,
    maximum_minor: int | None,
    currency_code: str,
) -> Preference:
    """Return a preference from the values of COLUMNS, as JSON has them."""
    return Preference(
        PreferenceKind(kind),
        value,
        source,
        date.fromisoformat(noted_on) if noted_on else None,
        preference_id,
        Finger(finger) if finger else None,
        SizeSystem(size_system) if size_system else None,
        minimum_minor,
        maximum_minor,
        currency_code,
    )


def values_of(preference: Preference) -> list[str | int | None]:
    """Return a preference as preference_of reads it."""
    return [
        preference.kind.value,
        preference.value,
        preference.source,
        preference.noted_on.isoformat() if preference.noted_on else None,
        preference.preference_id,
        preference.finger or "",
        preference.size_system or "",
        preference.minimum_minor,
        preference.maximum_minor,
        preference.currency_code,
    ]


async def set_preferences(tx: Transaction, client_id: str, preferences: Sequence[Preference]) -> None:
    """Put `preferences` in the place of all that were there."""
    await tx.execute("delete from preferences where client_id = :client_id", {"client_id": client_id})
    if preferences:
        await tx.execute(
            "insert into preferences (client_id, position, chain_id, kind, value, source, noted_on, preference_id,"
            " finger, size_system, minimum_minor, maximum_minor, currency_code)"
            " values (:client_id, :position, :chain_id, :kind, :value, :source, :noted_on, :preference_id,"
            " :finger, :size_system, :minimum_minor, :maximum_minor, :currency_code)",
            [
                {
                    "client_id": client_id,
                    "position": position,
                    "chain_id": tx.chain_id,
                    "kind": preference.kind.value,
                    "value": preference.value,
                    "source": preference.source,
                    "noted_on": preference.noted_on,
                    "preference_id": preference.preference_id or None,
                    "finger": preference.finger or "",
                    "size_system": preference.size_system or "",
                    "minimum_minor": preference.minimum_minor,
                    "maximum_minor": preference.maximum_minor,
                    "currency_code": preference.currency_code,
                }
                for position, preference in enumerate(preferences)
            ],
        )


async def remove_preference(tx: Transaction, client_id: str, preference_id: str) -> None:
    """Delete a preference. Raises PREFERENCE_NOT_FOUND."""
    removed = await tx.execute(
        f"delete from preferences where client_id = :client_id and {_ID} = :preference_id",  # noqa: S608
        {"client_id": client_id, "preference_id": preference_id},
    )
    if not removed.rowcount:
        raise not_found("preference", preference_id)
