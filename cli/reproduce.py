"""``dcrit reproduce``: what is committed in the repository, made again, and figures of the literature."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dcrit.cli.terminal import options
from dcrit.cli.terminal.output import print_json, say
from dcrit.cli.terminal.sentences import Branch
from dcrit.theory.checks import no_choice

if TYPE_CHECKING:
    from dcrit.empirics.experiments.laboratory import Laboratory


class Names(Branch):
    """Commands of their own and those of the literature, whose names an unknown one is answered with."""

    @cached_property
    def literature(self) -> Mapping[str, Any]:
        """Commands that make figures of the literature."""
        from dcrit.cli.literature import app as figures
        from dcrit.cli.terminal.once import once

        # They are read late, as their names take a file; what holds of every command holds of them all the same.
        once(figures)
        return typer.main.get_group(figures).commands

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, those of the literature last."""
        return [*super().list_commands(ctx), *self.literature]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name; None where there is none."""
        return super().get_command(ctx, cmd_name) or self.literature.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As typer does it, but for names that there are none of."""
        if args and self.get_command(ctx, args[0]) is None:
            raise typer.BadParameter(str(no_choice("NAME", args[0], self.list_commands(ctx))), ctx=ctx)
        return super().resolve_command(ctx, args)


app = typer.Typer(
    help="Make again what is committed in a clone of the repository, or a figure of the literature from nothing; "
    "--help of a name says what it takes.",
    cls=Names,
    no_args_is_help=True,
)

Clone = Annotated[Path, typer.Option(help="Top folder of a clone of the repository.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a file is not what it would be.")]
Stored = Annotated[
    Path | None,
    typer.Option("--store", "-S", help="Folder of runs: measure, and train what it lacks. Default: no training."),
]

HERE = Path()


