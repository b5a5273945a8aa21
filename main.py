"""Training Dynamics Lab: opens the window; with a command, drives the same engine without one."""

import os
import sys

# Before numpy is loaded, here and in every child: on cores that others use too, its threads wait for each other longer
# than they compute. Torch's threads are the knob `threads`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if __name__ == "__main__" and len(sys.argv) == 1:  # the window is seen sooner without what the command line needs
    from gui.app import open_window

    sys.exit(open_window())

import json
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Desktop lab for the dynamics of neural-network training. Without a command it opens the window.",
)

Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KNOB=VALUE", help="Set a knob; may be repeated.")]
OwnDevice = Annotated[str, typer.Option(help="Default: where the run itself computed.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")]
Out = Annotated[Path | None, typer.Option(help="The run file to write.")]


class BadInput(Exception):
    """Told to the user in one line; exit 2."""


def main() -> NoReturn:
    """Entry point of ``python main.py`` and of the console command ``tdlab``."""
    if len(sys.argv) == 1:
        from gui.app import open_window

        sys.exit(open_window())
    try:
        code = app(standalone_mode=False)
    except BadInput as error:
        code = _complain(str(error))
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except _USAGE as error:
        code = _complain(error.format_message())
    except Exception as error:
        code = _report(error)
    sys.exit(code or 0)


@app.command("list")
def list_experiments(
    as_json: Annotated[bool, typer.Option("--json", help="Everything, for programs.")] = False,
) -> None:
    """Experiments with their presets, arms and views."""
    from lab import registry

    found, broken = registry.discover()
    if as_json:
        print(json.dumps([registry.describe(cls) for cls in found.values()], ensure_ascii=False, indent=2))
    else:
        for name, cls in found.items():
            print(f"{name:24} {cls.title} - {cls.claim}")
            presets = (p if cls.presets[p].claimed else f"{p} (nothing claimed)" for p in cls.presets)
            print(f"{'':24} presets: {', '.join(presets)}; arms: {', '.join(cls.arms)}")
    for item in broken:
        print(f"{item.name}: cannot be loaded: {item.error}", file=sys.stderr)


@app.command()
def run(
    name: str,
    preset: Annotated[str, typer.Option(help="A named starting point; default: the first.")] = "",
    arm: Annotated[str, typer.Option(help="A named setting of the claim, over the preset.")] = "",
    settings: Settings = None,
    config: Annotated[Path | None, typer.Option(help="Knobs from a JSON file, or from a run file to replay.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seeds data, initialisation and order alike.")] = None,
    device: Device = "cpu",
    steps: Annotated[int | None, typer.Option(help="Length of the run.")] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INSTRUMENT[=K]",
            help="Switch an optional instrument on; with =K read any one every K steps, whatever it costs; "
            "also_checkpoint_plane@A,B,C looks through three checkpoints. Repeatable.",
        ),
    ] = None,
    cost: Annotated[
        bool, typer.Option("--cost", help="Say what the run and each reading would take, and run nothing.")
    ] = False,
    out: Out = None,
) -> None:
    """Run an experiment and judge it."""
    from lab import registry
    from lab.request import Request

    cls = _known(registry.experiment, name)
    preset = preset or ("" if config else next(iter(cls.presets)))
    for what, chosen, known in (("preset", preset, cls.presets), ("arm", arm, cls.arms)):
        if chosen:
            _known(registry.pick, what, chosen, list(known))
    given = _read_config(config, name) if config else Given({})
    values = given.values | _assignments(settings)
    values |= {k: v for k, v in (("seed", seed), ("steps", steps)) if v is not None}
    knobs = _admissible(lambda: cls.configure(preset, arm, values)).model_dump(mode="json")
    _check_instruments(cls, also or ())
    same = not settings and seed is None and steps is None
    request = Request(
        experiment=name,
        config=knobs,
        out=str(out) if out else "",
        preset=preset or given.preset * same,
        arm=arm or given.arm * same,
        device=_device(device),
        replay=given.replay or (),
        again=given.replay is not None and same,  # with other knobs readings take another time
        stored_at=given.stored_at,
        also=tuple(also or given.also),
    )
    if cost:
        _print_cost(request)
        return
    raise typer.Exit(_execute(request))


