"""C engines that come inside other people's packages: found without importing these, checked, opened once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import Any

from ...host.contract.errors import one_line
from ...host.models import ModelCorruptError, ModelError, ModelMissingError

__all__ = ["EnginePackage"]


@dataclass(frozen=True, slots=True)
class EnginePackage:
    """The package that holds an engine.

    What an engine is late by stands nowhere in its library. So only the version is taken whose delay was
    measured.

    Attributes:
        model: as the parameter `model` names the engine.
        distribution: as pip knows the package.
        version: whose delay is known.
        command: what installs that version.

    Example:
        >>> package = EnginePackage("x", "no-such-package", "1.0", "pip install no-such-package==1.0")
        >>> package.path("lib.so")
        Traceback (most recent call last):
        unbraid.host.models.errors.ModelMissingError: x is not installed: pip install no-such-package==1.0
    """

    model: str
    distribution: str
    version: str
    command: str

    def path(self, name: str) -> Path:
        """Return where a file of the package lies.

        Args:
            name: inside the package, as its record lists it.

        Raises:
            ModelMissingError: the package is not installed, or not in the version that is known.
            ModelCorruptError: it is installed without this file.
        """
        try:
            found = Distribution.from_name(self.distribution)
        except PackageNotFoundError:
            raise ModelMissingError(f"{self.model} is not installed: {self.command}") from None
        if found.version != self.version:
            raise ModelMissingError(
                f"{self.model}: {self.distribution} {found.version} is installed; how late it is, is known "
                f"of {self.version} only: {self.command}"
            )
        path = Path(str(found.locate_file(name)))
        if not path.is_file():
            raise ModelCorruptError(
                f"{self.model}: {self.distribution} lacks {name} on this machine: {self._anew}"
            )
        return path

    def checked(self, name: str, sha256: str) -> Path:
        """Return where a file lies whose bytes are those that are known.

        Raises:
            ModelMissingError: see `path`.
            ModelCorruptError: it is damaged, or another one.
        """
        path = self.path(name)
        try:
            stat = path.stat()
            found = _hash(path, stat.st_mtime_ns, stat.st_size)
        except OSError as error:
            raise ModelError(f"{self.model}: {path}: cannot be read: {one_line(error)}") from None
        if found != sha256:
            raise ModelCorruptError(
                f"{self.model}: {path}: is not the file that {self.distribution} {self.version} brings: "
                f"{self._anew}"
            )
        return path

    def library(self, name: str, declarations: str) -> tuple[Any, Any]:
        """Open a C library; a process opens each once.

        Args:
            name: of its file in the package.
            declarations: of its functions, as cffi reads them.

        Returns:
            cffi's interface, and the library.

        Raises:
            ModelMissingError: see `path`.
            ModelCorruptError: it cannot be loaded.
        """
        path = self.path(name)
        try:
            return _opened(path, declarations)
        except OSError as error:
            raise ModelCorruptError(
                f"{self.model}: {path}: cannot be loaded: {one_line(error)}; {self._anew}"
            ) from None

    @property
    def _anew(self) -> str:
        return self.command.replace("pip install", "pip install --force-reinstall", 1)


@lru_cache(maxsize=8)
def _hash(path: Path, changed: int, size: int) -> str:  # noqa: ARG001 - they say whether it is the same file
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


@lru_cache(maxsize=8)
def _opened(path: Path, declarations: str) -> tuple[Any, Any]:
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(declarations)
    return ffi, ffi.dlopen(str(path))
