"""The worklist: steps, what happened to them, and who asked.

``step.data`` is a data set in explicit little endian; ``view`` the same decoded, to answer from.
Everything else in a row of ``step`` follows from them and from its state, in the forms of
`matching.preselect`.  ``seen``: 0 off the list, 1 listed; 2 listed and 3 off the list with several
values where one belongs, so that only the data set can tell (T-1).
"""

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, Table, Text

from waystation.db.schema_base import Identity, metadata

step = Table(
    "step",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("area", Text, nullable=False),
    Column("start", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("step_id", Text, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("accession", Text, nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("patient_name", Text, nullable=False),
    Column("procedure_id", Text, nullable=False),
    Column("modality", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("placer", Text, nullable=False),
    Column("filler", Text, nullable=False),
    # Keywords, a blank between them.
    Column("missing", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("view", Text, nullable=False),
    # kind, name and detail of who made it, a tab between them.
    Column("origin", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("state_at", Double, nullable=False),
    Column("deleted_at", Double),
)
Index("step_in_order", step.c.seen, step.c.start, step.c.station, step.c.step_id, step.c.id)
Index(
    "step_by_modality",
    step.c.seen,
    step.c.modality,
    step.c.start,
    step.c.station,
    step.c.step_id,
    step.c.id,
)
Index("step_by_state", step.c.state, step.c.start)
Index("step_by_study", step.c.study_uid)
Index("step_by_accession", step.c.accession)
Index("step_by_patient", step.c.patient_id)
Index("step_by_procedure_id", step.c.procedure_id)
Index("step_by_step_id", step.c.step_id)
Index("step_by_placer", step.c.placer)
Index("step_by_filler", step.c.filler)

# Under what a step is found where it may have several: ae, name (folded groups), word (folded).
step_term = Table(
    "step_term",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("start", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
)
Index("term_of_step", step_term.c.step)

step_history = Table(
    "step_history",
    metadata,
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("author", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("why", Text, nullable=False),
    # JSON: keyword → text.
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
)

# Ids of our own making, so that none is given out twice (T-54).
step_made = Table(
    "step_made",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
)

# What the form of the page is filled from (T-62).
step_template = Table(
    "step_template",
    metadata,
    # procedure or station
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    # JSON: field → text.
    Column("said", Text, nullable=False),
)

mpps = Table(
    "mpps",
    metadata,
    Column("sop_instance", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("study_uid", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
)
Index("mpps_by_study", mpps.c.study_uid)
Index("mpps_by_age", mpps.c.changed_at)

mpps_step = Table(
    "mpps_step",
    metadata,
    Column("sop_instance", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
)
Index("mpps_of_step", mpps_step.c.step)

# What still goes on to other SCPs, in the order in which it came (T-58).
mpps_forward = Table(
    "mpps_forward",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("target", Text, nullable=False),
    Column("sop_instance", Text, nullable=False),
    # create, set or event
    Column("operation", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # open, done, given-up
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Double, nullable=False),
    Column("why", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)
Index("mpps_forward_due", mpps_forward.c.state, mpps_forward.c.target, mpps_forward.c.id)

# The last real queries of each caller (T-62).
query_log = Table(
    "query_log",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("calling_ae", Text, nullable=False),
    Column("called_ae", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("area", Text, nullable=False),
    # The identifier as it came, and its transfer syntax.
    Column("identifier", LargeBinary, nullable=False),
    Column("syntax", Text, nullable=False),
    Column("options", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answers", BigInteger, nullable=False),
    Column("ms", Double, nullable=False),
)
Index("query_log_by_caller", query_log.c.calling_ae, query_log.c.id)
