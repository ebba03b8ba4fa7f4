"""Our nouns as frozen values: no behaviour that touches the world."""
