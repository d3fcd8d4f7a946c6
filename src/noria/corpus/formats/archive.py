"""ZIP files that may be lies: what they say of themselves is checked, then held to.

No member is unpacked past the size that the table of contents declares for it, and the declared
sizes together are bounded; so a bomb is refused, and so is one with false sizes.
"""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO

from noria.errors import ExtractionError

MAGIC = b"PK\x03\x04"
MEMBERS = 20_000  # of one archive; each costs a look-up
RATIO = 300  # times by which a member may shrink; office files shrink up to 50 times
RATIO_FROM = 1_000_000  # bytes: smaller members may be as empty as they like
KNOWN = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Archive:
    """The members of a ZIP file, by their names."""

    file: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def read(self, name: str) -> bytes:
        """A member, whole. Raises ExtractionError if it is missing, locked or not as declared."""
        member = self.members.get(name)
        if member is None:
            raise ExtractionError(f"damaged: '{name}' is missing in it; open and save it again")
        if member.flag_bits & ENCRYPTED:
            raise ExtractionError("it is encrypted; save it without a password")
        try:
            with self.file.open(member) as content:
                # asked for so many bytes, zlib unpacks no more, whatever is in there
                data = content.read(member.file_size) if member.file_size else b""
                content.read(1)  # the end: the checksum is looked at
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise ExtractionError(f"damaged: '{name}' cannot be unpacked: {error}") from error
        if len(data) != member.file_size:
            raise ExtractionError(f"damaged: '{name}' is shorter than declared")
        return data


def opened(data: bytes, limit: int | None = None) -> Archive:
    """The ZIP file in ``data``; unpacked, all of it may have ``limit`` bytes.

    Raises ExtractionError if it is damaged or too large.
    """
    try:
        file = zipfile.ZipFile(BytesIO(data))
        infos = file.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise ExtractionError(f"damaged: a ZIP file that cannot be opened: {error}") from error
    except (struct.error, OSError) as error:
        raise ExtractionError("damaged: a ZIP file cut short; fetch it again") from error
    if len(infos) > MEMBERS:
        raise ExtractionError(f"an archive of {len(infos)} files; at most {MEMBERS} are read")
    for info in infos:
        check(info)
    if limit is not None and sum(info.file_size for info in infos) > limit:
        raise ExtractionError(
            f"unpacked, it is larger than {limit // 1_000_000} MB; "
            "raise corpus.max_file_mb or split it"
        )
    # the last of a name counts, as for whoever wrote it
    return Archive(file, {info.filename.lstrip("/"): info for info in infos})


def check(info: zipfile.ZipInfo) -> None:
    """Refuse a member that no office program writes."""
    if info.compress_type not in KNOWN:  # others unpack without a bound
        raise ExtractionError(f"'{info.filename}' is packed in a way that is not read; repack it")
    if info.file_size > max(RATIO_FROM, RATIO * info.compress_size):
        raise ExtractionError(
            f"'{info.filename}' unpacks to {info.file_size // max(info.compress_size, 1)} times "
            f"its size; more than {RATIO} is taken for a bomb"
        )
