"""How every command meets its user: flags, results, progress, errors and exit codes.

A command is a thin function whose first parameter is a :class:`Console`. A parameter annotated with a dataclass (a
group of options that several commands share) becomes one option a field.
"""

import dataclasses
import functools
import inspect
import json
import logging
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Annotated, Any, TextIO, get_type_hints

import typer

from pose3d.errors import Pose3DError
from pose3d.log import Progress, logger, no_progress

__all__ = ["INTERRUPTED", "QUALITY", "Console", "register"]

QUALITY = 3
"""Exit code where the work was done and written but failed its quality gate."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""

_PANEL = "Output"


@dataclasses.dataclass
class Console:
    """What the user asked to see, and the way to show it."""

    json: Annotated[
        bool,
        typer.Option(
            "--json", metavar="", help="Print a summary as JSON on stdout and nothing else.", rich_help_panel=_PANEL
        ),
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", metavar="", help="Print errors only.", rich_help_panel=_PANEL)
    ] = False
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", metavar="", help="Log details and show the traceback of an error.", rich_help_panel=_PANEL
        ),
    ] = False
    stdout: TextIO = dataclasses.field(default_factory=lambda: sys.stdout, init=False, repr=False)

    def say(self, *lines: str) -> None:
        """Print lines for people on stdout."""
        if not (self.json or self.quiet):
            self.stdout.writelines(f"{line}\n" for line in lines)

    def step(self, line: str) -> None:
        """Report on stderr that a step of a longer run begins or ends."""
        if not self.quiet:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    def warn(self, message: str) -> None:
        """Print a warning in one line on stderr; with ``--quiet`` too, as the exit code tells of it."""
        sys.stderr.write(f"pose3d: warning: {_one_line(message)}\n")

    def error(self, message: str) -> None:
        """Print an error in one line on stderr."""
        sys.stderr.write(f"pose3d: error: {_one_line(message)}\n")

    def result(self, summary: Mapping[str, Any]) -> None:
        """Print the summary for scripts, where ``--json`` asks for it."""
        if self.json:
            self.stdout.write(json.dumps(_plain(summary), indent=2, allow_nan=False) + "\n")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give the callback that library functions report to: bars on a terminal, nothing elsewhere."""
        if self.quiet or not sys.stderr.isatty():
            yield no_progress
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, console=RichConsole(stderr=True), transient=True) as bars:
            tasks: dict[str, Any] = {}

            def report(label: str, done: int, total: int) -> None:
                if label not in tasks:
                    tasks[label] = bars.add_task(label, total=total or None)
                bars.update(tasks[label], completed=done, total=total or None)

            yield report


class _LogLines(logging.Handler):
    """The library's log as lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"pose3d: {record.levelname.lower()}: {_one_line(record.getMessage())}\n")


@contextmanager
def _logging(console: Console) -> Iterator[None]:
    handler = _LogLines()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if console.debug else logging.ERROR if console.quiet else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _plain(value: Any) -> Any:
    """Turn numpy scalars and arrays, paths and NaN into what JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _explain(error: Exception) -> str:
    """Return the one line that an error comes down to."""
    if isinstance(error, Pose3DError):
        return str(error)
    if isinstance(error, ImportError):
        from pose3d.doctor import missing_dependency

        missing = missing_dependency(error)
        if missing is not None:
            return str(missing)
    if isinstance(error, MemoryError):
        return "not enough memory for these inputs"
    return f"unexpected {type(error).__name__}: {error} (a bug in pose3d? --debug shows where)"


def _options(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, tuple[type[Any], list[str]]]]:
    """Return the signature that typer sees, and the fields into which each group of options was taken apart."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, tuple[type[Any], list[str]]] = {}
    last: list[inspect.Parameter] = []
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        group = parameter.annotation
        if not dataclasses.is_dataclass(group):
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        assert isinstance(group, type)
        hints = get_type_hints(group, include_extras=True)  # those of the classes it derives from as well
        fields = [field for field in dataclasses.fields(group) if field.init]
        groups[parameter.name] = (group, [field.name for field in fields])
        (last if group is Console else parameters).extend(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
                annotation=hints[field.name],
            )
            for field in fields
        )
    return inspect.Signature([*parameters, *last]), groups


def register(
    app: typer.Typer, *, panel: str, examples: Sequence[str], word: str | None = None
) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Add a function to the command table.

    Parameters
    ----------
    app : typer.Typer
    panel : str
        Heading of the group in ``pose3d --help``.
    examples : sequence of str
        Lines for the end of the command's own help.
    word : str, optional
        Name of the command, where it is not the function's: ``import`` is none that Python allows.
    """

    def decorate(function: Callable[..., int | None]) -> Callable[..., None]:
        signature, groups = _options(function)

        @functools.wraps(function, assigned=("__module__", "__name__", "__qualname__", "__doc__"))
        def command(**values: Any) -> None:
            for name, (group, fields) in groups.items():
                values[name] = group(**{field: values.pop(field) for field in fields})
            console = next(value for value in values.values() if isinstance(value, Console))
            raise typer.Exit(_run(function, values, console))

        # typer reads the options from here.
        vars(command).update(__signature__=signature)
        epilog = "\n\n".join(["[bold]Examples[/bold]", *(f"  {line}" for line in examples)])
        # A docstring is broken into lines for its source; a paragraph of the help is one line that the terminal breaks.
        paragraphs = [_one_line(paragraph) for paragraph in (inspect.getdoc(function) or "").split("\n\n")]
        app.command(word, rich_help_panel=panel, help="\n\n".join(paragraphs), epilog=epilog)(command)
        return command

    return decorate


def _run(function: Callable[..., int | None], values: Mapping[str, Any], console: Console) -> int:
    """Run a command and return its exit code; whatever went wrong is told in one line."""
    try:
        # What a library prints must not end up in the summary.
        with _logging(console), redirect_stdout(sys.stderr):
            return function(**values) or 0
    except KeyboardInterrupt:
        sys.stderr.write("pose3d: interrupted\n")
        return INTERRUPTED
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:
        if console.debug:
            traceback.print_exc()
        console.error(_explain(error))
        return 1
