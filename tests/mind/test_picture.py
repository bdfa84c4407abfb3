"""The tree of a mind as a picture."""

from xml.etree import ElementTree

import pytest
from PIL import ImageFont

import ninebrains as nb
from tests.brains.making import make_brain


@pytest.mark.parametrize("letter", ["n", "W", "_"])
def test_long_names_stay_in_their_boxes_in_the_picture(letter):
    with nb.Mind() as mind:
        mind.add(make_brain(), name=f"a{letter * 99}")
        picture = ElementTree.fromstring(mind.explain().to_svg())
    font = ImageFont.load_default(12)
    space = "{http://www.w3.org/2000/svg}"
    boxes = [box for box in picture.iter(f"{space}rect") if "x" in box.attrib]
    rooms = {float(box.get("x")): float(box.get("width")) for box in boxes}
    texts = [text for text in picture.iter(f"{space}text") if float(text.get("x")) - 11 in rooms]
    assert "".join(text.text for text in texts).count(letter) >= 99
    for text in texts:
        room = rooms[float(text.get("x")) - 11]
        assert font.getlength(text.text) <= room - 22