def _check_instruments(cls: Any, also: Sequence[str]) -> None:
    """Refuse instruments that cannot be switched on, or whose readings cannot be forced."""
    from lab import registry
    from lab.request import instruments_asked, steps_chosen

    choosing = [i.method for i in cls.instruments() if i.choice]
    for method in _admissible(lambda: steps_chosen(also)):
        _known(registry.pick, "instrument that uses steps of your choice", method, choosing)
    for method, every in _admissible(lambda: instruments_asked(also)).items():
        kind = "instrument whose readings may be spaced" if every else "optional instrument"
        fit = [i.method for i in cls.instruments() if (not i.exact if every else i.optional)]
        _known(registry.pick, kind, method, fit)


def _print_cost(request: Any) -> None:
    from lab.hosts.estimate import estimate
    from lab.schedule import in_words

    found = estimate(request)
    assert found is not None, "nobody was in a hurry"
    print(f"about {found.seconds:.2g} s and {found.size / 1e6:.1f} MB; {found.share:.0%} of the time for measuring")
    for name, price in found.prices.items():
        print(f"{name:24} {in_words(price)}")


@app.command()
def study(
    name: Annotated[str, typer.Argument(metavar="NAME-or-DIR", help="An experiment, or the folder of a study.")],
    preset: Annotated[str, typer.Option(help="A named starting point; default: the first.")] = "",
    every_arm: Annotated[bool, typer.Option("--arms", help="All arms of the claim.")] = False,
    arm: Annotated[list[str] | None, typer.Option(help="One arm; may be repeated.")] = None,
    settings: Settings = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="KNOB=VALUES", help="a,b,c or low:high:count or low:high:count:log; may be repeated."),
    ] = None,
    zipped: Annotated[bool, typer.Option("--zip", help="First values together, second together, not all.")] = False,
    seeds: Annotated[int, typer.Option(min=0, help="Run each point with the seeds 0 to N-1.")] = 0,
    shuffle: Annotated[int | None, typer.Option(help="Run in an order drawn with this seed.")] = None,
    device: Device = "cpu",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: what the machine holds.")] = None,
    scheduler: Annotated[str, typer.Option(help="Dask: tcp://HOST:PORT, or a scheduler file.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the study; default: one for this study.")] = None,
    singly: Annotated[bool, typer.Option("--singly", help="Never train several points in one batch.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Also go on with runs that failed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the points and run nothing.")] = False,
) -> None:
    """Run arms, a grid or seeds of an experiment; the same line again runs what is missing."""
    from lab import registry
    from lab.request import runs_folder
    from lab.studies.board import Board
    from lab.studies.study import Axis, Study, typed
    from lab.terminal import carry_out_study, list_points

    if (Path(name) / "study.toml").exists():
        whole, cls = _stored_study(Path(name))
        out = out or Path(name)
    else:
        cls = _known(registry.experiment, name)
        whole = _admissible(
            lambda: Study.of(
                experiment=name,
                preset=preset,
                settings=typed(cls.Config, _assignments(settings)),
                arms=tuple(cls.arms) if every_arm else tuple(arm or ()),
                seeds=tuple(range(seeds)),
                combine="zip" if zipped else "outer",
                shuffle=shuffle,
                device=device if device == "cpu" else _device(device),  # asking needs torch
                axes=tuple(Axis.parse(knob, text, cls.Config) for knob, text in _pairs("--grid", grid)),
            )
        )
    folder = out or runs_folder() / "studies" / whole.folder_name
    if dry_run:
        _admissible(lambda: list_points(whole, cls, folder))
        return
    board = _admissible(lambda: Board(whole, cls, folder, batches=not singly))
    code = _admissible(lambda: carry_out_study(board, workers=workers, scheduler=scheduler, retry=retry))
    judged = board.verdict()
    if judged.checks or code == 0:
        print(f"study: {judged.outcome}")
        _print_checks(judged)
    raise typer.Exit(code)


