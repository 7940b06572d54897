"""Connectors on the wire."""

from typing import Any

from carnet.profiles.v1 import sync_pb2 as pb
from google.protobuf.empty_pb2 import Empty

from chassis.caller import current_caller
from chassis.clock import Clock
from chassis.database import Database, RequestKey
from chassis.paging import cut_page, decode_page_token, page_size_of
from chassis.values import timestamp_of
from profiles.domain.connectors import Connector, ConnectorRun
from profiles.store import connectors as store
from profiles.use_cases import connectors as use_cases
from profiles.use_cases.connectors import ConnectorFields, Dialling
from profiles.vocabulary import CONNECTOR_RUN_STATES, CONNECTOR_STATES


class ConnectorCalls:
    """The RPCs on connectors."""

    _database: Database
    _clock: Clock
    _dialling: Dialling

    async def CreateConnector(self, request: pb.CreateConnectorRequest, context: Any) -> pb.Connector:
        """Connect a Business Central."""
        return _connector(
            await use_cases.create_connector(
                database=self._database,
                clock=self._clock,
                dialling=self._dialling,
                caller=current_caller(),
                key=RequestKey.of(request),
                fields=ConnectorFields(
                    display_name=request.display_name,
                    source=request.source,
                    tenant_id=request.tenant_id,
                    environment=request.environment,
                    client_id=request.client_id,
                    client_secret=request.client_secret,
                    company_id=request.company_id,
                    store_id=request.store_id,
                    interval_minutes=request.interval_minutes,
                ),
            )
        )

    async def GetConnector(self, request: pb.GetConnectorRequest, context: Any) -> pb.Connector:
        """Read one connector."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            return _connector(await store.get_connector(tx, request.connector_id))

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Any
    ) -> pb.ListConnectorsResponse:
        """List connectors by name."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            found = await store.list_connectors(
                tx, after=(str(key[0]), str(key[1])) if key else None, limit=size + 1
            )
        page, token = cut_page(found, size, lambda one: (one.display_name, one.connector_id))
        return pb.ListConnectorsResponse(connectors=map(_connector, page), next_page_token=token)

    async def UpdateConnector(self, request: pb.UpdateConnectorRequest, context: Any) -> pb.Connector:
        """Change a connector."""
        return _connector(
            await use_cases.update_connector(
                database=self._database,
                clock=self._clock,
                dialling=self._dialling,
                caller=current_caller(),
                connector_id=request.connector_id,
                display_name=request.display_name,
                company_id=request.company_id,
                store_id=request.store_id,
                interval_minutes=request.interval_minutes,
                state=CONNECTOR_STATES.word(request.state, "state"),
                client_secret=request.client_secret,
            )
        )

    async def DeleteConnector(self, request: pb.DeleteConnectorRequest, context: Any) -> Empty:
        """Forget a connector with its secret."""
        async with self._database.transaction(current_caller().chain_id) as tx:
            await store.delete_connector(tx, request.connector_id)
        return Empty()

    async def ListConnectorCompanies(
        self, request: pb.ListConnectorCompaniesRequest, context: Any
    ) -> pb.ListConnectorCompaniesResponse:
        """Ask the other system which companies it has."""
        companies = await use_cases.list_companies(
            database=self._database,
            dialling=self._dialling,
            caller=current_caller(),
            connector_id=request.connector_id,
        )
        return pb.ListConnectorCompaniesResponse(
            companies=[
                pb.ConnectorCompany(company_id=one.company_id, display_name=one.display_name)
                for one in companies
            ]
        )

    async def RunConnector(self, request: pb.RunConnectorRequest, context: Any) -> pb.ConnectorRun:
        """Run a connector now."""
        return _run(
            await use_cases.ask_for_run(
                database=self._database,
                clock=self._clock,
                caller=current_caller(),
                key=RequestKey.of(request),
                connector_id=request.connector_id,
            )
        )

    async def ListConnectorRuns(
        self, request: pb.ListConnectorRunsRequest, context: Any
    ) -> pb.ListConnectorRunsResponse:
        """List a connector's runs, newest first."""
        size = page_size_of(request.page_size)
        key = decode_page_token(request.page_token, str)
        async with self._database.transaction(current_caller().chain_id) as tx:
            await store.get_connector(tx, request.connector_id)
            found = await store.list_runs(
                tx, request.connector_id, before=str(key[0]) if key else "", limit=size + 1
            )
        page, token = cut_page(found, size, lambda one: (one.connector_run_id,))
        return pb.ListConnectorRunsResponse(connector_runs=map(_run, page), next_page_token=token)


def _connector(connector: Connector) -> pb.Connector:
    return pb.Connector(
        connector_id=connector.connector_id,
        display_name=connector.display_name,
        source=connector.source,
        tenant_id=connector.tenant_id,
        environment=connector.environment,
        client_id=connector.client_id,
        company_id=connector.company_id,
        store_id=connector.store_id,
        interval_minutes=connector.interval_minutes,
        state=CONNECTOR_STATES.number(connector.state),
        delta_times={
            entity: stamp for entity, time in connector.delta_times.items() if (stamp := timestamp_of(time))
        },
        next_run_time=timestamp_of(connector.next_run_at),
        last_failure=connector.last_failure,
        create_time=timestamp_of(connector.created_at),
    )


def _run(run: ConnectorRun) -> pb.ConnectorRun:
    return pb.ConnectorRun(
        connector_run_id=run.connector_run_id,
        connector_id=run.connector_id,
        state=CONNECTOR_RUN_STATES.number(run.state),
        records_read=run.tally.records_read,
        clients_created=run.tally.clients_created,
        purchases_created=run.tally.purchases_created,
        records_refused=run.tally.records_refused,
        waits=run.tally.waits,
        failure=run.failure,
        create_time=timestamp_of(run.created_at),
        finish_time=timestamp_of(run.finished_at),
    )
