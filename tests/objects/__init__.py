"""Synthetic DICOM objects for tests and benchmarks: deterministic, cheap, without patient data."""