@app.command()
def resume(file: Path, device: OwnDevice = "") -> None:
    """Go on with a run that was interrupted, stopped or paused, from its last checkpoint."""
    from lab.request import Request
    from storage.reader import RunReader

    with _opened(RunReader, file) as reader:
        header, state = dict(reader.header), reader.state
    if state == "finished":
        raise BadInput(f"{file} is finished; branch it from a step to go another way")
    place = _device(device or str(header["device"] or "cpu"))
    raise typer.Exit(_execute(Request(experiment=str(header["experiment"]), out=str(file), device=place, resume=True)))


@app.command()
def branch(
    file: Path,
    at: Annotated[int, typer.Option(help="Step of the run to start from.")],
    settings: Settings = None,
    out: Out = None,
    device: OwnDevice = "",
) -> None:
    """Start a new run from a step of another one, with some knobs changed."""
    from lab.request import Request
    from storage.reader import RunReader

    with _opened(RunReader, file) as reader:
        header = dict(reader.header)
    request = Request(
        experiment=str(header["experiment"]),
        config=_assignments(settings),
        out=str(out) if out else "",
        preset=header["preset"] or "",
        arm=header["arm"] or "",
        device=_device(device or str(header["device"] or "cpu")),
        parent=str(file),
        at=at,
    )
    raise typer.Exit(_execute(request))


@app.command()
def verdict(
    files: Annotated[list[Path], typer.Argument(metavar="FILE-or-DIR...")],
    as_json: Annotated[bool, typer.Option("--json", help="Every number, for programs.")] = False,
) -> None:
    """Judge stored runs anew, a study as a whole. Exit 0 reproduced, 3 not reproduced, 4 not comparable; the worst."""
    from lab.verdict import EXIT_CODES

    rows, codes = [], []
    for place in files:
        whole = _judge_study(place) if (place / "study.toml").exists() else None
        for path in _run_files([place]):
            header, judged = _judge(path)
            rows.append({"file": str(path), **header, **judged.to_json()})
            codes += [] if whole else [EXIT_CODES[judged.outcome]]  # a study's control arms end as they should
            if not as_json:
                print(f"{path}  {header['experiment']} {header['arm'] or ''} seed {header['seed']}: {judged.outcome}")
                _print_checks(judged)
        if whole:
            rows.append({"study": str(place), **whole.to_json()})
            codes.append(EXIT_CODES[whole.outcome])
            if not as_json:
                print(f"{place}  study: {whole.outcome}")
                _print_checks(whole)
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
    raise typer.Exit(max(codes))


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The figure: .pdf, .svg or .png.")],
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE...")] = None,
    view: Annotated[str, typer.Option(help="A declared view, see `list --json`; of a study folder: a number.")] = "",
    recipe: Annotated[Path | None, typer.Option(help="A figure recipe, or a figure that carries one.")] = None,
    size: Annotated[str, typer.Option(help="single, 1.5, double, slide or poster.")] = "single",
    data: Annotated[bool, typer.Option("--data", help="Also write the numbers, as CSV beside the figure.")] = False,
    words: Annotated[
        bool, typer.Option("--words", help="Also write a caption and a table of knobs, as LaTeX.")
    ] = False,
) -> None:
    """Draw a view of stored runs, or a recipe of many panels, as a figure for a paper.

    With --recipe, FILEs are where its runs are sought when they have moved.
    """
    from gui.export.figure import FigureError, write_again, write_figure

    try:
        if recipe is not None:
            if view:
                raise BadInput("a recipe says which views it shows; leave --view out")
            asked = {"data": "csv"} if data else {}
            written = write_again(recipe, out, files or [], **asked, **({"words": True} if words else {}))
        elif not view or not files:
            raise BadInput("name run files and a --view, or a --recipe")
        elif (files[0] / "study.toml").exists():
            from gui.export.diagram import write_diagram
            from lab.studies.board import Board

            whole, cls = _stored_study(files[0])
            written = write_diagram(_admissible(lambda: Board(whole, cls, files[0])), view, out, size=size, data=data)
        else:
            written = write_figure(_run_files(files), view, out, size=size, data=data, words=words)
    except FigureError as error:
        raise BadInput(str(error)) from None
    for path in written:
        print(path)


