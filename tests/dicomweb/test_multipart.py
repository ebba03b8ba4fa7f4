"""Bodies of store requests."""

from email import message_from_bytes

from waystation.dicomweb import multipart


def test_a_body_is_what_any_mime_reader_takes_apart() -> None:
    contents = [b"DICM\0\r\n--x", b"", b"\r\n"]
    body = b"".join(
        multipart.dicom_part("b0undary") + content + multipart.CRLF for content in contents
    )
    whole = body + multipart.end("b0undary")
    head = f"Content-Type: {multipart.content_type('b0undary')}\r\n\r\n".encode()
    message = message_from_bytes(head + whole)
    assert message.get_content_type() == "multipart/related"
    assert message.get_param("type") == "application/dicom"
    parts = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert parts == ["application/dicom"] * 3
    assert whole.count(b"--b0undary") == 4


def test_a_body_without_parts_is_its_end() -> None:
    assert multipart.end("x") == b"--x--\r\n"
