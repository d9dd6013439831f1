"""``dcrit reproduce`` for figures of the literature: their table, their page, and one of them."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dcrit.api import literature as api
from dcrit.cli.app import app
from dcrit.empirics.experiments.literature import PanelRuns, SeriesRuns, config_of, configs_of_figure
from dcrit.empirics.measures.over_width import FEWEST_SEEDS
from dcrit.empirics.runs.single import Run
from dcrit.empirics.store.kinds import Store
from dcrit.theory.estimates import Estimate
from dcrit.theory.literature.figures import QUICK_SEEDS, difference, literature_figures, quick_variant, with_seeds
from tests.worlds.literature import miniature
from tests.worlds.runs import run_of

ROOT = Path(__file__).parents[2]


def reproduce(*words: object) -> object:
    return CliRunner().invoke(app, ["reproduce", *map(str, words)], env={"COLUMNS": "200"})


def test_the_table_names_every_figure_with_runs_and_minutes() -> None:
    document = json.loads(reproduce("literature", "--json").stdout)  # type: ignore[attr-defined]
    assert [one["name"] for one in document["figures"]] == [one.name for one in literature_figures()]
    for one in document["figures"]:
        assert one["command"] == f"dcrit reproduce {one['name']}"
        assert one["runs"] > 0
        assert one["flops"] > 1e9
        assert 0 < one["minutes"] < 40
    shown = reproduce("literature").stdout  # type: ignore[attr-defined]
    assert all(one.name in shown for one in literature_figures())


def test_the_committed_page_is_that_of_the_registry() -> None:
    done = reproduce("literature", "--clone", ROOT, "--check")
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]


def test_a_page_that_differs_is_told_and_one_outside_of_a_clone_refused(tmp_path: Path) -> None:
    assert reproduce("literature", "--clone", tmp_path).exit_code == 2  # type: ignore[attr-defined]
    alone = reproduce("literature", "--check")
    assert alone.exit_code == 2  # type: ignore[attr-defined]
    a_clone(tmp_path)
    assert reproduce("literature", "--clone", tmp_path, "--check").exit_code == 1  # type: ignore[attr-defined]
    assert reproduce("literature", "--clone", tmp_path).exit_code == 0  # type: ignore[attr-defined]
    assert reproduce("literature", "--clone", tmp_path, "--check").exit_code == 0  # type: ignore[attr-defined]


def a_clone(folder: Path) -> Path:
    for name in ("docs/results", "docs/reference", "figures"):
        (folder / name).mkdir(parents=True)
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return folder


@pytest.mark.slow
def test_pictures_of_a_clone_are_drawn_and_shown_on_its_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = a_clone(tmp_path / "clone")
    small = tuple(miniature(one) for one in literature_figures() if one.name in ("huang-2b", "huang-2d"))
    monkeypatch.setattr(api, "literature_figures", lambda: small)
    words = ("literature", "huang-2b", "--clone", clone, "--store", tmp_path / "runs", "--workers", 1)
    done = reproduce(*words)
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]
    assert [path.name for path in (clone / "figures" / "literature").iterdir()] == ["huang-2b.png"]
    assert json.loads((clone / "docs/results/literature-figures.json").read_text()) == {"huang-2b": []}
    page = (clone / "docs/reference/literature-figures.md").read_text()
    assert page.count("](../../figures/literature/huang-2b.png)") == page.count("![") == 1
    unknown = reproduce("literature", "huang-9", *words[2:])
    assert unknown.exit_code == 2  # type: ignore[attr-defined]
    assert "huang-2d" in unknown.output  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--store", "runs"), "--store must go with --clone"),
        (("huang-2b", "--clone", ROOT), "NAME must go with --store"),
        (("--clone", ROOT, "--store", "runs", "--check"), "--check must be without --store"),
    ],
)
def test_pictures_are_refused_where_they_have_no_place(words: tuple[object, ...], said: str) -> None:
    refused = reproduce("literature", *words)
    assert refused.exit_code == 2  # type: ignore[attr-defined]
    assert said in " ".join(refused.output.replace("│", " ").split())  # type: ignore[attr-defined]


def test_every_committed_picture_is_of_a_figure_and_on_the_page() -> None:
    pictures = {path.stem for path in (ROOT / "figures" / "literature").iterdir()}
    assert pictures == set(json.loads((ROOT / "docs/results/literature-figures.json").read_text()))
    assert pictures <= {one.name for one in literature_figures()}
    page = (ROOT / "docs/reference/literature-figures.md").read_text()
    assert set(re.findall(r"figures/literature/([\w-]+)\.png", page)) == pictures


@pytest.mark.parametrize(("name", "n_curves"), [("huang-5a", 0), ("huang-3c", 1)])
def test_curves_beside_facts_are_not_asked_for_a_dip(name: str, n_curves: int) -> None:
    (figure,) = (one for one in literature_figures() if one.name == name)
    (panel,) = figure.panels
    predicted = Estimate(quantity="accuracy", value=0.5, interval=None)
    series = [
        SeriesRuns(series=one, runs={}, accuracies={4: predicted} if k == 0 else {})
        for k, one in enumerate(panel.series)
    ]
    assert len(api._over_width([PanelRuns(panel=panel, series=series)])) == n_curves


def test_each_command_says_what_should_be_seen() -> None:
    said = re.sub(r"\s+", " ", reproduce("nanda-1", "--help").stdout)  # type: ignore[attr-defined]
    assert "train loss falls at once" in said
    assert "Here one should see: Train loss is below 0.01" in said


def test_the_table_says_where_a_prediction_is_drawn() -> None:
    figures = {one["name"]: one["predicted"] for one in json.loads(reproduce("literature", "--json").stdout)["figures"]}  # type: ignore[attr-defined]
    # The plane, accuracy over width and over size; curves over time and capacities of random labels have none.
    assert all(figures[name] for name in ("huang-1", "huang-3a", "huang-3b", "varma-3"))
    assert not any(figures[name] for name in ("huang-2a", "huang-4", "nanda-1"))


def test_quick_variants_take_less_and_say_what_they_leave_out() -> None:
    for one in literature_figures():
        few = quick_variant(one)
        assert 0 < len(configs_of_figure(few)) < len(configs_of_figure(one))
        assert "seeds" in difference(one, few) or {panel.kind for panel in one.panels} <= set(QUICK_SEEDS)
        kinds = [panel.kind for panel in few.panels]
        assert ("no test loss" in difference(one, few)) == (len(few.panels) < len(one.panels))
        assert difference(one, few)
        assert [panel.kind for panel in one.panels if panel.kind in kinds] == kinds
        for panel, small in zip([panel for panel in one.panels if panel.kind in kinds], few.panels, strict=True):
            for places, left in ((panel.sizes, small.sizes), (panel.widths, small.widths)):
                assert set(left) <= set(places)
                assert (left[:1], left[-1:]) == (places[:1], places[-1:])
    (dips,) = (one for one in literature_figures() if one.name == "huang-3a")
    assert quick_variant(dips).panels[0].widths == (4, 12, 24, 48)
    assert {panel.seeds for panel in quick_variant(dips).panels} == {QUICK_SEEDS["over-width"]}
    assert QUICK_SEEDS["over-width"] > FEWEST_SEEDS
    assert [one.n_train for one in quick_variant(dips).panels[0].series] == [495, 800]
    assert difference(dips, quick_variant(dips)) == (
        "only widths 4, 12, 24, 48, only curves D = 495, D = 800, no test loss"
    )
    (curves,) = (one for one in literature_figures() if one.name == "huang-2a")
    assert difference(curves, quick_variant(curves)).startswith("1 of ")
    assert difference(dips, with_seeds(dips, 2)) == "2 of 5 seeds"
    assert difference(dips, dips) == ""


def test_what_holds_of_every_command_holds_of_figures(tmp_path: Path) -> None:
    twice = reproduce("huang-2b", "--seeds", 1, "--seeds", 2)
    assert twice.exit_code == 2  # type: ignore[attr-defined]
    assert "--seeds must be given once, got '1' and '2'" in " ".join(twice.stderr.split())  # type: ignore[attr-defined]
    (tmp_path / "mine.txt").write_text("--seeds 0\n")
    read = reproduce("huang-2b", f"@{tmp_path / 'mine.txt'}")
    assert read.exit_code == 2  # type: ignore[attr-defined]
    assert "--seeds must be an integer of at least 1, got 0" in " ".join(read.stderr.split())  # type: ignore[attr-defined]


def test_too_few_seeds_are_refused() -> None:
    refused = reproduce("huang-1", "--seeds", 1)
    assert refused.exit_code == 2  # type: ignore[attr-defined]
    assert "--seeds must be an integer of at least 2, got 1" in refused.stderr  # type: ignore[attr-defined]


@pytest.mark.slow
def test_what_was_trained_before_an_interruption_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tuple(miniature(one) for one in literature_figures() if one.name == "huang-3a")
    monkeypatch.setattr(api, "literature_figures", lambda: small)
    words = ("huang-3a", "--store", tmp_path / "runs", "--out", tmp_path, "--workers", 1)
    add, n_added = Store.add, [0]

    def added(self: Store, runs: Sequence[Run]) -> None:
        add(self, runs)
        n_added[0] += len(runs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "add", added)
        stopped = reproduce(*words)
    assert stopped.exit_code == 130  # type: ignore[attr-defined]
    assert not list(tmp_path.glob("*.png"))
    n_all = len(configs_of_figure(small[0]))
    assert 0 < n_added[0] < n_all
    assert f"huang-3a: {n_all} runs; training takes about " in stopped.stderr  # type: ignore[attr-defined]
    again = reproduce(*words)
    assert again.exit_code == 0, again.output  # type: ignore[attr-defined]
    assert f"huang-3a: {n_all} runs, {n_added[0]} of them stored; training takes about" in again.stderr  # type: ignore[attr-defined]
    assert (tmp_path / "huang-3a.png").is_file()
    assert f"all {n_all} runs are stored, none is trained" in reproduce(*words).stderr  # type: ignore[attr-defined]


#: Final accuracy of the seeds of each width: of a dip, of a rise, and of seeds that tell nothing.
DIPS = {4: (0.4, 0.42, 0.38, 0.41, 0.4), 12: (0.05, 0.06, 0.04, 0.05, 0.05), 48: (0.5, 0.52, 0.49, 0.5, 0.51)}
RISES = {4: (0.1, 0.11, 0.1, 0.12, 0.1), 12: (0.5, 0.52, 0.51, 0.5, 0.5), 48: (0.9, 0.91, 0.9, 0.92, 0.9)}
SCATTERS = {4: (0.9, 0.0, 0.9, 0.0, 0.9), 12: (0.9, 0.0, 0.0, 0.9, 0.0), 48: (0.0, 0.9, 0.9, 0.0, 0.9)}


@pytest.mark.slow
@pytest.mark.parametrize("second", ["rises", "scatters"])
def test_a_figure_over_model_size_says_whether_its_runs_dip_and_what_to_do_next(
    second: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = (one for one in literature_figures() if one.name == "huang-3a")
    curves = {495: DIPS, 800: RISES if second == "rises" else SCATTERS}
    panel = replace(
        whole.panels[0],
        widths=tuple(DIPS),
        series=tuple(one for one in whole.panels[0].series if one.n_train in curves),
    )
    small = replace(whole, panels=(panel,))
    runs = [
        run_of(config_of(panel, one, width, seed), test_accuracy=value, train_accuracy=1.0)  # type: ignore[arg-type]
        for one in panel.series
        for width, some in curves[one.n_train].items()
        for seed, value in enumerate(some)
    ]
    Store(tmp_path / "runs").add(runs)
    monkeypatch.setattr(api, "literature_figures", lambda: (small,))
    words = ("huang-3a", "--store", tmp_path / "runs", "--out", tmp_path)
    said = " ".join(reproduce(*words).stdout.split())  # type: ignore[attr-defined]
    assert re.search(r"D = 495: dip( at width 12, 0\.352 deep\. The prediction agrees on|, not predicted)", said)
    assert "D = 495: runs and prediction" in said
    assert re.search(r"fall from width 4 to 12 +│ 0\.352 +│ 0\.\d+ ", said)
    assert re.search(r"recovery at width 48 +│ 0\.454 +│ 0\.\d+ ", said)
    assert re.search(r"a dip +│ yes \(0\.\d+ % by chance\) +│ probability 0\.\d\d ", said)
    assert "The depth of a dip is its fall below the best smaller width, or twice its recovery" in said
    assert "D = 800: runs and prediction" not in said
    assert "No run at p = 37 was used to make the prediction." in said
    assert "One should see" not in said
    dips, other = json.loads(reproduce(*words, "--json").stdout)["over_width"]  # type: ignore[attr-defined]
    assert (dips["label"], dips["n_train"], dips["horizon"], dips["dip"]["ruling"]) == ("D = 495", 495, 5000, "dip")
    assert other["n_train"] == 800
    if second == "rises":
        assert other["dip"]["ruling"] == "no dip"
        assert "D = 800: no dip, as predicted" in said
        assert "dcrit predict double-descent -p 37 -m transformer -n 495 -T 5000 -S" in said
    else:
        assert other["dip"]["ruling"] == "cannot tell"
        assert "D = 800: cannot tell whether the runs show a dip: " in said
        assert "add seeds until they tell whether there is a dip: dcrit reproduce huang-3a -s 10 -S" in said
    picture = (tmp_path / "huang-3a.svg").read_text().replace("&#160;", " ")
    assert "Counterpart of huang-3a: add p=37 relu transformer; 5000 steps" in picture
    assert "test accuracy, D = 495 examples" in picture
    assert "No run at p = 37 was used to make the prediction." in picture
    assert re.search(r"D = 495: dip( at width 12|, not)", picture)


@pytest.mark.slow
def test_a_quick_variant_says_so_in_words_and_on_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(
        replace(miniature(one), panels=tuple(replace(panel, seeds=2) for panel in miniature(one).panels))
        for one in literature_figures()
        if one.name == "huang-2b"
    )
    monkeypatch.setattr(api, "literature_figures", lambda: small)
    done = reproduce("huang-2b", "--quick", "--store", tmp_path / "runs", "--out", tmp_path, "--workers", 1)
    said = "Quick variant of huang-2b: 1 of 2 seeds."
    assert said in done.stdout  # type: ignore[attr-defined]
    assert (tmp_path / "huang-2b-quick.png").is_file()
    assert not (tmp_path / "huang-2b.png").exists()
    assert said in (tmp_path / "huang-2b-quick.svg").read_text().replace("&#160;", " ")


@pytest.mark.slow
def test_a_figure_is_made_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(miniature(one) for one in literature_figures() if one.name == "huang-2b")
    monkeypatch.setattr(api, "literature_figures", lambda: small)
    done = reproduce("huang-2b", "--store", tmp_path / "runs", "--out", tmp_path, "--workers", 1, "--json")
    document = json.loads(done.stdout)  # type: ignore[attr-defined]
    assert [Path(path).name for path in document["files"]] == ["huang-2b.png", "huang-2b.svg"]
    assert all(Path(path).stat().st_size > 1000 for path in document["files"])
