"""What we keep and can be asked for: patients, studies, series, instances (toolkit T-29 to T-37).

The archive is an index over sealed bytes that the journal knows already, never a second copy.
`archive.Archive` answers: `search(query, area=...)` for records, `instances(wanted)` for objects.
`filing.file` puts objects on file in the transaction of whoever keeps them.
"""
