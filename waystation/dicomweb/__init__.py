"""DICOMweb without I/O: what is written into requests and read out of answers."""
