"""The ways out: one class per kind, all with the contract of `base.Destination`."""
