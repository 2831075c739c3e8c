"""A page as a person reads it: its heading, what it says, its forms, its values and its links."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Form:
    """One form of a page.

    Attributes
    ----------
    action, method
        Where it goes, as the page says it, and ``"get"`` or ``"post"``.
    fields
        What is filled in already, by name: hidden values, and the empty fields to type into.
    """

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass
class Page:
    """What a page shows.

    Attributes
    ----------
    url
        Its address.
    status
        Of the answer.
    heading
        Its first heading.
    messages
        What it says about the last thing that was done.
    forms, links
        Forms in order; links as (address, words).
    values
        What is marked as a value, such as the key of an authenticator app, by its name.
    roles
        On the access portal: (account id, permission set's name).
    """

    url: str
    status: int = 200
    heading: str = ""
    messages: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    roles: list[tuple[str, str]] = field(default_factory=list)

    def find_form(self, *names: str, ending: str = "") -> Form | None:
        """Return the first form with all these fields whose address ends so, or None."""
        for form in self.forms:
            path = form.action.partition("?")[0]
            if all(name in form.fields for name in names) and path.endswith(ending):
                return form
        return None

    @property
    def said(self) -> str:
        """The messages in one line, or the heading when there is none."""
        return " ".join(self.messages) or self.heading


def read_page(url: str, status: int, text: str) -> Page:
    """Return what a page's HTML shows."""
    reader = _Reader(Page(url, status))
    reader.feed(text)
    reader.close()
    return reader.page


@dataclass
class _Open:
    """An element that is not closed yet, and the text inside it."""

    tag: str
    attributes: dict[str, str]
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self.page = page
        self._open: list[_Open] = []
        self._account_id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = attributes.get("method", "get").lower()
            self.page.forms.append(Form(attributes.get("action", ""), method))
        elif tag == "input" and self._is_open("form") and _is_sent(attributes):
            self.page.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        self._account_id = attributes.get("data-account-id", self._account_id)
        if "data-role-name" in attributes:
            self.page.roles.append((self._account_id, attributes["data-role-name"]))
        if tag not in _VOID:
            self._open.append(_Open(tag, attributes))

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self._is_open(tag):
            return
        while self._open:
            element = self._open.pop()
            self._note(element)
            if element.tag == tag:
                return

    def _is_open(self, tag: str) -> bool:
        return any(element.tag == tag for element in self._open)

    def _note(self, element: _Open) -> None:
        attributes = element.attributes
        if element.tag == "h1" and not self.page.heading:
            self.page.heading = element.text
        if element.tag == "a" and "href" in attributes:
            self.page.links.append((attributes["href"], element.text))
        if attributes.get("role") in ("alert", "status") and "hidden" not in attributes and element.text:
            self.page.messages.append(element.text)
        if "data-value" in attributes:
            machine_readable = attributes.get("datetime") or attributes.get("href")
            self.page.values[attributes["data-value"]] = machine_readable or "".join(element.words).strip()


def _is_sent(attributes: dict[str, str]) -> bool:
    is_choice = attributes.get("type") in ("checkbox", "radio")
    return bool(attributes.get("name")) and (not is_choice or "checked" in attributes)
