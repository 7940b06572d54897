"""Bring together what decides who gets a campaign: signals and tiers of a day, a segment of profiles, the chain's day.

Must not send and not write.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from chassis.clock import Clock
from chassis.database import Database, Transaction
from outreach.clients import Segments
from outreach.domain.campaigns import Audience, Campaign, SegmentTooLarge
from outreach.domain.holdouts import period_of
from outreach.scoring.model import ChainModel
from outreach.scoring.rules import Rules
from outreach.scoring.tiers import TIERS, tiers_of
from outreach.signals.book import Book
from outreach.signals.finding import day_number
from outreach.signals.stores import find
from outreach.store import audiences, books, chains, models
from outreach.store.audiences import Counted, Judge
from outreach.store.chains import Chain
from outreach.store.rules import read_rules
from outreach.store.settings import get_settings
from outreach.texts.campaigns import names_associate
from outreach.use_cases.counting import count_waiting
from outreach.use_cases.evaluation import rests_at

# A client who heard from the house, or wrote to it, within so long gets no campaign.
CONTACT_REST = timedelta(days=7)
# A preview reads a segment in pages of 200 while somebody waits.
MOST_PREVIEWED = 20_000


async def count(
    *, database: Database, clock: Clock, segments: Segments, chain_id: str, campaign: Campaign
) -> Counted:
    """Count who would get a campaign now, exactly as it would be frozen. Raises SEGMENT_TOO_LARGE."""
    segment_id = campaign.plan.audience.segment_id
    client_ids = await _read_segment(segments, segment_id) if segment_id else None
    await count_facts(database=database, clock=clock, chain_id=chain_id, audience=campaign.plan.audience)
    async with database.transaction(chain_id) as tx:
        judge = await judge_of(tx, campaign, now=clock.now())
        if client_ids is not None:
            client_ids = await audiences.current_ids(tx, client_ids)
        return await audiences.count_audience(tx, judge, client_ids)


async def count_facts(*, database: Database, clock: Clock, chain_id: str, audience: Audience) -> None:
    """Have the facts that an audience asks for counted as of today."""
    if audience.signals or audience.tiers or audience.brand_ids or audience.categories:
        await count_waiting(database=database, clock=clock, chain_id=chain_id)


async def judge_of(
    tx: Transaction, campaign: Campaign, *, now: datetime, among: Collection[str] | None = None
) -> Judge:
    """Return what decides about a campaign's clients now, `among` some of them where only those are asked for."""
    chain = await chains.get_chain(tx)
    plan = campaign.plan
    numbers = None
    if plan.audience.signals or plan.audience.tiers:
        asked = None if among is None else await audiences.numbers_of(tx, among)
        numbers = await _speaking(tx, chain, plan.audience, now=now, among=asked)
    return Judge(
        campaign_id=campaign.campaign_id,
        audience=plan.audience,
        numbers=numbers,
        names_associate=names_associate(plan.texts),
        holdout_share=plan.holdout_share,
        today=chain.today(now),
        queue_day=chain.queue_day(now),
        period=period_of(chain.today(now)) if (await get_settings(tx)).holdout_share > 0 else "",
        contact_since=now - CONTACT_REST,
    )


async def _read_segment(segments: Segments, segment_id: str) -> list[str]:
    clients = await segments.count(segment_id)
    if clients > MOST_PREVIEWED:
        raise SegmentTooLarge(segment_id, clients, MOST_PREVIEWED)
    found, token = await segments.page(segment_id, "")
    while token:
        page, token = await segments.page(segment_id, token)
        found += page
    return found


async def _speaking(
    tx: Transaction, chain: Chain, audience: Audience, *, now: datetime, among: Sequence[int] | None
) -> list[int]:
    """Return the numbers of clients for whom one of the signals speaks today, and who are of one of the tiers."""
    today = chain.today(now)
    book = await books.read_book(tx, chain, as_of=today, rests=rests_at(now), numbers=among)
    stored = await models.find_model(tx)
    model = stored[0] if stored else None
    return await asyncio.to_thread(_numbers, book, model, await read_rules(tx), audience, day_number(today))


def _numbers(book: Book, model: ChainModel | None, rules: Rules, audience: Audience, today: int) -> list[int]:
    fits = np.ones(len(book), dtype=np.bool_)
    if audience.signals:
        fits[:] = False
        if model is not None:
            book = replace(book, vip_minor=model.vip_minor)
        for signal in audience.signals:
            fits[find(signal, book, today, rules.settings, rules.stores).client] = True
    if audience.tiers:
        scale = None if model is None else model.tiers
        tiers = tiers_of(book, np.arange(len(book)), scale, rules.settings.tier_bands)
        fits &= np.isin(tiers, [TIERS.index(tier) for tier in audience.tiers])
    return [int(number) for number in book.number[fits]]
