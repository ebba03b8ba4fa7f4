"""What cannot be changed, in words for the person who finds the object held."""


class UnfitError(Exception):
    """This object cannot be had in that form; nothing of it was changed."""


class NoEncoderError(UnfitError):
    """The encoder is not here, or cannot say this image without changing it."""
