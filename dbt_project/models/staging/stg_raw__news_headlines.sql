{{ versions('news_headlines', ['url', 'symbol'],
    ['url', 'symbol', 'headline', 'publisher', 'published_at', 'published_precision', 'capture_date', 'sentiment',
     'sentiment_library', 'sentiment_version']) }}