@app.command("readme")
def readme(
    validation: Annotated[
        list[Path] | None, typer.Argument(help="Folders of finished validations whose reports are committed first.")
    ] = None,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """Verdicts and how well predictions did, from committed reports and results. Seconds; trains nothing.

    Writes the tables in docs/results/verdicts.md and in README.md.
    """
    results = _results(clone)
    from dcrit.api.report.tables import RELIANCE, SUITES, VERDICTS, committed, reliance, tables
    from dcrit.empirics.ablations.committed import with_block

    made = {suite: (text, report) for suite, text, report in map(_report_in, validation or [])}
    reports = committed(results) | {suite: report for suite, (_, report) in made.items()}
    ordered = {suite: reports[suite] for suite in SUITES if suite in reports}
    blocks = {
        results / "verdicts.md": (VERDICTS, tables(ordered, _read(results / "ablation.json"))),
        clone / "README.md": (RELIANCE, reliance(results)),
    }
    files = {results / f"{suite}.json": text for suite, (text, _) in made.items()}
    files |= {path: text for folder in validation or [] for path, text in _evidence_in(folder, results).items()}
    pages = {
        path: with_block(path.read_text(encoding="utf-8"), marks, block) for path, (marks, block) in blocks.items()
    }
    _finish({**files, **pages}, check=check, as_json=as_json)


@app.command("gallery")
def gallery(
    validation: Annotated[Path, typer.Argument(help="Folder of a finished validation.")],
    clone: Clone = HERE,
    as_json: options.Json = False,
) -> None:
    """Pictures and report of a validation, as figures/gallery shows them. Seconds; trains nothing."""
    results = _results(clone)
    suite, text, _ = _report_in(validation)
    target = clone / "figures" / "gallery"
    try:
        remake_gallery(validation, target)
    except FileNotFoundError as error:
        raise typer.BadParameter(f"VALIDATION must be a whole validation, got {validation}: {error}") from error
    files = {results / f"{suite}.json": text} | _evidence_in(validation, results)
    _finish(files, as_json=as_json, gallery=str(target))


@app.command("ablation")
def ablation(clone: Clone = HERE, check: Check = False, as_json: options.Json = False) -> None:
    """docs/results/ablation.md: every refinement and baseline on what was held out. A minute; trains nothing.

    Beside it ablation.json, and the track record that predictions quote.
    """
    _results(clone)
    from dcrit.empirics.ablations import tables

    files = tables.ablation(clone)
    rows = next(json.loads(text) for path, text in files.items() if path.name == "ablation.json")
    _finish(files, check=check, as_json=as_json, predictors=rows)


@app.command("findings")
def findings(clone: Clone = HERE, check: Check = False, as_json: options.Json = False) -> None:
    """docs/results/findings.md: what holds, what is refuted and what is new. Seconds; trains nothing."""
    results = _results(clone)
    from dcrit.api.report.findings import findings as page

    _finish(page(results), check=check, as_json=as_json)


@app.command("two-thresholds")
def two_thresholds(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """Constants of both thresholds and the clock, and how far off the law is. Two minutes; trains only with --store.

    Writes theory/calibrations/thresholds.json, the tables in docs/results/two-thresholds/ and the one in
    docs/results/two-thresholds.md from the runs that are committed there. With --store the drawn configurations
    that are not measured yet are measured first, which takes hours.
    """
    results = _results(clone)
    from dcrit.empirics.ablations import two_thresholds as tables
    from dcrit.empirics.ablations.transformer_clock import measure_drawn
    from dcrit.empirics.ablations.two_thresholds_runs import measure_frame

    _measure(results, store, workers, measure_frame, measure_drawn, check=check)
    files = tables.two_thresholds(results)
    _finish(files, check=check, as_json=as_json)
    if not check:
        _draw_thresholds(results, files)


def _measure(
    results: Path,
    store: Path | None,
    workers: int,
    *measures: Callable[[Path, Laboratory], object],
    check: bool,
) -> None:
    """Make the runs that committed results lack, where a store is given.

    Args:
        results: Folder of committed results.
        store: Folder of runs; None for no training.
        workers: Processes that train.
        measures: Each adds to the results what it measures.
        check: Whether files are only compared.

    Raises:
        typer.BadParameter: Both --store and --check are given (exit 2).
    """
    _check_alone(store, check=check)
    if store is not None:
        with _laboratory(store, workers) as bench:
            for measure in measures:
                measure(results, bench)


def _check_alone(store: Path | None, *, check: bool) -> None:
    """Refuse to compare files with what would be measured anew.

    Raises:
        typer.BadParameter: Both are asked for (exit 2).
    """
    if store is not None and check:
        raise typer.BadParameter("--check must be left out beside --store, got both")


def _draw_thresholds(results: Path, files: Mapping[Path, str]) -> None:
    """The picture of both thresholds over the modulus, beside the page that explains them."""
    from dcrit.api.report.bibliography import short
    from dcrit.empirics.ablations.over_modulus import PICTURED, rest_beyond, sizes_over_modulus
    from dcrit.figures.predicted.two_thresholds import BEYOND, ThresholdPanel, draw, points_of, published_points
    from dcrit.theory.calibrations.thresholds import THRESHOLDS, thresholds_from, thresholds_of
    from dcrit.theory.families.family import FAMILIES
    from dcrit.theory.literature.published import published_numbers
    from dcrit.theory.problems.problem import Problem

    (constants,) = [text for path, text in files.items() if path.name == THRESHOLDS]
    laws = thresholds_from(constants)
    shown: list[ThresholdPanel] = []
    for model, activation, width, horizon in PICTURED:
        law = thresholds_of(Problem(model=model, activation=activation), laws)
        points = points_of(sizes_over_modulus(results, law, width, horizon))
        points += points_of(rest_beyond(results, law, width), at_rest=BEYOND)
        if model == "transformer":
            points += published_points(published_numbers(), short)
        title = f"{FAMILIES[model].label}, {activation}, width {width}"
        shown.append(ThresholdPanel(title=title, law=law, width=width, horizon=horizon, points=points))
    draw(shown).savefig(results.parents[1] / "figures" / "explained" / "two-thresholds.png", dpi=200)


@app.command("four-dynamics")
def four_dynamics(
    store: options.StoreFolder = options.DEFAULT_STORE, clone: Clone = HERE, as_json: options.Json = False
) -> None:
    """figures/explained/four-dynamics.png: one task at four sizes, predicted and trained. Seconds; trains."""
    results = _results(clone)
    import dcrit
    from dcrit.figures.predicted.four_dynamics import PLACES, DynamicsPanel, draw

    panels: list[DynamicsPanel] = []
    for place in PLACES:
        sizes = dcrit.predict(place.problem)
        (run,) = dcrit.train(place.problem, place.n_train, seeds=1, store=store).runs
        panels.append(
            DynamicsPanel(
                place=place,
                run=run,
                predicted=dcrit.simulate(place.problem, place.n_train).found,
                critical_size=sizes.critical_size,
                capacity=sizes.capacity,
            )
        )
    picture = results.parents[1] / "figures" / "explained" / "four-dynamics.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(panels).savefig(picture, dpi=200)
    if as_json:
        print_json({"picture": str(picture)})
    else:
        say(str(picture))


@app.command("at-rest")
def at_rest(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """Sizes at rest beyond the calibration, predicted and then measured. Seconds; trains only with --store.

    Writes docs/results/two-thresholds/at-rest.json and its table in docs/results/two-thresholds.md. Without
    --store what is not there is predicted, and sizes are estimated again from the runs that the file holds. With
    --store what is predicted and has no runs is measured: half an hour on one core where all lack.
    """
    results = _results(clone)
    from dcrit.empirics.ablations import at_rest as sizes

    _check_alone(store, check=check)
    if store is not None:
        with _laboratory(store, workers) as bench, options.bad_input():
            sizes.measure(results, bench)
    _finish(sizes.at_rest(results), check=check, as_json=as_json)


@app.command("transformer-branches")
def transformer_branches(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """How likely seeds of transformers memorize unordered pairs, predicted and measured. Trains only with --store.

    Writes docs/results/two-thresholds/transformer-branches.json and its table in docs/results/two-thresholds.md:
    seconds. With --store the calibration's short runs are made, or, once predictions are there, those that they are
    about: four minutes on one core each.
    """
    results = _results(clone)
    from dcrit.empirics.ablations import transformer_branches as branches
    from dcrit.empirics.ablations.transformer_clock import committed_branches

    _measure(results, store, workers, branches.calibrate, branches.measure, check=check)
    _finish(branches.branches(results, committed_branches(results)), check=check, as_json=as_json)


@app.command("transformer-pace")
def transformer_pace(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """What η and λ do to the clock of transformers. Seconds; trains only with --store.

    Writes docs/results/two-thresholds/transformer-pace.json. With --store runs whose times the file lacks are made:
    fifteen minutes on one core where all lack.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.transformer_pace import measure, pace

    _measure(results, store, workers, measure, check=check)
    _finish(pace(results), check=check, as_json=as_json)


@app.command("optimizer")
def optimizer(
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    as_json: options.Json = False,
) -> None:
    """What AdamW's β₂ and ε do to times of pair-MLPs. 30 minutes on one core where all lack; trains.

    Writes docs/results/two-thresholds/optimizer.json, and all that 'dcrit reproduce two-thresholds' makes of it.
    Critical sizes at other moduli and widths that docs/results/optimizer-sizes.json lacks are predicted, and then
    measured.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.two_thresholds import two_thresholds as tables
    from dcrit.empirics.ablations.two_thresholds_runs import measure_asked, measure_optimizer

    with _laboratory(store, workers) as bench:
        measure_optimizer(results, bench)
        measure_asked(results, bench)
    _finish(tables(results), as_json=as_json)


@app.command("narrow")
def narrow(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """What narrow pair-MLPs hold of the rule, and where they semi-grok. Two minutes; trains only with --store.

    That takes some twenty minutes on one core. Writes narrow.json and edges.json in docs/results/two-thresholds with
    --store, and what 'dcrit reproduce two-thresholds' writes.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.edges import measure_edges
    from dcrit.empirics.ablations.narrow_mlps import measure_narrow
    from dcrit.empirics.ablations.two_thresholds import two_thresholds as tables

    _measure(results, store, workers, measure_narrow, measure_edges, check=check)
    _finish(tables(results), check=check, as_json=as_json)


@app.command("clock-method")
def clock_method(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """Critical sizes of twelve drawn problems by short runs and the clock. Seconds; trains only with --store.

    Writes docs/results/two-thresholds/clock-method.json: with --store the runs are made, a minute where all lack;
    without it sizes are estimated again from the times that the file holds.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.clock_method import estimated_again, measure_drawn

    _check_alone(store, check=check)
    if store is None:
        files = estimated_again(results)
    else:
        with _laboratory(store, workers) as bench:
            files = measure_drawn(results, bench)
    _finish(files, check=check, as_json=as_json)


@app.command("strength")
def strength(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """The strength g of memorizing over width and time. Seconds; trains only with --store, a minute.

    Writes the table in docs/results/two-thresholds.md, and with --store the rows that it shows,
    docs/results/two-thresholds/strength.json.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.strength import measure_strengths, strength_page

    _measure(results, store, workers, measure_strengths, check=check)
    _finish(strength_page(results), check=check, as_json=as_json)


@app.command("held-out")
def held_out(
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    as_json: options.Json = False,
) -> None:
    """Critical sizes beyond the calibration, and those of baselines. Ten minutes where all lack; trains.

    Sizes that docs/results/held-out.json, held-out-transformers.json and baselines.json have stay as they are.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.held_out import measure_held_out

    with _laboratory(store, workers) as bench:
        files = measure_held_out(results, bench)
    _finish(files, as_json=as_json)


@app.command("settled")
def settled(
    stores: Annotated[list[Path], typer.Argument(help="Folders in which 'dcrit calibrate' kept its runs.")],
    clone: Clone = HERE,
    as_json: options.Json = False,
) -> None:
    """docs/results/efficiency-runs.parquet, which the ablation is fitted to. A minute; trains nothing."""
    results = _results(clone)
    from dcrit.empirics.ablations.settled import TABLE, settled_table

    made = settled_table([folder for folder in stores if folder.is_dir()])
    if made.is_empty():
        raise typer.BadParameter(f"STORES must be folders that hold runs, got {', '.join(map(str, stores))}")
    made.write_parquet(results / TABLE, compression="zstd")
    _finish({}, as_json=as_json, table=str(results / TABLE), n_runs=len(made))


@app.command("facts")
def facts(
    series: Annotated[
        list[str] | None, typer.Option(help="Measure this series alone; may be given several times.")
    ] = None,
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """docs/results/emergence.md: what facts to memorize do to D_crit. Half a minute; trains only with --store.

    With --store the series in docs/results/emergence-series.json are measured first: twelve minutes on one core.
    Without it their sizes are estimated again from the runs that the file holds.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.facts_beside_a_task import facts_page
    from dcrit.empirics.ablations.facts_series import check_series, estimated_again, measured_series

    with options.bad_input():
        check_series(series or ())
    if store is None and series:
        raise typer.BadParameter(f"--series must go with --store, got '{series[0]}' without")
    _check_alone(store, check=check)
    if store is not None:
        with _laboratory(store, workers) as bench:
            _write(measured_series(series or (), results, bench))
    elif not check:
        _write(estimated_again(results))
    _finish(facts_page(results), check=check, as_json=as_json)


@app.command("emergence")
def emergence(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """What facts to memorize do to transformers: constants, predictions and measured sizes. Trains only with --store.

    Writes theory/calibrations/facts.json and docs/results/emergence.md from the committed runs, and predictions while
    none of them is measured. With --store the runs that calibrate are made where they lack, and then those that measure
    what was predicted: 60 minutes on one core for all of it.
    """
    results = _results(clone)
    from dcrit.empirics.ablations import transformer_facts
    from dcrit.empirics.ablations.facts_beside_a_task import facts_page

    _check_alone(store, check=check)
    if store is not None:
        with _laboratory(store, workers) as bench:
            _write(transformer_facts.calibrate(results, bench))
            _write(transformer_facts.shipped(results))
            if transformer_facts.is_predicted(results):
                transformer_facts.measure(results, bench)
    _finish(transformer_facts.shipped(results) | facts_page(results), check=check, as_json=as_json)


@app.command("transformers")
def transformers(
    store: Stored = None, workers: options.Workers = 0, clone: Clone = HERE, as_json: options.Json = False
) -> None:
    """docs/results/transformer-sizes.json: accuracy of transformers over their size. Trains only with --store.

    Without --store accuracies are predicted, where none is measured yet: seconds. With --store they are measured and
    shown beside what was predicted: ten minutes on two cores.
    """
    results = _results(clone)
    from dcrit.empirics.ablations.transformer_sizes import measure_sizes, predict_sizes

    if store is None:
        with options.bad_input():
            files = predict_sizes(results)
    else:
        with _laboratory(store, workers) as bench:
            files, shown = measure_sizes(results, bench)
        if not as_json:
            say(shown)
    _finish(files, as_json=as_json)


@app.command("verdict-errors")
def verdict_errors(clone: Clone = HERE, check: Check = False, as_json: options.Json = False) -> None:
    """How often verdicts err where every claim is at its edge, by simulation. Five minutes; trains nothing."""
    results = _results(clone)
    from dcrit.empirics.ablations.committed import text_of
    from dcrit.empirics.claims import verdict_errors as errors

    rows = errors.verdict_errors()
    _finish({results / "verdict-errors.json": text_of(rows)}, check=check, as_json=as_json, rates=rows)


@app.command("model-size")
def model_size(
    store: Stored = None,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    check: Check = False,
    as_json: options.Json = False,
) -> None:
    """Dips over model size, D_mem and stars, predicted and measured. Seconds; trains only with --store.

    Writes the tables in docs/results/model-size.md from committed runs. With --store calibration runs of narrow
    transformers are made where docs/results/model-size-calibration.json lacks, and planes that are predicted but not
    measured yet are measured: over an hour on one core where all lack, most of it at p = 113.
    """
    results = _results(clone)
    from dcrit.empirics.ablations import model_sizes
    from dcrit.empirics.ablations.model_sizes_fit import CALIBRATION, measure_calibration

    _check_alone(store, check=check)
    if store is not None:
        with _laboratory(store, workers) as bench:
            if not (results / CALIBRATION).exists():
                _write(measure_calibration(results, bench))
            _write(model_sizes.predict_planes(results) | model_sizes.predict_capacities(results))
            model_sizes.measure_planes(results, bench)
            model_sizes.measure_capacities(results, bench)
    _finish(model_sizes.model_size(results), check=check, as_json=as_json)


@app.command("transformer-calibration")
def transformer_calibration(
    store: options.StoreFolder = options.DEFAULT_STORE,
    workers: options.Workers = 0,
    clone: Clone = HERE,
    as_json: options.Json = False,
) -> None:
    """What the transformers' calibration says beside its cells: D_sym, and why cells lack. Twenty minutes; trains."""
    _results(clone)
    from dcrit.empirics.ablations.transformer_sizes import remeasured
    from dcrit.theory.calibrations.calibration import Calibration

    path = clone / "theory" / "calibrations" / "group-transformer-relu.json"
    shipped = Calibration.from_json(path.read_text(encoding="utf-8"))
    with _laboratory(store, workers) as bench:
        found = remeasured(shipped, bench)
    _finish({path: found.to_json()}, as_json=as_json, omitted=[one.to_dict() for one in found.omitted])


def _results(clone: Path) -> Path:
    from dcrit.empirics.ablations.committed import results_of

    with options.bad_input():
        return results_of(clone)


def _laboratory(store: Path, workers: int) -> AbstractContextManager[Laboratory]:
    from dcrit.cli.terminal.session import laboratory

    return laboratory(store, options.machine_from(workers, options.ExecutorChoice.local, None))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(files: Mapping[Path, str]) -> None:
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")


def _finish(files: Mapping[Path, str], *, as_json: bool, check: bool = False, **more: Any) -> None:
    """Write the files, or say which of them are not what they would be (exit 1); what more there is goes into JSON."""
    differing = [
        str(path) for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if not check:
        _write(files)
    if as_json:
        print_json({"files": [str(path) for path in files], "differing": differing, "written": not check} | more)
    elif check:
        for path in differing:
            say(f"{path} is not what it would be")
    else:
        say(" ".join([*map(str, files), *(str(more[key]) for key in ("gallery", "table") if key in more)]))
    if check and differing:
        raise typer.Exit(1)


def _report_in(validation: Path) -> tuple[str, str, dict[str, Any]]:
    """Suite, text and document of a validation's report."""
    from dcrit.api.report.tables import SUITES

    path = validation / "report.json"
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        suite = document["suite"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise typer.BadParameter(
            f"VALIDATION must be a folder that 'dcrit validate' wrote its report to, got {validation}"
        ) from error
    if suite not in SUITES:
        raise typer.BadParameter(f"VALIDATION must be of suite {' or '.join(SUITES)}, got '{suite}' in {validation}")
    if "extendable_claims" not in document:
        raise typer.BadParameter(
            f"VALIDATION must be written by this version of 'dcrit validate', got a report of another in {validation}: "
            "call 'dcrit validate' again, which finds its runs"
        )
    return suite, text, document


def _evidence_in(validation: Path, results: Path) -> dict[Path, str]:
    """The evidence of a validation, as it is committed: others go on from it. Reports of quick need no more."""
    suite, _, _ = _report_in(validation)
    path = validation / "evidence.json"
    return {results / f"{suite}-evidence.json": path.read_text(encoding="utf-8")} if suite != "quick" else {}


def remake_gallery(folder: Path, gallery: Path) -> None:
    """Pictures and report of a validation in place of those that were there, whole or not at all.

    Args:
        folder: Where the validation wrote.
        gallery: What is replaced.
    """
    from dcrit.api.report.pages import markdown_page

    document = _read(folder / "report.json")
    names = [figure["name"] for figure in document["figures"]]
    aside, old = (gallery.with_name(f".{gallery.name}.{word}") for word in ("new", "old"))
    for leftover in (aside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(parents=True)
    for name in names:
        shutil.copy(folder / "figures" / f"{name}.png", aside)
    for suffix in ("json", "html"):
        shutil.copy(folder / f"report.{suffix}", aside)
    # Beside its pictures, and with those that Markdown viewers show.
    page = markdown_page(document, {name: f"{name}.png" for name in names})
    (aside / "report.md").write_text(page, encoding="utf-8")
    if gallery.exists():
        gallery.rename(old)
    aside.rename(gallery)
    shutil.rmtree(old, ignore_errors=True)
