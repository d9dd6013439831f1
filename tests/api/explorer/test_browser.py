"""The explorer in a real browser: its numbers are those of the predictions, and its controls do what they say."""

import json
import math
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait
from typer.testing import CliRunner

import dcrit
from dcrit.api.explorer.page import TOLERANCE, WIDTH_TOLERANCE, Explorer
from dcrit.cli.app import app
from dcrit.theory.calibrations.calibration import calibration_of
from dcrit.theory.predictions.delay import time_to_memorize
from dcrit.theory.predictions.phase_diagram import phase_diagram, predict_star
from dcrit.theory.predictions.simulation import simulate_by_clock
from tests.worlds.browser import chrome, requests

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("explorer")]

#: Of the store that is laid over the theory.
STORED = dcrit.Problem(modulus=11, width=16, learning_rate=0.01)

#: Questions at nodes of the grids, between them, outside the calibration, and where nothing is told.
QUESTIONS = (
    {"modulus": 47, "width": 100},
    {"modulus": 53, "width": 128, "horizon": 2000},
    {"modulus": 113, "width": 256, "activation": "relu", "horizon": 10000},
    {"modulus": 31, "width": 45, "task": "sub", "weight_decay": 0.6},
    {"modulus": 89, "width": 71, "task": "mul", "weight_decay": 1.3, "horizon": 1500},
    {"modulus": 23, "width": 300, "task": "div", "activation": "relu", "weight_decay": 3.0},
    {"modulus": 59, "width": 64, "task": "square-of-sum"},
    {"modulus": 37, "width": 90, "task": "sum-squares", "activation": "relu", "horizon": 700},
    {"modulus": 59, "width": 32, "model": "transformer", "activation": "relu"},
    {"modulus": 43, "width": 20, "model": "transformer", "activation": "relu", "horizon": 6000, "weight_decay": 0.85},
    {"modulus": 17, "width": 64, "task": "mul", "model": "transformer", "activation": "relu", "horizon": 3000},
    {"modulus": 97, "width": 12, "model": "transformer", "activation": "relu", "weight_decay": 0.5},
    {"modulus": 113, "width": 8, "model": "transformer", "activation": "relu"},
    {"modulus": 199, "width": 512, "horizon": 20000},
    {"modulus": 173, "width": 11},
    {"modulus": 13, "width": 8, "horizon": 20},
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Explorer:
    folder = tmp_path_factory.mktemp("explorer")
    dcrit.train(STORED, [40, 80], seeds=1, store=folder / "runs", workers=1)
    return dcrit.explore(folder / "explorer.html", store=folder / "runs")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chrome(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def opened(shared: Chrome, written: Explorer) -> Chrome:
    """The page in any state, for what the theory in it says of questions."""
    visit(shared, written.file)
    return shared


@pytest.fixture
def browser(shared: Chrome, written: Explorer) -> Chrome:
    """The page as it is opened first, in a window of a desk."""
    shared.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    visit(shared, written.file)
    return shared


def visit(browser: Chrome, page: Path, address: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + address)
    ready(browser)


def ready(browser: Chrome) -> None:
    WebDriverWait(browser, 60).until(
        lambda one: one.execute_script("return document.documentElement.dataset.ready === 'yes'")
    )


def asked(**fields: Any) -> tuple[dict[str, Any], dcrit.Problem, int | None]:
    """A question as the page has it, and as Python has it."""
    horizon = fields.pop("horizon", 0)
    problem = dcrit.Problem(**{"activation": "square", **fields})
    names = ("task", "model", "activation", "modulus", "width", "weight_decay")
    n_train = fields.get("n_train", problem.n_pairs // 3)
    page = {name: getattr(problem, name) for name in names} | {"horizon": horizon, "n_train": n_train}
    return page, problem, horizon or None


def theory(browser: Chrome, call: str, *given: Any) -> Any:
    return browser.execute_script(f"return Theory.{call}", *given)


def text(browser: Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


def traces(browser: Chrome, panel: str) -> dict[str, Any]:
    """Curves of a picture by their names."""
    found = browser.execute_script(
        "return document.getElementById(arguments[0]).data.map(one => ({name: one.name ?? '', x: [...one.x], "
        "y: [...one.y], text: one.text ? [...one.text] : []}))",
        f"{panel}-plot",
    )
    return {one["name"]: one for one in found}


def fill(browser: Chrome, field: str, value: object) -> None:
    box = browser.find_element(By.ID, field)
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(str(value), Keys.TAB)


def test_it_opens_alone_and_without_a_complaint(browser: Chrome, written: Explorer) -> None:
    browser.get_log("browser")
    requests(browser, written.file)
    visit(browser, written.file)
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert requests(browser, written.file) == [written.file.as_uri()]
    assert text(browser, "#failure") == ""
    for panel in ("diagram", "accuracy", "training", "modulus"):
        assert len(traces(browser, panel)) >= 2, panel
        assert browser.find_element(By.ID, f"{panel}-plot").get_attribute("aria-label")
    assert {f"D<sub>{name}</sub>" for name in ("crit", "mem", "rest")} <= traces(browser, "diagram").keys()


@pytest.mark.parametrize("fields", QUESTIONS, ids=lambda fields: "-".join(map(str, fields.values())))
def test_its_numbers_are_those_of_predict(opened: Chrome, fields: dict[str, Any]) -> None:
    question, problem, horizon = asked(**fields)
    found = theory(opened, "answer(arguments[0])", question)
    said = dcrit.predict(problem, horizon=horizon)
    law = said.calibration.thresholds
    assert law is not None
    assert found["outside"] == list(law.outside(problem, found["horizon"]))
    assert (found["horizon"], found["pairs"]) == (said.size.horizon, problem.n_pairs)
    assert found["n_params"] == pytest.approx(problem.n_params, rel=TOLERANCE)
    estimates = said.estimates
    for name, widening in (("critical_size", 1), ("at_rest", 1), ("capacity", 2)):
        mine, theirs = found[name], estimates[name]
        assert (mine["value"] is None) == (theirs.value is None), name
        if theirs.value is None:
            assert mine["reason"][:30] == theirs.reason[:30]
            continue
        assert mine["value"] == pytest.approx(theirs.value, rel=TOLERANCE)
        assert theirs.interval is not None
        spread = math.log(theirs.interval.high / theirs.interval.low)
        assert math.log(mine["high"] / mine["low"]) == pytest.approx(spread, rel=widening * WIDTH_TOLERANCE)


def test_questions_are_of_every_kind(opened: Chrome) -> None:
    found = [theory(opened, "answer(arguments[0])", asked(**fields)[0]) for fields in QUESTIONS]
    assert any(one["critical_size"]["value"] is None for one in found)
    assert any(one["outside"] for one in found)
    assert any(not one["outside"] and one["critical_size"]["value"] for one in found)


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 32, "modulus": 31, "n_train": 500},
        {"width": 32, "modulus": 43, "n_train": 1100},
        {"width": 48, "modulus": 37, "activation": "relu", "n_train": 1000},
        {"width": 24, "modulus": 31, "activation": "square", "n_train": 240, "horizon": 9000},
        {"width": 16, "modulus": 53, "model": "transformer", "activation": "relu", "n_train": 1400},
        {"width": 128, "modulus": 59, "task": "square-of-sum", "n_train": 480},
    ],
    ids=str,
)
def test_regimes_at_the_edges_of_semi_grokking_are_no_surer(opened: Chrome, fields: dict[str, Any]) -> None:
    question, problem, horizon = asked(**{name: one for name, one in fields.items() if name != "n_train"})
    said = dcrit.regime(problem, fields["n_train"], horizon=horizon).found
    mine = theory(opened, "answer(arguments[0]).regime", question | {"n_train": fields["n_train"]})
    assert mine["name"] == said.most_likely
    assert mine["probability"] == pytest.approx(max(said.probabilities), abs=0.02)
    assert mine["probability"] < 0.99


@pytest.mark.parametrize(
    "fields",
    [
        {"modulus": 43},
        {"modulus": 37, "activation": "relu", "horizon": 2000},
        {"modulus": 97, "horizon": 8000},
        {"modulus": 59, "activation": "relu", "model": "transformer"},
    ],
    ids=str,
)
def test_the_star_and_the_regimes_are_those_of_the_phase_diagram(opened: Chrome, fields: dict[str, Any]) -> None:
    question, problem, horizon = asked(**fields)
    found = theory(opened, "star(Theory.placeOf(arguments[0]))", question)
    calibration = calibration_of(problem)
    star = predict_star(problem, calibration, horizon=horizon)
    assert (found["value"] is None) == (star.n_train.value is None)
    for name, theirs in (("width", star.width), ("n_params", star.n_params), ("n_train", star.n_train)):
        assert theirs.value is not None
        assert theirs.interval is not None
        assert found[name]["value"] == pytest.approx(theirs.value, rel=0.01)
        # Ends are quantiles of two hundred draws.
        assert found[name]["low"] == pytest.approx(theirs.interval.low, rel=0.05)
        assert found[name]["high"] == pytest.approx(theirs.interval.high, rel=0.05)
    sizes = np.geomspace(0.05, 1, 13) * problem.n_pairs
    plane = phase_diagram(problem, calibration, widths=[60, 64], n_trains=sizes, horizon=horizon)
    script = (
        "const place = Theory.placeOf(arguments[0]);"
        "return Theory.plane(place, [{width: 64, known: Theory.logs({...place, width: 64})}], arguments[1])"
    )
    codes = [row[0] for row in opened.execute_script(script, question, sizes.tolist())]
    assert codes == plane.codes[:, 1].tolist()
    kept = opened.execute_script(
        "const place = {...Theory.placeOf(arguments[0]), width: 64}; return Theory.kept(place, Theory.logs(place))",
        question,
    )
    assert kept["value"] == pytest.approx(plane.at_rest[1], rel=0.01)
    assert kept["low"] == pytest.approx(plane.rest_low[1], rel=0.02)
    assert kept["high"] == pytest.approx(plane.rest_high[1], rel=0.02)
    for n_train in (sizes[3], sizes[8]):
        said = dcrit.regime(problem, round(n_train), horizon=horizon).found
        mine = theory(opened, "answer(arguments[0]).regime", question | {"n_train": round(n_train)})
        assert mine["name"] == said.most_likely
        assert mine["probability"] == pytest.approx(max(said.probabilities), abs=0.02)


@pytest.mark.parametrize(
    "fields",
    [
        {"modulus": 53, "width": 128},
        {"modulus": 43, "width": 96, "activation": "relu"},
        {"modulus": 41, "width": 20, "activation": "relu", "model": "transformer"},
    ],
    ids=str,
)
def test_curves_are_those_of_the_clock(opened: Chrome, fields: dict[str, Any]) -> None:
    question, problem, _ = asked(**fields)
    prediction = dcrit.predict(problem)
    law = prediction.calibration.thresholds
    assert law is not None
    assert prediction.critical_size is not None
    n_train = round(1.1 * prediction.critical_size)
    curve = simulate_by_clock(problem, prediction.calibration, prediction.sizes, n_train)
    found = theory(opened, "training(Theory.placeOf(arguments[0]), arguments[1])", question, n_train)
    steps = np.array([row["step"] for row in found["rows"]])
    first = time_to_memorize(problem, prediction.calibration, n_train)
    theirs = np.where(steps < first, 0.0, law.clocks(problem).accuracy(n_train, steps))
    mine = np.array([row["accuracy"] for row in found["rows"]])
    # Where the training set is memorized the curve jumps.
    told = np.abs(np.log(steps / first)) > 0.1
    assert np.abs(mine - theirs)[told].max() < 0.005
    assert mine[-1] == pytest.approx(curve.test_accuracy[-1], abs=0.005)
    assert mine.max() > 0.5
    assert found["memorized"] == pytest.approx(first, rel=0.1)
    for size in (0.8, 0.97, 1.0, 1.05, 1.3):
        share = theory(opened, "answer(arguments[0]).accuracy", question | {"n_train": size * prediction.critical_size})
        expected = law.clocks(problem).accuracy(size * prediction.critical_size, problem.horizon)
        assert share == pytest.approx(float(expected), abs=0.01)


def test_the_cards_say_the_numbers_of_the_command_beside_them(browser: Chrome, written: Explorer) -> None:
    visit(browser, written.file, "#task=mul&modulus=53&width=96&activation=relu&horizon=2500&weight_decay=1.5")
    words = shlex.split(text(browser, "#command-predict"))
    assert words[:3] == ["dcrit", "predict", "critical-size"]
    done = CliRunner().invoke(app, [*words[1:], "--json"])
    assert done.exit_code == 0, done.output
    size = json.loads(done.stdout)["critical_size"]
    shown = float(text(browser, "#critical-size .value").split()[0].replace(",", ""))
    assert shown == pytest.approx(size["value"], rel=TOLERANCE, abs=1)
    assert size["horizon"] == 2500
    assert text(browser, "#critical-size h2") == "Critical size Dcrit after 2,500 steps"
    assert "the weight decay 1.5 is 1.5 times the largest calibrated for the law of sizes, 1" in text(browser, "#notes")
    assert "extrapolates" in text(browser, "#notes")


def test_what_cannot_be_told_is_said(browser: Chrome, written: Explorer) -> None:
    visit(browser, written.file, "#task=add&modulus=199&width=16")
    assert text(browser, "#critical-size .value").startswith("cannot tell: there are 12.4 symbols per unit of width")
    assert text(browser, "#here .value") == "cannot tell"


def test_controls_move_the_curves_and_the_address(browser: Chrome) -> None:
    before = {panel: traces(browser, panel) for panel in ("diagram", "accuracy", "training", "modulus")}
    address = browser.current_url
    for field, value in (("modulus", 41), ("width", 96), ("weight_decay", 0.7), ("n_train", 700)):
        fill(browser, field, value)
        assert f"{field}={value}" in browser.current_url
        now = {panel: traces(browser, panel) for panel in before}
        assert any(now[panel] != before[panel] for panel in before), field
        before = now
    browser.find_element(By.ID, "protocol").click()
    fill(browser, "horizon", 900)
    assert "horizon=900" in browser.current_url
    assert text(browser, "#critical-size h2").endswith("after 900 steps")
    assert traces(browser, "training") != before["training"]
    for field, value in (("activation", "relu"), ("model", "transformer"), ("task", "square-of-sum")):
        before = {panel: traces(browser, panel) for panel in before}
        Select(browser.find_element(By.ID, field)).select_by_value(value)
        assert f"{field}={value}" in browser.current_url
        assert {panel: traces(browser, panel) for panel in before} != before
    # No law of transformers speaks of that task.
    assert "model=mlp" in browser.current_url
    assert browser.current_url != address
    assert browser.get_log("browser") == []


def test_sliders_and_fields_follow_each_other_by_keyboard(browser: Chrome) -> None:
    fill(browser, "modulus", 31)
    slider = browser.find_element(By.ID, "modulus-slider")
    place = int(slider.get_attribute("value") or "")
    slider.send_keys(Keys.PAGE_UP)
    assert int(slider.get_attribute("value") or "") > place
    assert int(browser.find_element(By.ID, "modulus").get_attribute("value") or "") > 31
    fill(browser, "width", 1e9)
    assert browser.find_element(By.ID, "width").get_attribute("value") == "1024"
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('input, select')].filter("
        "one => !one.labels.length && !one.getAttribute('aria-label')).map(one => one.id)"
    )
    assert unnamed == []


