"""One HTTP request for the rest of a file, and what the answer promises.

Plain urllib: only http and https, certificates checked by the default context, proxies as the environment
says, redirects to http and https only. A request for a rest says which version it belongs to (If-Range,
RFC 9110 section 13.1.5), so that a file that changed on the server comes whole and new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from .errors import ModelFetchError

if TYPE_CHECKING:
    from http.client import HTTPMessage, HTTPResponse

__all__ = ["Answer", "ask"]

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        response: to read the bytes from, and to close.
        start: the offset in the file of the first byte that comes.
        length: the length of the whole file as the server states it; None where it does not.
        validator: what names this version of the file (a strong ETag, else Last-Modified); "" without.
    """

    response: HTTPResponse
    start: int
    length: int | None
    validator: str


class _Redirects(HTTPRedirectHandler):
    max_redirections = 8

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in {"http", "https"}:
            fp.close()
            remedy = "the address in the card is no longer good"
            raise ModelFetchError(f"{req.full_url}: leads to {newurl:.200}, which is not http; {remedy}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    # build_opener would add handlers for file:, ftp: and data: as well.
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, _Redirects):
        opener.add_handler(handler())
    opener.add_handler(HTTPDefaultErrorHandler())
    opener.add_handler(HTTPErrorProcessor())
    return opener


def ask(url: str, start: int, validator: str, *, timeout: float) -> Answer:
    """Ask for a file from byte ``start`` on.

    Args:
        url: http or https.
        start: bytes that are here already.
        validator: of the version they belong to; "" when unknown.
        timeout: seconds to wait for the connection, and for any bytes.

    Raises:
        ModelFetchError: a redirect leads elsewhere than http.
        urllib.error.HTTPError: the server answered with an error.
        OSError: there is no connection.
    """
    headers = {"User-Agent": "unbraid", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    request = Request(url, headers=headers)  # noqa: S310 - the opener knows only http and https
    response: HTTPResponse = _opener().open(request, timeout=timeout)
    etag = response.headers.get("ETag", "")
    named = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
    if response.status == 206:
        begin, total = _range(response.headers.get("Content-Range", ""))
        return Answer(response, begin, total, named)
    stated = response.headers.get("Content-Length", "")[:18]
    return Answer(response, 0, int(stated) if stated.isdecimal() else None, named)


def _range(text: str) -> tuple[int, int | None]:
    """Return where a part begins (-1 where that is not said), and the length of the whole."""
    found = _CONTENT_RANGE.fullmatch(text.strip())
    if found is None:
        return -1, None
    return int(found[1]), None if found[3] == "*" else int(found[3])
