"""Follow what becomes of clients: merged, taken apart again, erased. Effects run inside the transaction of their event.

Of two live interests of one client in one reference, one stands for both, in the place of the older one: the one that a
piece is held for, else the older one. The other is closed as merged and comes back when the merge is taken back. Offers
and the pieces that they hold stay as they are. What a client bought is added up when it is read.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from carnet.privacy.v1 import privacy_pb2

from chassis import identities
from chassis.database import Transaction
from chassis.errors import not_found
from chassis.ids import new_id
from waitlist import events
from waitlist.domain.interests import InterestState, unite
from waitlist.domain.offers import OfferState
from waitlist.store import interests, offers, standings
from waitlist.use_cases.offers import take_answer

PROOF = "allocation_decisions"
PROOF_BASIS = "proof that scarce pieces were given fairly, under an id that leads nowhere: GDPR art. 17(3)(e)"


async def require_client(tx: Transaction, client_id: str) -> str:
    """Return whom an id leads to, and keep merges out until the commit. Raises CLIENT_NOT_FOUND for who was erased."""
    await identities.hold(tx)
    current = await identities.find_current(tx, client_id)
    if current is None:
        raise not_found("client", client_id)
    return current


async def merge_clients(tx: Transaction, merge_id: str, *, surviving_id: str, merged_id: str) -> None:
    """Give everything of a client to the survivor."""
    await _follow(tx, await identities.merge(tx, merge_id, kept_id=surviving_id, merged_id=merged_id))


async def unmerge_clients(tx: Transaction, merge_id: str, *, surviving_id: str, restored_id: str) -> None:
    """Give back what a merge moved; what came since stays with the survivor."""
    await _follow(tx, await identities.unmerge(tx, merge_id, kept_id=surviving_id, merged_id=restored_id))


async def _follow(tx: Transaction, currents: Mapping[str, str]) -> None:
    changes = unite(await interests.lock_claims(tx, currents))
    # Closed ones first and opened ones last: at no moment has a client two live interests in one reference.
    await interests.set_merged(tx, {interest_id: into for interest_id, into in changes.items() if into})
    await identities.move_rows(tx, "interests", "client_id", currents)
    await identities.move_rows(tx, "offers", "client_id", currents)
    await interests.set_merged(tx, {interest_id: into for interest_id, into in changes.items() if not into})


async def forget_client(
    tx: Transaction, *, erasure_id: str, client_id: str, former_client_ids: Collection[str], now: datetime
) -> None:
    """Forget a person and say what was removed and what is kept, and why; asked again, it says the same again."""
    stored = await identities.find_receipt(tx, erasure_id)
    if stored is None:
        receipt = await _forget(
            tx, erasure_id=erasure_id, client_ids=[client_id, *former_client_ids], now=now
        )
        await identities.keep_receipt(tx, erasure_id, receipt.SerializeToString(deterministic=True))
    else:
        receipt = privacy_pb2.ErasureReceipt.FromString(stored)
    tx.publish(events.client_forgotten(receipt), entity_id=client_id)


async def _forget(
    tx: Transaction, *, erasure_id: str, client_ids: list[str], now: datetime
) -> privacy_pb2.ErasureReceipt:
    client_id, client_ids = client_ids[0], sorted(set(client_ids))
    await identities.forget(tx, client_ids, cause_id=erasure_id)
    for offer in await offers.lock_open_of_clients(tx, client_ids):
        await take_answer(tx, offer, OfferState.DECLINED, now=now, actor_id="erasure")
    waited = await interests.lock_of_clients(tx, client_ids)
    for interest in waited:
        if interest.state is InterestState.WAITING:
            tx.publish(events.interest_withdrawn(interest), entity_id=interest.interest_id)
    # One for all rows of the person, so that a decision can still be replayed; kept nowhere else.
    nobody_id = new_id("anon")
    decisions = await offers.make_nobodys_in_decisions(
        tx, client_ids, nobody_id, reference_ids={interest.reference_id for interest in waited}
    )
    return events.erasure_receipt(
        erasure_id=erasure_id,
        client_id=client_id,
        erased={
            "interests": await interests.make_nobodys(tx, client_ids, nobody_id),
            "offers": await offers.make_nobodys(tx, client_ids, nobody_id),
            "standings": await standings.remove(tx, client_ids),
        },
        retained=[(PROOF, PROOF_BASIS, decisions)] if decisions else [],
    )
