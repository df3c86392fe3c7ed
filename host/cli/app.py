"""The command group: finds commands by name and turns errors into one readable line each.

Exit codes: 0 done; 1 the work failed (file, disk, node); 2 the request is wrong (graph, parameter,
plugin, option); 130 interrupted; 141 the reader of a pipe went away.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from ..contract.errors import ReaderGoneError, UnbraidError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["main"]

_COMMANDS = {
    "adm": "Show, check or render a file with ADM: beds and objects.",
    "batch": "Render every job of a manifest, and go on after any end.",
    "demo": "Make a short scene, render it, and say what was done.",
    "doctor": "Show versions, devices, and plugins that failed to load.",
    "eval": "Measure estimates against references.",
    "graph": "Check or draw a graph.",
    "plugins": "List plugins, show one, or hold one to the contract.",
    "info": "Show what a sound file or film holds.",
    "loudness": "Show how loud sound files are, and their peaks.",
    "models": "List models; fetch, verify or import their files.",
    "remux": "Put a sound into a film, its picture untouched.",
    "render": "Render a graph over sound files, films and pipes.",
    "warmup": "Compile all kernels now, so that no render waits for one.",
}


class _PipeClosedError(Exception):
    """The reader of the output went away; click would swallow a BrokenPipeError and exit with 1."""


@contextmanager
def _minding_the_pipe() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _PipeClosedError from error


class _Commands(click.Group):
    """Lists commands without importing them."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _minding_the_pipe():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _minding_the_pipe():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unbraid", prog_name="unbraid")
def cli() -> None:
    """Take sound apart and put it together: plugins, graphs, files.

    Exit codes: 0 done; 1 the work failed (file, disk, node); 2 the request is wrong (graph,
    parameter, plugin, option); 130 interrupted; 141 the reader of a pipe went away.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Read when torch is loaded: its threads would wait by spinning, and beside other work stop one another.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file's name may hold bytes that are no text
        sys.stdout.reconfigure(errors="backslashreplace")
    code = 0
    _end_tidily()
    try:
        result = cli.main(arguments, prog_name="unbraid", standalone_mode=False)
        code = result if isinstance(result, int) else 0
        if sys.stdout is not None:  # `>&-` leaves a program without one
            sys.stdout.flush()
    except ReaderGoneError as error:  # as common as the end of a pipe, and as quiet
        code = error.exit_code
        _forget_stdout()
    except UnbraidError as error:
        _tell(error, str(error), as_json="--json" in arguments)
        code = error.exit_code
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
        else:
            _tell(error, _usage(error), as_json="--json" in arguments)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        _tell(error, "interrupted; nothing was left behind", as_json="--json" in arguments)
        code = 128 + signal.SIGINT
    except (BrokenPipeError, _PipeClosedError):
        _forget_stdout()
        code = 128 + signal.SIGPIPE
    except OSError as error:  # /dev/full: whatever else has to do with files is a typed error
        _tell(error, f"{error.filename or 'standard output'}: {error.strerror}", as_json=False)
        _forget_stdout()
        code = 1
    sys.exit(code)


def _end_tidily() -> None:
    """Let a request to end, or a terminal that closes, clean up as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        return  # handlers belong to the main thread
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _forget_stdout() -> None:
    """What is still buffered must not be flushed into the closed pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _usage(error: click.ClickException) -> str:
    text = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return text if context is None else f"{text}; see {context.command_path} --help"


def _tell(error: BaseException, text: str, *, as_json: bool) -> None:
    if as_json:
        data: dict[str, Any] = {"kind": type(error).__name__, "message": text}
        data["problems"] = [str(problem) for problem in getattr(error, "problems", ())]
        # Where the sound goes to standard output, nothing else may.
        arguments = sys.argv[1:]
        taken = any(a in {"-o-", "--output=-"} or a.endswith("=-") for a in arguments)
        taken |= any(pair in {("-o", "-"), ("--output", "-")} for pair in pairwise(arguments))
        click.echo(json.dumps({"error": data}), err=taken)
        return
    for line in text.splitlines():
        click.echo(f"unbraid: {line}", err=True)
