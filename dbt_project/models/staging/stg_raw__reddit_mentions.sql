with mentions as (
    {{ versions('reddit_mentions', ['forum', 'symbol', 'capture_date'],
        ['forum', 'symbol', 'capture_date', 'name', 'rank', 'mentions', 'upvotes', 'rank_24h_ago',
         'mentions_24h_ago']) }}
)

select
    mentions.*,
    -- Mentions are counted by word: these tickers are words of English or of the trade.
    symbol in (
        'A', 'ALL', 'AM', 'ANY', 'ARE', 'BB', 'BE', 'CAN', 'CC', 'CD', 'DD', 'DTE', 'ES', 'EU', 'FOR', 'GL', 'GO', 'HR',
        'IP', 'IQ', 'IT', 'MA', 'NOW', 'ON', 'OR', 'PM', 'RE', 'SEE', 'SO', 'UK', 'UP', 'US', 'YOU'
    ) as is_common_word
from mentions
