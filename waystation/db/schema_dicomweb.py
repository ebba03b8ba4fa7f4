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

# Where the frames of a big object lie, compressed; that there is a row also says that the object
# was compared with its digest since it was received (W-83).
frame_table = Table(
    "frame_table",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)
