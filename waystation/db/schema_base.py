"""What every table of the schema is made with."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

# SQLite keeps a row at its key only if the type says INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")
