"""A document for Word, WPS and LibreOffice: a heading, and paragraphs with their speaker and time.

Names, times and the heading have styles of their own, so that a reader changes the look of all at once. Source of the
parts and members: ECMA-376, part 1 (WordprocessingML) and part 2 (packages).
"""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from shared.transcript.formats.context import RenderContext
from shared.transcript.formats.paragraphs import build_paragraphs, format_clock

# Characters of East Asian fonts. With one of them in a text, marks such as “ ” and … are of that font, too.
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")

_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # of every part, so that equal transcripts have equal documents
_UNIX = 3

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_CONTENT = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_CORE = "application/vnd.openxmlformats-package.core-properties+xml"

_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_CONTENT}.document.main+xml"/>'
    f'<Override PartName="/word/styles.xml" ContentType="{_CONTENT}.styles+xml"/>'
    f'<Override PartName="/word/settings.xml" ContentType="{_CONTENT}.settings+xml"/>'
    f'<Override PartName="/docProps/core.xml" ContentType="{_CORE}"/></Types>'
)
_RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>'
    f'<Relationship Id="rId2" Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
    "</Relationships>"
)
_DOCUMENT_RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/settings" Target="settings.xml"/></Relationships>'
)
# Without it, Word opens the document in compatibility mode.
_SETTINGS = (
    f'<w:settings xmlns:w="{_WORD}"><w:compat><w:compatSetting w:name="compatibilityMode" '
    'w:uri="http://schemas.microsoft.com/office/word" w:val="15"/></w:compat></w:settings>'
)
# Sizes are in half points, distances in twentieths of a point.
_STYLES = (
    '<w:styles xmlns:w="{word}"><w:docDefaults><w:rPrDefault><w:rPr>'
    '<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:eastAsia="{font}" w:cs="Arial"/><w:sz w:val="22"/>'
    '<w:lang w:val="{latin}" w:eastAsia="{east_asian}" w:bidi="ar-SA"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr>'
    '<w:spacing w:after="160" w:line="276" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>'
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/><w:qFormat/></w:style>'
    '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/>'
    '<w:next w:val="Normal"/><w:qFormat/><w:pPr><w:keepNext/><w:outlineLvl w:val="0"/></w:pPr>'
    '<w:rPr><w:b/><w:bCs/><w:sz w:val="32"/></w:rPr></w:style>'
    '<w:style w:type="character" w:default="1" w:styleId="DefaultParagraphFont">'
    '<w:name w:val="Default Paragraph Font"/></w:style>'
    '<w:style w:type="character" w:customStyle="1" w:styleId="Speaker"><w:name w:val="Speaker"/><w:qFormat/>'
    "<w:rPr><w:b/><w:bCs/></w:rPr></w:style>"
    '<w:style w:type="character" w:customStyle="1" w:styleId="Time"><w:name w:val="Time"/><w:qFormat/>'
    '<w:rPr><w:color w:val="6B6B6B"/><w:sz w:val="18"/></w:rPr></w:style></w:styles>'
)
_CORE_PROPERTIES = (
    f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title><dc:language>{language}</dc:language>'
    "</cp:coreProperties>"
)
_PAGE = (  # A4 with margins of 2.5 cm
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1417" w:right="1417" w:bottom="1417" '
    'w:left="1417" w:header="708" w:footer="708" w:gutter="0"/></w:sectPr>'
)


class _Language(NamedTuple):
    """The language of a recording, and the font of its Chinese characters, which other countries write differently."""

    tag: str
    font: str = "Microsoft YaHei"


_CHINESE = _Language("zh-CN")
# By the first of these in the name of an engine: the text of 16k_zh_en is mostly Chinese.
_LANGUAGES = {
    "zh": _CHINESE,
    "en": _Language("en-US"),
    "ja": _Language("ja-JP", "Yu Gothic"),
    "ko": _Language("ko-KR", "Malgun Gothic"),
    "ca": _Language("zh-HK", "Microsoft JhengHei"),
    "yue": _Language("zh-HK", "Microsoft JhengHei"),
    "th": _Language("th-TH"),
    "ms": _Language("ms-MY"),
}


def render(context: RenderContext) -> bytes:
    """Return the document. That of a silent recording has its heading only."""
    buffer = BytesIO()
    with ZipFile(buffer, "w") as package:
        for name, pieces in _parts(context):
            info = ZipInfo(name, _FIRST_DATE)
            info.compress_type = ZIP_DEFLATED
            info.create_system = _UNIX
            with package.open(info, "w") as part:
                for piece in pieces:  # compressed one by one: five hours are 10 MB of XML
                    part.write(piece.encode())
    return buffer.getvalue()


def _parts(context: RenderContext) -> Iterator[tuple[str, Iterator[str]]]:
    language = _find_language(context.transcript.engine)
    is_east_asian = language.tag[:2] in {"zh", "ja", "ko"}
    styles = _STYLES.format(
        word=_WORD,
        font=language.font,
        latin="en-US" if is_east_asian else language.tag,
        east_asian=language.tag if is_east_asian else _CHINESE.tag,
    )
    core = _CORE_PROPERTIES.format(title=escape(context.heading), language=language.tag)
    yield "[Content_Types].xml", iter((_DECLARATION, _TYPES))
    yield "_rels/.rels", iter((_DECLARATION, _RELATIONS))
    yield "docProps/core.xml", iter((_DECLARATION, core))
    yield "word/_rels/document.xml.rels", iter((_DECLARATION, _DOCUMENT_RELATIONS))
    yield "word/settings.xml", iter((_DECLARATION, _SETTINGS))
    yield "word/styles.xml", iter((_DECLARATION, styles))
    yield "word/document.xml", _document(context)


def _find_language(engine: str) -> _Language:
    """Return the language of an engine such as 16k_en or 16k_zh_video; Chinese if its name has none of the table."""
    names = engine.split("_")[1:]
    return next((_LANGUAGES[name] for name in names if name in _LANGUAGES), _CHINESE)


def _document(context: RenderContext) -> Iterator[str]:
    yield f'{_DECLARATION}<w:document xmlns:w="{_WORD}"><w:body>'
    yield f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>{_run(context.heading)}</w:p>'
    for start_ms, label, text in build_paragraphs(context.transcript):
        speaker = _run(f"{label}  ", "Speaker") if label else ""
        yield f"<w:p>{speaker}{_run(format_clock(start_ms), 'Time')}<w:r><w:br/></w:r>{_run(text)}</w:p>"
    yield f"{_PAGE}</w:body></w:document>"


def _run(text: str, style: str = "") -> str:
    """Return a piece of text of one style."""
    shown = f'<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'
    properties = f'<w:rStyle w:val="{style}"/>' if style else ""
    if _EAST_ASIAN.search(text):
        properties += '<w:rFonts w:hint="eastAsia"/>'
    return f"<w:r><w:rPr>{properties}</w:rPr>{shown}" if properties else f"<w:r>{shown}"
