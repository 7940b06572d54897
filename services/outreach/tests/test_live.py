"""The whole service as it runs: profiles' events over a real broker, the queue over gRPC, its own events out again."""

from carnet.outreach.v1 import events_pb2, outreach_pb2_grpc
from carnet.outreach.v1 import outreach_pb2 as pb
from carnet.profiles.v1 import events_pb2 as profiles_events
from outreach_neighbours import neighbours_running
from outreach_story import chain_created, client_created, days_ago, purchase, visit

from chassis.broker import Broker
from chassis.clock import FixedClock
from chassis.contracts import event_type_of
from chassis.events import wrap
from chassis.testing import (
    NOON,
    Keys,
    MakeDatabase,
    ServersUnderTest,
    SignIn,
    channel_to,
    eventually,
    running,
    settings_for,
)
from outreach.bootstrap import VERSIONS, build
from outreach.config import Settings


async def test_events_of_profiles_become_a_queue(
    make_database: MakeDatabase, servers: ServersUnderTest, keys: Keys, sign_in: SignIn
) -> None:
    clock = FixedClock(NOON)
    producers = {
        source: Broker(servers.nats_url(source), client_name=source) for source in ("profiles", "messaging")
    }
    for source, broker in producers.items():
        await broker.start()
        await broker.declare_stream(source.upper())

    async def publish(event, event_id: str = "") -> None:
        source = type(event).DESCRIPTOR.full_name.split(".")[1]
        envelope = wrap(event, source=source, chain_id="chn_live", entity_id="", now=NOON)
        jetstream = await producers[source].jetstream()
        headers = {**envelope.headers, **({"ce-id": event_id} if event_id else {})}
        await jetstream.publish(envelope.subject, envelope.body, headers=headers)

    async with neighbours_running(keys, clock) as (address, _, _messaging):
        own = settings_for(
            Settings,
            "outreach",
            database=await make_database("outreach", VERSIONS),
            servers=servers,
            keys=keys,
            profiles_address=address,
            messaging_address=address,
            scoring_poll_seconds=0.05,
        )
        service = build(own, clock=clock)
        async with running(service) as own_address, channel_to(own_address) as channel:
            stub = outreach_pb2_grpc.OutreachServiceStub(channel)
            sign_in(
                "queue:read",
                "queue:write",
                "messages:send",
                chain_id="chn_live",
                clock=clock,
                associate_id="asc_1",
            )
            await publish(visit("cli_1", days_ago(9)))  # before the client and the chain
            await publish(chain_created("chn_live"))
            await publish(client_created("cli_1"))
            for _ in range(2):
                await publish(visit("cli_1", days_ago(2), visit_id="vis_2"), event_id="evt_twice")

            async def queue(associate_id: str = "asc_1") -> list[pb.Suggestion]:
                return list(
                    (await stub.ListQueue(pb.ListQueueRequest(associate_id=associate_id))).suggestions
                )

            (suggestion,) = await eventually(queue)
            assert (
                suggestion.reasons[0].sentence
                == "Came in twice since 1 March without buying, last 2 days ago."
            )
            sent = await stub.SendSuggestion(
                pb.SendSuggestionRequest(
                    suggestion_id=suggestion.suggestion_id, body="Hello Ana", request_id="r"
                )
            )
            assert sent.suggestion.state == pb.SUGGESTION_STATE_SENT

            await publish(
                profiles_events.ImportBatchLanded(
                    import_id="imp_1",
                    clients=[client_created("cli_2", associate_id="asc_2").client],
                    purchases=[purchase("cli_2", days_ago(200)).purchase],
                )
            )
            await publish(profiles_events.ImportCompleted(import_id="imp_1"))
            (imported,) = await eventually(lambda: queue("asc_2"))
            assert imported.reasons[0].signal == pb.SIGNAL_SILENT_ONE_TIMER

            listener = Broker(servers.nats_url("admin"), client_name="listener")
            await listener.start()
            jetstream = await listener.jetstream()
            subscription = await jetstream.subscribe("carnet.outreach.>", ordered_consumer=True)
            heard = {(await subscription.next_msg(timeout=10)).headers["ce-type"] for _ in range(3)}
            assert heard == {
                event_type_of(kind)
                for kind in (
                    events_pb2.SuggestionRaised,
                    events_pb2.SuggestionSent,
                    events_pb2.ScoringCompleted,
                )
            }
            await listener.stop()
    for broker in producers.values():
        await broker.stop()
