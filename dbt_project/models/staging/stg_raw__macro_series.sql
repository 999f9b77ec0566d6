{{ versions('macro_series', ['series_id', 'event_date', 'realtime_start'],
    ['series_id', 'value', 'realtime_start', 'vintage']) }}
