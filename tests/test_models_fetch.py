"""Fetching a model: whole and right, or one clear line; what came stays for the next time.

A server of the test's own breaks off, lies about length, sends something else, forgets how to resume.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from unbraid.host.models import (
    Licence,
    ModelCard,
    ModelCorruptError,
    ModelFetchError,
    ModelFile,
    ModelMissingError,
    OfflineError,
    Patience,
    Store,
    fetch,
    write_card,
)
from unbraid.host.models.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = np.random.default_rng(6).bytes(300_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(attempts=3, pause=0.01, timeout=5.0)


class Behaviour:
    """How the server answers one request; by default as a good one does."""

    def __init__(
        self,
        *,
        content: bytes = CONTENT,
        breaks_after: int | None = None,
        resumes: bool = True,
        etag: str = '"one"',
        length: int | None = None,
        status: int = 0,
        location: str = "",
        endless: bool = False,
        hangs: bool = False,
        stalls: bool = False,
    ) -> None:
        self.content, self.breaks_after, self.resumes, self.etag = content, breaks_after, resumes, etag
        self.length, self.status, self.location = length, status, location
        self.endless, self.hangs, self.stalls = endless, hangs, stalls


class Server(ThreadingHTTPServer):
    daemon_threads = True
    script: list[Behaviour]
    asked: list[dict[str, str]]
    stop: threading.Event


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        script, asked = self.server.script, self.server.asked
        asked.append(dict(self.headers))
        now = script.pop(0) if len(script) > 1 else script[0]
        self.close_connection = True
        if now.hangs:
            self.server.stop.wait(10)
            return
        if now.status:
            self.send_response(now.status)
            for name, value in (("Location", now.location), ("Content-Length", "0"), ("Retry-After", "0")):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            return
        self.send_file(now)

    def send_file(self, now: Behaviour) -> None:
        start = 0
        wanted = self.headers.get("Range", "")
        if now.resumes and wanted and self.headers.get("If-Range", now.etag) == now.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        body = now.content[start:]
        self.send_response(206 if start else 200)
        if now.etag:
            self.send_header("ETag", now.etag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(now.content) - 1}/{len(now.content)}")
        if not now.endless:
            self.send_header("Content-Length", str(len(body) if now.length is None else now.length))
        self.end_headers()
        self.wfile.write(body[: now.breaks_after])
        if now.endless:
            self.wfile.write(bytes(10))
        if now.stalls:
            self.server.stop.wait(30)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.script, server.asked, server.stop = [Behaviour()], [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv("UNBRAID_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Store(tmp_path / "store")


def card(server: Server | None, **changes: Any) -> ModelCard:
    port = 9 if server is None else server.server_address[1]
    terms: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/w.bin", "sha256": SHA256, "size": len(CONTENT)}
    file = ModelFile("w.bin", "safetensors", **{**terms, **changes})
    licence = Licence("MIT", "CC-BY-NC-4.0")
    return ModelCard("tiny", "Tiny", "tiny", 44100, "stereo", ("voice",), (file,), licence)


def partial(store: Store, model: ModelCard) -> Path:
    path = store.path(model, model.files[0])
    return path.with_name(f"{path.name}.partial")


def left(store: Store) -> list[str]:
    """Everything in the store but the lock."""
    return sorted(path.name for path in store.root.rglob("*") if path.is_file() and path.name != ".lock")


# What arrives


def test_a_model_that_is_fetched_is_here_and_whole(server: Server, store: Store) -> None:
    seen: list[tuple[str, int, int]] = []
    (path,) = fetch(card(server), store, progress=lambda *told: seen.append(told), patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert store.find(card(server)) == [path]
    assert seen[-1] == ("w.bin", len(CONTENT), len(CONTENT))
    assert left(store) == ["w.bin", "w.bin.seen.json"]


def test_what_is_here_is_not_fetched_again_unless_forced(server: Server, store: Store) -> None:
    for force, requests in ((False, 1), (False, 1), (True, 2)):
        fetch(card(server), store, force=force, patience=QUICK)
        assert len(server.asked) == requests


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: Server, store: Store) -> None:
    server.script = [Behaviour(breaks_after=100_000), Behaviour(breaks_after=50_000), Behaviour()]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.asked[1]["If-Range"] == '"one"'


def test_what_came_stays_for_the_next_fetch(server: Server, store: Store) -> None:
    server.script = [Behaviour(breaks_after=200_000), Behaviour(breaks_after=0)]
    with pytest.raises(
        ModelFetchError, match=r"200000 of 300001 bytes; 0\.2 MB of 0\.3 MB are here, and the"
    ):
        fetch(card(server), store, patience=QUICK)
    with pytest.raises(ModelMissingError, match="unbraid models fetch tiny"):
        store.find(card(server))
    server.script, server.asked[:] = [Behaviour()], []
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == ["bytes=200000-"]


def test_a_server_that_cannot_resume_sends_it_all_again(server: Server, store: Store) -> None:
    server.script = [Behaviour(breaks_after=100_000), Behaviour(resumes=False)]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT


def test_a_file_that_changes_on_the_server_is_not_sewn_together(server: Server, store: Store) -> None:
    old = bytes(len(CONTENT))
    server.script = [Behaviour(content=old, etag='"old"', breaks_after=100_000), Behaviour(etag='"new"')]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_tag_a_wrong_beginning_is_found_by_the_hash(
    server: Server, store: Store, etag: str
) -> None:
    partial(store, card(server)).parent.mkdir(parents=True)
    partial(store, card(server)).write_bytes(bytes(100_000))
    server.script = [Behaviour(etag=etag)]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == ["bytes=100000-", None]


def test_a_weak_tag_is_no_promise_of_the_same_bytes(server: Server, store: Store) -> None:
    """RFC 9110, 13.1.5: If-Range takes strong validators only."""
    server.script = [Behaviour(etag='W/"weak"', breaks_after=100_000), Behaviour(etag='W/"weak"')]
    fetch(card(server), store, patience=QUICK)
    assert [asked.get("If-Range") for asked in server.asked] == [None, None]


def test_sending_it_all_again_leaves_nothing_of_the_first_time(server: Server, store: Store) -> None:
    old = Behaviour(content=bytes(len(CONTENT)), etag="", breaks_after=100_000)
    server.script = [old, Behaviour(resumes=False, etag="", breaks_after=50_000), Behaviour(etag="")]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert [asked.get("Range") for asked in server.asked] == [None, "bytes=100000-", "bytes=50000-"]


@pytest.mark.parametrize("length", [len(CONTENT), len(CONTENT) + 7])
def test_a_partial_file_of_any_length_is_no_obstacle(server: Server, store: Store, length: int) -> None:
    partial(store, card(server)).parent.mkdir(parents=True)
    partial(store, card(server)).write_bytes((CONTENT + bytes(7))[:length])
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == (length != len(CONTENT))


def test_a_range_that_the_server_refuses_is_given_up(server: Server, store: Store) -> None:
    server.script = [Behaviour(breaks_after=100_000), Behaviour(status=416), Behaviour()]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT


def test_a_server_that_is_busy_is_asked_again(server: Server, store: Store) -> None:
    server.script = [Behaviour(status=503), Behaviour(status=429), Behaviour()]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT


def test_a_redirect_is_followed(server: Server, store: Store) -> None:
    server.script = [Behaviour(status=302, location="/elsewhere"), Behaviour()]
    (path,) = fetch(card(server), store, patience=QUICK)
    assert path.read_bytes() == CONTENT


# What is refused


def test_another_content_is_deleted_and_both_hashes_are_told(server: Server, store: Store) -> None:
    server.script = [Behaviour(content=bytes(len(CONTENT)))]
    with pytest.raises(ModelCorruptError) as raised:
        fetch(card(server), store, patience=QUICK)
    assert SHA256 in str(raised.value)
    assert hashlib.sha256(bytes(len(CONTENT))).hexdigest() in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not [name for name in left(store) if not name.endswith(".version")]


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (Behaviour(length=200_000), "the server's file has 200000 bytes, the card says 300001"),
        (Behaviour(length=400_000), "the server's file has 400000 bytes, the card says 300001"),
        (Behaviour(content=CONTENT[:-1]), "the server's file has 300000 bytes, the card says 300001"),
        (Behaviour(content=CONTENT[:-1], endless=True), "sends more than the 300001 bytes"),
        (Behaviour(content=CONTENT, breaks_after=0, length=None), "the connection ended after 0 of 300001"),
        (Behaviour(status=404), "the server answers 404 Not Found; see where the model comes from"),
        (Behaviour(status=503), "the server answers 503 .*; nothing is here yet"),
        (
            Behaviour(status=302, location="file:///etc/hostname"),
            "to url 'file:///etc/hostname' is not allowed",
        ),
        (
            Behaviour(status=302, location="ftp://127.0.0.1/w"),
            "leads to ftp://127.0.0.1/w, which is not http",
        ),
    ],
    ids=["short", "long", "cut", "endless", "breaks", "absent", "busy", "to-a-file", "to-ftp"],
)
def test_whatever_is_wrong_is_one_line_and_no_model(
    server: Server, store: Store, behaviour: Behaviour, told: str
) -> None:
    server.script = [behaviour]
    with pytest.raises(ModelFetchError, match=told) as raised:
        fetch(card(server), store, patience=QUICK)
    assert "\n" not in str(raised.value)
    assert not store.path(card(server), card(server).files[0]).exists()


def test_a_server_that_falls_silent_is_not_waited_for_forever(server: Server, store: Store) -> None:
    server.script = [Behaviour(hangs=True)]
    with pytest.raises(ModelFetchError, match="timed out"):
        fetch(card(server), store, patience=Patience(attempts=2, pause=0.01, timeout=0.1))


def test_a_server_that_is_not_there_is_told(store: Store) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/w.bin"
        with pytest.raises(ModelFetchError, match="no connection: Connection refused; nothing is here yet"):
            fetch(card(None, url=url), store, patience=QUICK)


def test_a_disk_that_is_full_is_told_and_nothing_gets_the_name(server: Server, store: Store) -> None:
    model = card(server)
    partial(store, model).parent.mkdir(parents=True)
    partial(store, model).symlink_to("/dev/full")
    with pytest.raises(ModelFetchError, match="no space left on the disk") as raised:
        fetch(model, store, patience=QUICK)
    assert "\n" not in str(raised.value)
    assert not store.path(model, model.files[0]).exists()


def test_a_model_larger_than_the_disk_is_not_begun(server: Server, store: Store) -> None:
    server.script = [Behaviour(length=1 << 50)]
    with pytest.raises(ModelFetchError, match=r"no space left on the disk: \d+\.\d MB are needed"):
        fetch(card(server, size=1 << 50), store, patience=QUICK)


def test_a_file_that_comes_with_a_package_is_not_fetched(store: Store) -> None:
    with pytest.raises(ModelMissingError, match="unbraid models import FILE --like tiny"):
        fetch(card(None, url=""), store, patience=QUICK)


# Offline


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_opens_no_connection(
    server: Server, store: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "environment":
        monkeypatch.setenv("UNBRAID_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"offline, so w\.bin cannot be fetched; unset UNBRAID_OFFLINE"):
        fetch(card(server), store, offline=how == "argument", patience=QUICK)
    assert server.asked == []


def test_offline_is_no_obstacle_for_what_is_here(server: Server, store: Store) -> None:
    paths = fetch(card(server), store, patience=QUICK)
    assert fetch(card(server), store, offline=True) == paths
    assert len(server.asked) == 1


# Interrupted


def test_an_interrupted_fetch_keeps_what_came(server: Server, store: Store) -> None:
    model = card(server)
    cards = store.root.parent / "data" / "unbraid" / "models"
    cards.mkdir(parents=True)
    (cards / "tiny.yaml").write_text(write_card(model))
    server.script = [Behaviour(breaks_after=100_000, stalls=True)]
    folders = {"UNBRAID_MODELS": str(store.root), "XDG_DATA_HOME": str(store.root.parent / "data")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from unbraid.host.cli import main; main()", "models", "fetch", "tiny"],
        env={**os.environ, **folders, "UNBRAID_THIRD_PARTY": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not (partial(store, model).exists() and partial(store, model).stat().st_size == 100_000):
        assert time.monotonic() < until
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    told = "unbraid: interrupted; what came of tiny stays, and the next fetch goes on from there"
    assert err.splitlines() == [model.notice, told]
    server.script = [Behaviour()]
    (path,) = fetch(model, store, patience=QUICK)
    assert path.read_bytes() == CONTENT
    assert server.asked[-1]["Range"] == "bytes=100000-"


# Several at once


FETCHING = """
import sys
from pathlib import Path
from unbraid.host.models import Patience, Store, fetch, parse_card
card = parse_card(sys.stdin.read(), "stdin")
print("ready", flush=True)
(path,) = fetch(card, Store(Path(sys.argv[1])), patience=Patience(pause=0.01))
print(path)
"""


def test_two_processes_that_fetch_one_model_do_not_harm_each_other(server: Server, store: Store) -> None:
    server.script = [Behaviour(breaks_after=100_000), Behaviour()]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCHING, str(store.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(write_card(card(server)))
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=60)[0] for process in processes]
    where = store.path(card(server), card(server).files[0])
    assert said == [f"ready\n{where}\n"] * 2
    assert where.read_bytes() == CONTENT
    assert len(server.asked) == 2, "one fetched it in two parts, the other found it"
    assert left(store) == ["w.bin", "w.bin.seen.json"]


def test_a_store_that_cannot_be_written_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ModelFetchError, match=r"cannot be written: .*; set UNBRAID_MODELS"):
        fetch(card(server), Store(tmp_path / "file"), patience=QUICK)


def test_whoever_waits_is_told_for_what(server: Server, store: Store) -> None:
    model, said, inside = card(server), [], threading.Event()

    def told(text: str) -> None:
        said.append(text)
        inside.set()

    with locked(store.root / model.id / ".lock", lambda: None):
        thread = threading.Thread(target=lambda: fetch(model, store, told=told, patience=QUICK))
        thread.start()
        assert inside.wait(10)
        assert server.asked == []
    thread.join()
    assert said == ["another process is fetching tiny; waiting for it"]
    assert store.find(model)


def test_the_default_patience_outlasts_a_short_outage() -> None:
    patience = Patience()
    waits = [patience.pause * 2**i for i in range(patience.attempts - 1)]
    assert sum(waits) >= 15
    assert 5 <= patience.timeout <= 120
