"""How pixel work ends when it does not end well."""


class CodecError(Exception):
    """This object cannot be converted, and trying again would not help."""


class WorkroomError(Exception):
    """Our own side was short of something (disk, processes): the object is not to blame."""