@app.command()
def compare(
    files: Annotated[list[Path], typer.Argument(metavar="FILE-or-DIR...")],
    number: Annotated[list[str] | None, typer.Option(help="For example last(train_loss); may be repeated.")] = None,
    seeds: Annotated[bool, typer.Option(help="One row for runs that differ in seeds alone.")] = True,
    latex: Annotated[bool, typer.Option("--latex", help="A booktabs table.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, every digit.")] = False,
    out: Annotated[Path | None, typer.Option(help="Draw the comparison instead: a .pdf, .svg or .png.")] = None,
    size: Annotated[str, typer.Option(help="Of the figure: single, 1.5, double, slide or poster.")] = "double",
    data: Annotated[bool, typer.Option("--data", help="Also write the figure's numbers, as CSV beside it.")] = False,
) -> None:
    """Print what differs between runs, and their numbers. Takes runs, folders, or one saved comparison.

    With --out, draw their views instead: a saved comparison as it was saved, runs overlaid with a band over seeds.
    """
    from gui.compare import recipe, tables
    from gui.compare.members import first_number, groups, opened
    from storage.numbers import Number

    try:
        saved = recipe.load(files[0]) if len(files) == 1 and recipe.is_recipe(files[0]) else None
        texts = number or (list(saved.numbers) if saved else [])
        numbers = [Number.parse(text) for text in texts]
    except ValueError as error:
        raise BadInput(str(error)) from None
    paths = [run for run in saved.runs if run not in saved.hidden] if saved else list(map(str, _run_files(files)))
    members, problems = opened(paths)
    for problem in problems:
        print(f"tdlab: {problem}", file=sys.stderr)
    if not members:
        raise BadInput("none of the files can be compared")
    if out is not None:
        _draw_comparison(saved or recipe.Recipe(tuple(paths)), members, out, size=size, data=data)
        return
    if not numbers and (first := first_number(members)):
        numbers = [Number(first)]
    table = tables.rows(members, groups(members, (saved.band if saved else "SD") if seeds else ""), numbers)
    print((tables.as_latex if latex else tables.as_csv if as_csv else tables.as_text)(table).rstrip())


def _draw_comparison(saved: Any, members: Any, out: Path, *, size: str, data: bool) -> None:
    from gui.compare.figure import figure_page
    from gui.export.figure import FigureError, write_recipe

    try:
        for path in write_recipe(figure_page(saved, members, size, data=data), out):
            print(path)
    except FigureError as error:
        raise BadInput(str(error)) from None


@app.command()
def show(files: Annotated[list[Path], typer.Argument(metavar="FILE-or-DIR...")]) -> None:
    """Open the window on stored runs; several are compared, and so is a saved comparison."""
    from gui.app import open_window

    raise typer.Exit(open_window([str(path) for path in _run_files(files)]))


_USAGE: Any = typer.BadParameter.__mro__[2]
"""click's own base of usage errors; newer versions of typer bring their own copy of click."""


def _report(error: Exception) -> int:
    """An error of ours: one line, and the details in a file to send along."""
    with tempfile.NamedTemporaryFile("w", prefix="tdlab-", suffix=".txt", delete=False) as file:
        file.write("".join(traceback.format_exception(error)))
    print(f"tdlab: internal error: {type(error).__name__}: {error}; details are in {file.name}", file=sys.stderr)
    return 70


def _complain(line: str) -> int:
    print(f"tdlab: {' '.join(line.split())}", file=sys.stderr)
    return 2


def _known(function: Any, *arguments: Any) -> Any:
    from lab.registry import UnknownName

    try:
        return function(*arguments)
    except UnknownName as error:
        raise BadInput(str(error)) from None


def _admissible(make: Any) -> Any:
    from lab.config import ConfigError
    from lab.registry import UnknownName
    from lab.studies.study import StudyError

    try:
        return make()
    except (ConfigError, StudyError, UnknownName) as error:
        raise BadInput(str(error)) from None


def _opened(reader: Any, path: Path) -> Any:
    from storage.errors import RunFileError

    try:
        return reader(path)
    except RunFileError as error:
        raise BadInput(str(error)) from None


def _assignments(settings: list[str] | None) -> dict[str, Any]:
    """``lr=0.1`` pairs; values stay text, which the config type reads, unless they are JSON lists or null."""
    values: dict[str, Any] = {}
    for knob, text in _pairs("--set", settings):
        try:
            values[knob] = json.loads(text) if text[:1] == "[" or text == "null" else text
        except ValueError:
            raise BadInput(f"--set {knob}={text}: the list is not JSON") from None
    return values


