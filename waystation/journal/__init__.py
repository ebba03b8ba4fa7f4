"""What we promised: arrivals and deliveries, as jobs for `waystation.db.engine.Database`.

Every function here returns a job: a callable that runs inside one transaction and is committed
by the caller (``await database.write(deliveries.settle(settlements))``).  A job may be run twice if
its first transaction was rolled back.
"""
