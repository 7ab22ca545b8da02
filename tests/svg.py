"""What stands in a picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET


def texts(svg: str) -> list[str]:
    """The words in a picture. Raises ParseError if it is not XML."""
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter() if node.tag.endswith("text")]
