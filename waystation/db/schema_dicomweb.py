"""What DICOMweb keeps beside the objects, so that no request has to make it.

All of it but ``deletion`` can be made anew from the objects, and goes with them.
"""

from sqlalchemy import Column, Double, Integer, LargeBinary, Table, Text

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

# What was deleted on request: UIDs of studies, series and instances (W-99).
deletion = Table(
    "deletion",
    metadata,
    Column("uid", Text, primary_key=True),
    Column("at", Double, nullable=False),
)
