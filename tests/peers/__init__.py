"""Real peers on loopback for tests and benchmarks: DCMTK, Orthanc, pynetdicom, our own node."""
