#!/bin/sh
# Creates a database and two roles per service, or brings existing ones to the same state: the owner migrates, the role
# of the service's name serves. The same as ensure_service_database in deploy/local. Passwords: /run/carnet/<role>.
set -eu
PGPASSWORD=$(cat /run/carnet/postgres)
export PGPASSWORD
until pg_isready --quiet; do sleep 1; done
for service in profiles outreach messaging waitlist appointments gateway; do
  for role in "$service" "${service}_owner"; do
    test -s "/run/carnet/$role" || { echo "there is no password for $role" >&2; exit 1; }
  done
  psql --quiet --no-psqlrc --dbname postgres --set ON_ERROR_STOP=1 --set service="$service" <<'SQL'
\set owner :service _owner
\set password `cat /run/carnet/:service`
\set owner_password `cat /run/carnet/:owner`
select format('create role %I', role) from unnest(array[:'service', :'owner']) role
 where not exists (select from pg_roles where rolname = role) \gexec
alter role :"service" login nosuperuser nobypassrls nocreatedb nocreaterole password :'password';
alter role :"owner" login nosuperuser nobypassrls nocreatedb nocreaterole password :'owner_password';
select format('create database %I owner %I', :'service', :'owner')
 where not exists (select from pg_database where datname = :'service') \gexec
revoke all on database :"service" from public;
grant connect, temporary on database :"service" to :"service";
\connect :service
set role :"owner";
revoke all on schema public from public;
grant usage on schema public to :"service";
alter default privileges grant select, insert, update, delete on tables to :"service";
alter default privileges grant usage, select on sequences to :"service";
alter default privileges grant execute on functions to :"service";
SQL
done
echo "databases and roles are there"
