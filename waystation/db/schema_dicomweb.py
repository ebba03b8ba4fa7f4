"""What DICOMweb keeps beside the objects, so that no request has to make it.

All of it can be made anew from the objects; it goes with them.
"""

from sqlalchemy import Column, Integer, LargeBinary, Table

from waystation.db.schema_base import Identity, metadata

# DICOM JSON of an object, compressed (W-79).
instance_metadata = Table(
    "instance_metadata",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    # By which edition of the writer it was made.
    Column("edition", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
