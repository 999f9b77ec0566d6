-- Which of two amendments of one day is the later one: the hour of filing, and the number of the amendment.
alter table if exists raw.politician_trades add column if not exists filed_at timestamptz;
alter table if exists raw.politician_trades add column if not exists amendment integer;
