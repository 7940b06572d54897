"""69,659 real purchases arrive as an import's batches, and the chain is ranked: right, and in little memory."""

import os
import resource
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_story import client_fact, purchase_fact

from chassis.values import date_of, proto_date_of
from outreach.purchase_model import BgNbd, summarise

ROOT = Path(__file__).resolve().parents[3]
NAMED = os.environ.get("CARNET_CDNOW_DIR")
FOLDERS = [Path(NAMED)] if NAMED else [ROOT / ".carnet/data/cdnow", ROOT.parent / "shared/data/cdnow"]
FILE = next((path for path in (folder / "CDNOW_master.txt" for folder in FOLDERS) if path.is_file()), None)
CALIBRATION_END = date(1997, 9, 30)

if FILE is None:
    pytest.skip("the import of CDNOW is not tried: CDNOW_master.txt not found", allow_module_level=True)


def batches() -> list[profiles_events.ImportBatchLanded]:
    """Return the file as profiles would publish it: at most 500 new clients and 500 purchases a batch."""
    made: list[profiles_events.ImportBatchLanded] = []
    seen: set[str] = set()
    batch = profiles_events.ImportBatchLanded(import_id="imp_1")
    for line, row in enumerate(np.loadtxt(FILE, dtype=str, skiprows=1)):
        client_id, stamp = f"cli_{row[0]}", row[1]
        if client_id not in seen:
            batch.clients.append(client_fact(client_id, associate_id=f"asc_{len(seen) % 6 + 1}"))
            seen.add(client_id)
        day = date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:]))
        minor = round(float(row[3]) * 100)
        batch.purchases.append(purchase_fact(client_id, day, minor=minor, purchase_id=f"pur_{line}"))
        if len(batch.purchases) == 500:
            made.append(batch)
            batch = profiles_events.ImportBatchLanded(import_id="imp_1")
    return [*made, batch]


async def test_the_import_is_taken_over_and_ranked(outreach, story, as_associate):
    await story.open()
    events = batches()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await story.tell(*events)
    as_associate()
    summary = await outreach.stub.GetFactsSummary(pb.GetFactsSummaryRequest())
    assert (summary.clients, summary.purchases) == (23_570, 69_659)

    # Weeks 1 to 39 only: what came later must not be seen.
    scored = await outreach.stub.RunScoring(pb.RunScoringRequest(as_of_date=proto_date_of(CALIBRATION_END)))
    rows = [purchase for batch in events for purchase in batch.purchases]
    days = np.array([date_of(row.purchase_date, "day") for row in rows], dtype="datetime64[D]")
    expected = summarise(
        np.array([int(row.client_id[4:]) for row in rows]),
        days,
        np.array([row.total_minor / 100 for row in rows]),
        observed_until=CALIBRATION_END,
    )
    rhythm = BgNbd.fit(expected.frequency, expected.recency, expected.tenure)
    fitted = scored.purchase_model
    assert fitted.state == pb.PURCHASE_MODEL_STATE_FITTED
    assert (fitted.clients, fitted.repeat_clients) == (len(expected), np.count_nonzero(expected.frequency))
    found = (fitted.bg_nbd.r, fitted.bg_nbd.alpha, fitted.bg_nbd.a, fitted.bg_nbd.b)
    assert found == pytest.approx((rhythm.r, rhythm.alpha, rhythm.a, rhythm.b))
    assert scored.clients_scored == 23_570
    assert scored.suggestions_raised == 60  # ten for each of six associates

    def told(queue: pb.ListQueueResponse) -> list[tuple[str, float, list[str]]]:
        return [(s.client_id, s.score, [reason.sentence for reason in s.reasons]) for s in queue.suggestions]

    first = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    await outreach.stub.RunScoring(pb.RunScoringRequest(as_of_date=proto_date_of(CALIBRATION_END)))
    second = await outreach.stub.ListQueue(pb.ListQueueRequest(associate_id="asc_1"))
    assert told(first) == told(second)
    assert len(first.suggestions) == 10
    scores = [s.score for s in first.suggestions]
    assert scores == sorted(scores, reverse=True)
    assert all(s.score == pytest.approx(sum(r.contribution for r in s.reasons)) for s in first.suggestions)

    facts = await outreach.stub.GetClientFacts(
        pb.GetClientFactsRequest(client_id=first.suggestions[0].client_id)
    )
    assert 0 < facts.probability_alive <= 1
    assert facts.expected_value_year.units > 0
    assert facts.model_note == ""
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 300  # MB
