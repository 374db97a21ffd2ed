#!/usr/bin/env python3
"""Is a page one well-formed file that refers to nothing outside itself and runs nothing?

page_check.py PAGE.html   exit 1 with what is wrong
"""
import math
import re
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

NUMBERS = {"x", "y", "width", "height", "cx", "cy", "r"}
# Elements and attributes that load, run or lead elsewhere.
ELEMENTS = {"script", "link", "iframe", "object", "embed", "img", "image", "use", "base", "a", "form", "foreignobject"}
ATTRIBUTES = {"src", "href", "xlink:href", "srcset", "action", "data", "style"}


class Tags(HTMLParser):
    """The same file read as browsers do: the same tags must come out."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def check(text):
    root = ElementTree.fromstring(text)  # well-formed XML, or an exception
    reader = Tags()
    reader.feed(text)
    elements = [e.tag.lower() for e in root.iter()]
    if reader.tags != elements:
        yield "an HTML parser sees other elements than an XML parser"
    for e in root.iter():
        if e.tag.lower() in ELEMENTS:
            yield f"<{e.tag}> loads or runs something"
        for name, value in e.attrib.items():
            if name in ATTRIBUTES or name.startswith("on"):
                yield f"<{e.tag} {name}=...>"
            if name in NUMBERS and not math.isfinite(float(value)):
                yield f"<{e.tag} {name}={value!r}>: not a number"
            if name == "d" and not re.fullmatch(r"[MLlVvHhmz0-9 .\-]*", value):
                yield f"a path holds {value[:60]!r}"
    if re.search(r"https?:|url\(|@import|javascript:", text):
        yield "a reference outside the file"
    if len(text.encode()) > 2 << 20:
        yield f"{len(text.encode())} bytes: more than 2 MiB"
    svgs = [e for e in root.iter("svg") if "bar" not in e.get("class", "")]
    if any("viewBox" not in e.attrib or "aria-label" not in e.attrib for e in svgs):
        yield "an <svg> without viewBox or aria-label"


wrong = [w for path in sys.argv[1:] for w in check(open(path, encoding="utf-8").read())]
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
