"""Which object goes where: conditions, rules and plans.  Pure."""
