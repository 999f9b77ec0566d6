{{ lines('prices', ['symbol', 'open', 'close', 'volume']) }}
