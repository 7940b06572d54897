"""Follow what becomes of clients: merged, taken apart again, erased. Effects run inside their event's transaction."""

from collections.abc import Collection
from datetime import datetime

from carnet.privacy.v1 import privacy_pb2

from appointments import events
from appointments.domain.appointments import AppointmentState
from appointments.store import appointments as rows
from appointments.use_cases.appointments import cancel
from chassis import identities
from chassis.database import Transaction


async def merge_clients(tx: Transaction, merge_id: str, *, surviving_id: str, merged_id: str) -> None:
    """Give a client's appointments to the survivor; nothing else about them changes."""
    currents = await identities.merge(tx, merge_id, kept_id=surviving_id, merged_id=merged_id)
    await identities.move_rows(tx, "appointments", "client_id", currents)


async def unmerge_clients(tx: Transaction, merge_id: str, *, surviving_id: str, restored_id: str) -> None:
    """Give back what a merge moved; what was booked since stays with the survivor."""
    currents = await identities.unmerge(tx, merge_id, kept_id=surviving_id, merged_id=restored_id)
    await identities.move_rows(tx, "appointments", "client_id", currents)


async def forget_client(
    tx: Transaction, *, erasure_id: str, client_id: str, former_client_ids: Collection[str], now: datetime
) -> None:
    """Forget a person and say what was removed; asked again, it says the same again.

    Viewings to come are called off, which frees their time. Those that were stay as times that a resource was taken.
    """
    stored = await identities.find_receipt(tx, erasure_id)
    if stored is None:
        client_ids = sorted({client_id, *former_client_ids})
        await identities.forget(tx, client_ids, cause_id=erasure_id)
        found = await rows.lock_of_clients(tx, client_ids)
        cancelled = 0
        for appointment in found:
            if appointment.state is AppointmentState.BOOKED and appointment.time.end > now:
                await cancel(tx, appointment, reason="", now=now)
                cancelled += 1
        await rows.make_nobodys(tx, [appointment.appointment_id for appointment in found])
        receipt = events.erasure_receipt(
            erasure_id=erasure_id,
            client_id=client_id,
            erased={"appointments": len(found), "cancelled_appointments": cancelled},
        )
        await identities.keep_receipt(tx, erasure_id, receipt.SerializeToString(deterministic=True))
    else:
        receipt = privacy_pb2.ErasureReceipt.FromString(stored)
    tx.publish(events.client_forgotten(receipt), entity_id=client_id)
