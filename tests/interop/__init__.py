"""Our node among real peers on loopback: DCMTK, Orthanc, pynetdicom, and peers that misbehave."""
