{{ versions('dc_insider_scores', ['symbol', 'event_date', 'capture_date'], ['symbol', 'capture_date', 'score']) }}
