-- The limit of a limit order, in USD on the broker's tick; a market order has none.
alter table ops.orders add column limit_price numeric(24,9) check (limit_price > 0);
