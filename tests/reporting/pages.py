"""Reads a page as a browser would, far enough to check it."""

from html.parser import HTMLParser

_NO_END = {"meta", "img", "input", "br", "hr", "link"}


class Page(HTMLParser):
    """The page's text, its tags with attributes, and whether they are balanced."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.words, self.styles = [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in _NO_END and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data):
        (self.styles if self.open and self.open[-1] == "style" else self.words).append(data)

    def all(self, tag, **wanted):
        """Attributes of all elements with this tag and these attribute values."""
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]

    @property
    def photos(self):
        """Texts of the photos that are shown."""
        return [image["alt"] for image in self.all("img") if image["alt"]]
