{{ versions('prices', ['symbol', 'event_date'],
    ['symbol', 'open', 'high', 'low', 'close', 'volume', 'currency', 'split_factor']) }}
