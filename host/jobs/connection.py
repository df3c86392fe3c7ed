"""A Ray cluster as a batch sees it: how it is reached, what a worker asks of it, and how many have room."""

from __future__ import annotations

import math
import os
import secrets
import signal
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.errors import UnbraidError, one_line
from .ledger import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["ClusterError", "Connection", "room", "shared_token"]

#: Read by Ray when it is imported: no telemetry; and it prints nothing of deaths that we tell of.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_TQDM_PATCH_PRINT": "0",  # the program's print stays its own
}
#: Without it, Ray looks for minutes for a cluster that is not there.
_IMPATIENT = {"RAY_gcs_server_port_wait_time_s": "1"}
_KNOCK = 10.0  # seconds for the cluster's port to answer
_STORE = 100 << 20  # bytes for objects; paths and hashes are all that travels


class ClusterError(UnbraidError):
    """The cluster cannot be reached, or cannot be used as it is."""


class Connection:
    """A cluster, and what each worker asks of it.

    Args:
        address: see `RayExecutor`.
        needs: of a worker: "CPU", "GPU" and "memory" in bytes.
        workers: how many are wanted at least.

    Attributes:
        ray: the package.
        own: whether the cluster is of this machine alone, and ends with us.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers.
    """

    def __init__(self, address: str, needs: Mapping[str, float], workers: int) -> None:
        self.ray, self.needs = _ray(), needs
        self.own = address in ("local", "")
        self._ours = not self.ray.is_initialized()
        if not self._ours:  # the program's own
            return
        if "://" in address:
            raise ClusterError(f"{address}: is not supported; run the batch on a node, with --ray auto")
        options: dict[str, Any] = {"address": address}
        if self.own:
            cores = max(len(os.sched_getaffinity(0)), int(workers * needs["CPU"]))
            options = {
                "address": "local",
                "num_cpus": cores,
                "object_store_memory": _STORE,
                "include_dashboard": False,
            }
        try:
            if ":" in address:
                _knock(address)
            with _borrowed({} if self.own else _IMPATIENT):
                self.ray.init(
                    log_to_driver=False,
                    logging_level="error",
                    namespace=f"unbraid-{secrets.token_hex(8)}",
                    **options,
                )
        except (OSError, RuntimeError, ValueError, self.ray.exceptions.RayError) as error:
            remedy = "see Ray's logs in /tmp/ray" if self.own else "is it started, with `ray start`?"
            name = "a cluster of this machine" if self.own else f"the cluster {address}"
            raise ClusterError(f"{name}: cannot be reached: {one_line(error)}; {remedy}") from error

    def nodes(self) -> dict[str, dict[str, Any]]:
        """Return the nodes that live, by id, as Ray tells of them."""
        return {node["NodeID"]: node for node in self.ray.nodes() if node["Alive"]}

    def wanted(self) -> str:
        """Return in words what a worker asks of a node."""
        words = [f"{self.needs['CPU']:g} CPUs"]
        words += [f"{self.needs['GPU']:g} GPUs"] if "GPU" in self.needs else []
        words += [f"{self.needs['memory'] / (1 << 20):.0f} MiB"] if "memory" in self.needs else []
        return " and ".join(words)

    def actors(self, kind: type) -> Any:
        """Return what makes actors of a class; Ray restarts none of them, and repeats no call."""
        return self.ray.remote(
            num_cpus=self.needs["CPU"],
            num_gpus=self.needs.get("GPU", 0),
            memory=self.needs.get("memory"),
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=6,  # one works, one stays, others answer
            scheduling_strategy="SPREAD",
        )(kind)

    def kill(self, actor: Any) -> None:
        """End an actor at once; one that is dead already, too."""
        with suppress(Exception):
            self.ray.kill(actor, no_restart=True)

    def wait(self, calls: list[Any], seconds: float) -> None:
        """Wait until all calls have ended, however they did, but no longer than this."""
        if calls and self.ray.is_initialized():
            with suppress(Exception):
                self.ray.wait(calls, num_returns=len(calls), timeout=seconds)

    def close(self) -> None:
        """Leave the cluster; one of our own ends."""
        if self._ours:
            with suppress(Exception):
                self.ray.shutdown()


def _ray() -> Any:
    """Return the package.

    Raises:
        ClusterError: it is not installed.
    """
    os.environ.update(_QUIET)
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise ClusterError(f'Ray cannot be loaded: {error}; pip install "unbraid[cluster]"') from error
    return ray


@contextmanager
def _borrowed(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a while; and give SIGTERM back, which Ray takes for itself."""
    kept, before = signal.getsignal(signal.SIGTERM), {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        with suppress(ValueError, TypeError):  # not the main thread's, from which Ray takes nothing
            signal.signal(signal.SIGTERM, kept)


def _knock(address: str) -> None:
    """Raise OSError or ValueError unless something listens there."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()


def room(nodes: Iterable[Mapping[str, Any]], needs: Mapping[str, float]) -> int:
    """Return how many workers fit on a cluster's nodes, were these otherwise idle.

    Args:
        nodes: as ``ray.nodes()`` tells of them.
        needs: of each worker, by resource; a fraction is taken of one GPU, not of several.

    Example:
        >>> room([{"Resources": {"CPU": 8.0, "GPU": 2.0}}], {"CPU": 1, "GPU": 0.4})
        4
    """
    most = 0
    for node in nodes:
        has = node["Resources"]
        fits = (
            has.get(name, 0) * math.floor(1 / need + 1e-6) if need < 1 else has.get(name, 0) // need
            for name, need in needs.items()
        )
        most += int(min(fits))
    return most


def shared_token(folder: Path) -> tuple[str, str]:
    """Write a file into a batch's folder by which other machines know it; return its path, and what it holds.

    Its name is new each time, so that no machine can remember that there is no such file.

    Raises:
        ClusterError: the folder cannot be written.
    """
    home, text = folder / FOLDER, secrets.token_hex(16)
    path = home / f"seen-{text}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        for left in home.glob("seen-*"):  # by drivers that were killed
            left.unlink(missing_ok=True)
        path.write_text(text, encoding="ascii")
    except OSError as error:
        raise ClusterError(f"{home}: cannot be written: {error.strerror}") from None
    return str(path), text
