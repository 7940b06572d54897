"""The purchase model of each chain, one row a chain. Must not fit or read one's meaning."""

import json
from dataclasses import asdict
from datetime import datetime

from chassis.database import Transaction
from outreach.purchase_model import BgNbd, GammaGamma
from outreach.scoring.model import ChainModel, ModelState
from outreach.scoring.segments import Segment
from outreach.scoring.tiers import TierScale


async def put_model(tx: Transaction, model: ChainModel, *, fitted_at: datetime) -> None:
    """Replace the chain's model."""
    await tx.execute(
        "insert into purchase_models (chain_id, state, note, as_of, clients, repeat_clients, bg_nbd, gamma_gamma,"
        " mean_spend, mean_value_year, vip_minor, segments, repeats_year, tiers, fitted_at)"
        " values (:chain_id, :state, :note, :as_of, :clients,"
        " :repeat_clients, cast(:bg_nbd as jsonb), cast(:gamma_gamma as jsonb), :mean_spend, :mean_value_year,"
        " :vip_minor, cast(:segments as jsonb), :repeats_year, cast(:tiers as jsonb), :fitted_at)"
        " on conflict (chain_id) do update set state = excluded.state, note = excluded.note,"
        " as_of = excluded.as_of, clients = excluded.clients, repeat_clients = excluded.repeat_clients,"
        " bg_nbd = excluded.bg_nbd, gamma_gamma = excluded.gamma_gamma, mean_spend = excluded.mean_spend,"
        " mean_value_year = excluded.mean_value_year, vip_minor = excluded.vip_minor, segments = excluded.segments,"
        " repeats_year = excluded.repeats_year, tiers = excluded.tiers, fitted_at = excluded.fitted_at",
        {
            "chain_id": tx.chain_id,
            "state": model.state,
            "note": model.note,
            "as_of": model.as_of,
            "clients": model.clients,
            "repeat_clients": model.repeat_clients,
            "bg_nbd": _document(model.bg_nbd),
            "gamma_gamma": _document(model.gamma_gamma),
            "mean_spend": model.mean_spend,
            "mean_value_year": model.mean_value_year,
            "vip_minor": model.vip_minor,
            "segments": json.dumps([asdict(segment) for segment in model.segments]),
            "repeats_year": model.repeats_year,
            "tiers": None if model.tiers is None else json.dumps(model.tiers.document()),
            "fitted_at": fitted_at,
        },
    )


async def find_model(tx: Transaction) -> tuple[ChainModel, datetime] | None:
    """Return the chain's model and when it was fitted; None before the first ranking."""
    found = await tx.execute(
        "select state, note, as_of, clients, repeat_clients, bg_nbd, gamma_gamma, mean_spend, mean_value_year,"
        " vip_minor, segments, repeats_year, tiers, fitted_at from purchase_models where chain_id = :chain_id",
        {"chain_id": tx.chain_id},
    )
    row = found.one_or_none()
    if row is None:
        return None
    model = ChainModel(
        state=ModelState(row.state),
        note=row.note,
        as_of=row.as_of,
        clients=row.clients,
        repeat_clients=row.repeat_clients,
        bg_nbd=BgNbd(**row.bg_nbd) if row.bg_nbd else None,
        gamma_gamma=GammaGamma(**row.gamma_gamma) if row.gamma_gamma else None,
        mean_spend=row.mean_spend,
        mean_value_year=row.mean_value_year,
        vip_minor=row.vip_minor,
        segments=tuple(Segment(**segment) for segment in row.segments),
        repeats_year=row.repeats_year,
        tiers=TierScale.read(row.tiers) if row.tiers else None,
    )
    return model, row.fitted_at


def _document(fitted: BgNbd | GammaGamma | None) -> str | None:
    return None if fitted is None else json.dumps(asdict(fitted))
