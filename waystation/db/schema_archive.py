"""The tables of the archive: what it holds, and the index over it.

``archived`` is the archive's own promise, one row for each object that it keeps; everything else
in here follows from those rows and the objects, and can be made anew from them (T-35).
``place`` is the order in which things were filed: an id of our own making.
``level.data`` is a data set in explicit little endian with the attributes of a row; ``others``
holds, as JSON, the values that such an attribute had in other objects (T-32).
"""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, Text, text

from waystation.db.schema_base import Identity, metadata

archived = Table(
    "archived",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    Column("place", BigInteger, nullable=False),
    # When an equal copy came last (Unix seconds), 0 if none did: the study is as young as that.
    Column("again_at", Double, nullable=False, server_default=text("0")),
    # The character set by which it is read if it names none: a guess of its sender's, or "" (T-25).
    Column("read_as", Text, nullable=False, server_default=text("''")),
)

patient = Table(
    "patient",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("issuer", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    # Of a patient without an id: the one study that belongs to it (T-31).
    Column("only_study", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("birth_date", Text, nullable=False),
    Column("n_studies", BigInteger, nullable=False),
    Column("n_series", BigInteger, nullable=False),
    Column("n_instances", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
)
Index(
    "patient_identity",
    patient.c.patient_id,
    patient.c.issuer,
    patient.c.only_study,
    unique=True,
)
Index("patient_in_order", patient.c.patient_id, patient.c.name, patient.c.id)

study = Table(
    "study",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("uid", Text, nullable=False),
    Column("patient", BigInteger, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("birth_date", Text, nullable=False),
    Column("date", Text, nullable=False),
    Column("time", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("study_id", Text, nullable=False),
    Column("description", Text, nullable=False),
    # Sorted, a backslash before, between and behind.
    Column("modalities", Text, nullable=False),
    Column("classes", Text, nullable=False),
    Column("n_series", BigInteger, nullable=False),
    Column("n_instances", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    # 1 if an attribute that can be searched has other values too.
    Column("varied", Integer, nullable=False),
    Column("place", BigInteger, nullable=False),
)
Index("study_by_uid", study.c.uid, unique=True)
Index("study_by_date", study.c.date, study.c.time, study.c.uid)
Index("study_by_patient", study.c.patient)
Index("study_by_patient_id", study.c.patient_id)
Index("study_by_age", study.c.last_at)

series = Table(
    "series",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("uid", Text, nullable=False),
    Column("study", BigInteger, nullable=False),
    Column("modality", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("n_instances", BigInteger, nullable=False),
)
Index("series_of_study", series.c.study, series.c.number, series.c.uid)
Index("series_by_uid", series.c.uid)

instance = Table(
    "instance",
    metadata,
    Column("arrival", Identity, primary_key=True, autoincrement=False),
    # 0 for classes that belong to no study.
    Column("series", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("sop_instance", Text, nullable=False),
    # 0 for a version that a newer one replaces (S-17).
    Column("current", Integer, nullable=False, server_default=text("1")),
)
Index(
    "instance_of_series",
    instance.c.series,
    instance.c.number,
    instance.c.sop_instance,
)

# The attributes of a patient, study or series row, under its id.
level = Table(
    "level",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
    Column("others", Text, nullable=False),
    Column("regions", LargeBinary, nullable=False),
)

# Under what a study is found: the values of all its objects, in the form that is compared.
term = Table(
    "term",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("study", BigInteger, primary_key=True, autoincrement=False),
)
Index("term_of_study", term.c.study)

# What persons corrected about a study; the objects stay as they are (T-32).
correction = Table(
    "correction",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("study", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("author", Text, nullable=False),
    Column("because", Text, nullable=False),
    # JSON: tag as eight hexadecimal digits → text.
    Column("elements", Text, nullable=False),
    # 0 while it is in force.
    Column("undone_at", Double, nullable=False),
    Column("undone_by", Text, nullable=False),
)
Index("correction_of_study", correction.c.study)

# What retention took away: by which rule, or who (T-30).
removal = Table(
    "removal",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("author", Text, nullable=False),
    Column("study", Text, nullable=False),
    Column("instances", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)
