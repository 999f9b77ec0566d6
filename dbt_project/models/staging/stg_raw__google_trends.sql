{{ versions('google_trends', ['symbol', 'capture_date'], ['symbol', 'capture_date', 'score']) }}
