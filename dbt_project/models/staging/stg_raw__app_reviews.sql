{{ versions('app_reviews', ['symbol', 'app', 'publisher', 'event_date', 'ordinal'],
    ['symbol', 'app', 'publisher', 'ordinal', 'rating', 'ratings', 'hype', 'rated_on', 'capture_date']) }}
