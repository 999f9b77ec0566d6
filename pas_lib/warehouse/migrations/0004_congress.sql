-- Trades of Congress from official filings: the filing's number is part of the key.
alter table if exists raw.politician_trades add column if not exists asset text;
alter table if exists raw.politician_trades add column if not exists filing_status text;
alter table if exists raw.politician_trades add column if not exists document text not null default '';
drop index if exists raw.politician_trades_versions;