def test_a_view_survives_in_its_address(browser: Chrome, written: Explorer) -> None:
    fill(browser, "modulus", 67)
    fill(browser, "width", 200)
    address = browser.current_url
    shown = (text(browser, "#cards"), text(browser, "#command-predict"))
    browser.refresh()
    ready(browser)
    assert (text(browser, "#cards"), text(browser, "#command-predict")) == shown
    visit(browser, written.file, "#" + address.partition("#")[2])
    assert (text(browser, "#cards"), text(browser, "#command-predict")) == shown
    visit(browser, written.file, "#modulus=x&task=none&model=<b>&width=-3&n_train=1e99")
    assert browser.get_log("browser") == []
    assert float(browser.find_element(By.ID, "width").get_attribute("value") or "") >= 1


@pytest.mark.parametrize("width", [375, 1280])
def test_nothing_is_wider_than_the_window(browser: Chrome, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.refresh()
    ready(browser)
    browser.find_element(By.CSS_SELECTOR, "details summary").click()
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    # A picture as wide as the panel, and no wider.
    assert browser.execute_script(
        "return [...document.querySelectorAll('.plot .main-svg')].every("
        "one => one.getBoundingClientRect().right <= innerWidth)"
    )


def test_measured_points_name_themselves_and_the_command_that_repeats_them(browser: Chrome, written: Explorer) -> None:
    points = browser.execute_script("return Theory.data.points")
    assert len(points) == written.n_sizes + written.n_runs
    sizes = [one for one in points if "n_train" not in one]
    ours = [one for one in sizes if not one["origin"].startswith("published")]
    assert len(ours) > 50
    for one in ours:
        words = shlex.split(one["command"])
        assert words[:3] == ["dcrit", "measure", "critical-size"]
        # The options of both commands mean the same; nothing is trained here.
        options = [word for word in words[3:] if word not in ("--start", "generalized")]
        done = CliRunner().invoke(app, ["predict", "critical-size", *options, "--json"])
        if done.exit_code == 0:
            assert json.loads(done.stdout)["problem"] == one["problem"]
        else:
            assert "calibration" in done.output, one["command"]
    shown = traces(browser, "modulus")
    hover = shown["measured D<sub>crit</sub>"]["text"]
    assert hover
    assert all("dcrit measure critical-size" in one for one in hover)
    browser.find_element(By.CSS_SELECTOR, "details summary").click()
    rows = browser.find_elements(By.CSS_SELECTOR, "#points tr")
    assert len(rows) == written.n_sizes
    rows[3].find_element(By.TAG_NAME, "button").click()
    assert f"modulus={points[3]['problem']['modulus']}&" in browser.current_url
    assert f"width={points[3]['problem']['width']}&" in browser.current_url


def test_runs_of_the_store_lie_over_the_theory(browser: Chrome, written: Explorer) -> None:
    assert written.n_runs == 2
    visit(browser, written.file, f"#task=add&modulus={STORED.modulus}&width={STORED.width}&n_train=80")
    runs = traces(browser, "accuracy")["runs of the store"]
    assert sorted(runs["x"]) == [40, 80]
    assert f"dcrit train --modulus {STORED.modulus}" in runs["text"][0].replace("<br>", "")
    assert max(traces(browser, "training")["test accuracy, runs of the store"]["x"]) == STORED.horizon
    assert "runs of the store" in traces(browser, "diagram")
