"""The belts, one verb each.  They meet only in the journal and never call each other."""
