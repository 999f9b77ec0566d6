-- Which filing an amendment corrects.
alter table if exists raw.insider_buying add column if not exists original_filed date;
