"""The Portfolio Allocation System's library: from raw public rows to filled orders.

Data flows one way: ``sources`` → ``landing`` → ``raw`` → dbt marts → ``strategies`` → ``allocation`` → ``regime``
→ ``risk`` → ``execution``. The mathematics is pure; whatever touches a network, a disk or a database has a room
of its own.
"""
