-- Shares that a corporate action takes away for money or for nothing are a trade with a realised profit, too.

alter table ops.trades drop constraint trades_kind_check;
alter table ops.trades drop constraint trades_price_check;

-- kind: fill (at the broker), cross (between two portfolios), external (traded by hand), removal (cash merger, delisting,
-- worthless removal: qty gone, notional the proceeds of the book, which may be nothing)
alter table ops.trades add constraint trades_kind_check check (kind in ('fill', 'cross', 'external', 'removal'));
alter table ops.trades add constraint trades_price_check check (price > 0 or (price = 0 and kind = 'removal'));

alter table ops.ledger_entries drop constraint ledger_entries_kind_check;
alter table ops.ledger_entries add constraint ledger_entries_kind_check
    check (kind in ('opening', 'fill', 'cross', 'external', 'funding', 'dividend', 'fee', 'transfer', 'split', 'removal',
                    'rounding', 'adjustment'));
