{{ versions('securities', ['security_id', 'symbol'],
    ['security_id', 'symbol', 'name', 'sector', 'industry', 'cik', 'wiki_title', 'exchange', 'asset_class',
     'leverage', 'first_listed']) }}
