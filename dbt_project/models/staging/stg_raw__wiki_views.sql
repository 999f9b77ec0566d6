{{ versions('wiki_views', ['project', 'article', 'access', 'agent', 'event_date'],
    ['project', 'article', 'access', 'agent', 'views']) }}
