"""Settings → the limits of the broker's cache, and what holds for all its retrievals."""

from waystation.app.settings import Settings
from waystation.flows.broker import BrokerTerms
from waystation.flows.cache import CacheLimits


def cache_limits(settings: Settings) -> CacheLimits:
    """Return the limits of the cache."""
    table = settings.cache
    return CacheLimits(
        max_bytes=table.max_size, min_free_bytes=table.min_free, max_age_s=table.max_age
    )


def broker_terms(settings: Settings) -> BrokerTerms:
    """Return what holds for every source."""
    web = settings.web
    return BrokerTerms(partial=web.partial, retry_after_s=web.retry_after_max)
