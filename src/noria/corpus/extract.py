"""What every extractor hands back, and the one door to kreuzberg."""

import re
from dataclasses import dataclass
from typing import Any

from noria.errors import ExtractionError
from noria.types import Heading

TIMEOUT_SECONDS = 300  # of parsing one file; a 114-page PDF takes half a second


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a file, with the structure found in it; offsets are into ``text``."""

    text: str
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()


def kreuzberg(data: bytes, media_type: str, **options: Any) -> Any:
    """What kreuzberg makes of ``data``; its errors become ExtractionError, in one line."""
    import kreuzberg as library

    config = library.ExtractionConfig(
        use_cache=False,  # its cache is a folder in the user's working directory
        disable_ocr=True,  # needs tesseract; minutes a page
        extraction_timeout_secs=TIMEOUT_SECONDS,
        **options,
    )
    try:
        return library.extract_bytes_sync(data, media_type, config=config)
    except library.KreuzbergError as error:
        raise ExtractionError(one_line(str(error))) from error


def one_line(message: str) -> str:
    """The gist of a message that kreuzberg nests: its parts without the repeats.

    >>> one_line("ParsingError: Invalid PDF: FormatError: Invalid PDF: FormatError")
    'Invalid PDF: FormatError'
    """
    parts = re.split(r":\s+", " ".join(message.split()))
    distinct = [part for part in dict.fromkeys(parts) if part != "ParsingError"]
    return ": ".join(distinct)
