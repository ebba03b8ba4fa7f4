"""Other routers' configurations, read and said again in our own words (R-83)."""