def _pairs(option: str, items: list[str] | None) -> list[tuple[str, str]]:
    found = []
    for item in items or []:
        knob, equals, text = item.partition("=")
        if not equals or not knob.strip():
            raise BadInput(f"{option} takes knob=value, not {item!r}")
        found.append((knob.strip(), text.strip()))
    return found


class Given(NamedTuple):
    """What ``--config`` names: knobs, and of a run file all that it takes to do the same again."""

    values: dict[str, Any]
    replay: tuple[Any, ...] | None = None
    also: tuple[str, ...] = ()
    stored_at: tuple[int, ...] = ()
    preset: str = ""
    arm: str = ""


def _read_config(path: Path, name: str) -> Given:
    """Knobs of a JSON file, or knobs, events, additional instruments and steps of the checkpoints of a run file."""
    from storage.reader import RunReader

    try:
        start = path.open("rb").read(8)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    if start == b"\x89HDF\r\n\x1a\n":
        with _opened(RunReader, path) as reader:
            if reader.header["experiment"] != name:
                raise BadInput(f"{path} is a run of {reader.header['experiment']}, not of {name}")
            named = str(reader.header.get("preset") or ""), str(reader.header.get("arm") or "")
            return Given(dict(reader.config), tuple(reader.events()), reader.also, tuple(reader.checkpoints()), *named)
    try:
        values = json.loads(path.read_text())
    except ValueError as error:
        raise BadInput(f"{path} is neither a run file nor JSON: {error}") from None
    if not isinstance(values, dict):
        raise BadInput(f"{path} must hold one JSON object of knobs")
    return Given(values)


def _device(name: str) -> str:
    """``name`` if this machine can compute there."""
    from lab.devices import check_device

    _admissible(lambda: check_device(name))
    return name


def _run_files(paths: list[Path]) -> list[Path]:
    """The files, and all run files in the folders."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.rglob("*.h5"))
            if not inside:
                raise BadInput(f"{path} holds no run files (*.h5)")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise BadInput(f"{path} does not exist")
    return found


def _stored_study(folder: Path) -> tuple[Any, Any]:
    """The study of a folder and its experiment."""
    from lab import registry
    from lab.studies.study import Study

    try:
        text = (folder / "study.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{folder / 'study.toml'} cannot be read: {error}") from None
    whole = _admissible(lambda: Study.from_toml(text))
    return whole, _known(registry.experiment, whole.experiment)


def _judge_study(folder: Path) -> Any:
    from lab.studies.board import Board

    whole, cls = _stored_study(folder)
    return _admissible(lambda: Board(whole, cls, folder)).verdict(anew=True)


def _judge(path: Path) -> tuple[dict[str, Any], Any]:
    from lab import registry
    from lab.hosts.files import judged
    from storage.reader import RunReader

    with _opened(RunReader, path) as reader:
        header = {key: reader.header[key] for key in ("run_id", "experiment", "preset", "arm", "seed")}
        cls = _known(registry.experiment, str(header["experiment"]))
        config = _admissible(lambda: cls.Config.parse(reader.config))
        return header, judged(cls, config, reader)


def _print_checks(judged: Any) -> None:
    for check in judged.checks:
        mark = "pass" if check.passed else "FAIL"
        note = f"  ({check.note})" if check.note else ""
        print(f"    {mark}  {check.name} = {check.value:.4g}  wanted {check.threshold}{note}")
    if judged.reason:
        print(f"    {judged.reason}")


def _execute(request: Any) -> int:
    """Run in this process with progress; exit 1 when it failed, 130 when Ctrl-C stopped it."""
    from lab.terminal import carry_out_run

    ending = carry_out_run(request)
    if ending.path:
        print(f"{ending.state}: {ending.path}")
    if ending.state == "failed":
        kept = " Everything recorded before is in the file." if ending.path else ""
        print(f"tdlab: {ending.problem}{kept}", file=sys.stderr)
        return 1 if ending.path else 2
    _, judged = _judge(Path(ending.path))
    print(judged.outcome)
    _print_checks(judged)
    return 130 if ending.interrupted else 0


if __name__ == "__main__":
    main()
