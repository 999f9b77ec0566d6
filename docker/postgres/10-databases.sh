#!/bin/bash
# Runs once, when the server's volume is new: two databases, each owned by a role that cannot open the other one, and
# the role of the API, whose rights inside the warehouse `prepare` grants.
set -euo pipefail
psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
  --set warehouse="$WAREHOUSE_DB_PASSWORD" --set api="$API_DB_PASSWORD" --set airflow="$AIRFLOW_DB_PASSWORD" <<'SQL'
create role pas login password :'warehouse';
create role pas_api login password :'api';
create role airflow login password :'airflow';
create database pas owner pas encoding 'UTF8' template template0;
create database airflow owner airflow encoding 'UTF8' template template0;
revoke connect, temporary on database pas from public;
revoke connect, temporary on database airflow from public;
grant connect, temporary on database pas to pas_api;
SQL
