{{ versions('politician_trades',
    ['politician', 'symbol', 'transaction_date', 'report_date', 'transaction', 'amount_range', 'owner', 'ordinal'],
    ['politician', 'bioguide_id', 'chamber', 'party', 'symbol', 'asset_type', 'transaction', 'amount_range',
     'amount_low', 'amount_high', 'transaction_date', 'report_date', 'owner', 'ordinal']) }}
