{{ versions('sp500_index', ['symbol', 'event_date'],
    ['symbol', 'open', 'high', 'low', 'close', 'volume', 'currency']) }}
