"""Tar files that no program writes, from headers made by hand."""

import tarfile


def header(name: str, size: int | bytes, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A header of 512 bytes; a size in bytes stands in its field as it is."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136] = (b"%011o\0" % size if isinstance(size, int) else size).ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(name: str, data: bytes) -> bytes:
    return header(name, len(data)) + padded(data)


def base_256(size: int) -> bytes:
    """A size as GNU tar writes it where the octal digits do not reach, or where it is negative."""
    return bytes([0o377 if size < 0 else 0o200]) + (size % (1 << 88)).to_bytes(11, "big")


def pax(**records: object) -> bytes:
    """An extended header for the member behind it."""
    data = b""
    for name, value in records.items():
        record = f" {name.replace('__', '.')}={value}\n".encode()
        length = len(record)
        while len(str(length)) + len(record) != length:
            length = len(str(length)) + len(record)
        data += str(length).encode() + record
    return header("pax", len(data), tarfile.XHDTYPE) + padded(data)


END = bytes(1024)
GOOD = member("000/good.jpg", b"good picture")
HOSTILE = {
    "a negative size": header("x", base_256(-512)) + padded(b"x"),
    "a size that leads to the start": header("x", base_256(-1536)) + padded(b"x"),
    "a size of 2^60": header("x", base_256(1 << 60)) + padded(b"x"),
    "a size of 2^87": header("x", base_256(1 << 87)) + padded(b"x"),
    "no size": header("x", b"not octal") + padded(b"x"),
    "a negative size in an extended header": pax(size=-512) + header("x", 0) + padded(b"x"),
    "an absurd size in an extended header": pax(size=10**40) + header("x", 1) + padded(b"x"),
    "a size of 2^62 in an extended header": pax(size=1 << 62) + header("x", 1) + padded(b"x"),
    "words for a size in an extended header": pax(size="many") + header("x", 1) + padded(b"x"),
    "an extended header of 2^60 bytes": header("pax", base_256(1 << 60), tarfile.XHDTYPE) + padded(b"x"),
    "a negative extended header": header("pax", base_256(-512), tarfile.XHDTYPE) + padded(b"x"),
    "an extended header of digits": header("pax", 1 << 16, tarfile.XHDTYPE) + b"1" * (1 << 16),
    "a long name of 2^60 bytes": header("x", base_256(1 << 60), tarfile.GNUTYPE_LONGNAME),
    "headers within headers": header("x", 2, tarfile.GNUTYPE_LONGNAME).ljust(1024, b"x") * 3000,
    "a sparse map without an end": pax(GNU__sparse__major=1, GNU__sparse__minor=0, GNU__sparse__realsize=9)
    + header("x", 512)
    + padded(b"9" * 512),
    "a sparse map of 2^60 entries": pax(GNU__sparse__major=1, GNU__sparse__minor=0, GNU__sparse__realsize=9)
    + header("x", 512)
    + padded(b"1152921504606846976\n" * 20),
    "an old sparse header": header("x", 512, tarfile.GNUTYPE_SPARSE) + padded(b"x"),
    "a type without a meaning": header("x", base_256(-512), b"?") + padded(b"x"),
    "noise": bytes(range(256)) * 8,
}
