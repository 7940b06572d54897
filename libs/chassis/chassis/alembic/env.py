"""Alembic's entry point, shared by all services: runs inside the connection that chassis.migrations opened."""

from alembic import context

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("run migrations with `python -m <service> migrate`")
context.configure(connection=connection, transaction_per_migration=False)
connection.exec_driver_sql("set local lock_timeout = '5s'")
connection.exec_driver_sql("select pg_advisory_xact_lock(716253)")  # two migration jobs take turns
with context.begin_transaction():
    context.run_migrations()
