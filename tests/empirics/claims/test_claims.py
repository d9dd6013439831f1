"""What all claims share: their table, their parts, what they find, and how a verdict is written down."""

import json
import math
import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from dcrit.empirics.claims.claim import Claim, Condition, Finding, Part, Record, Verdict, verdict_json
from dcrit.empirics.claims.evidence import NOTHING, decide, every, evidence_of_mean, evidence_of_slope, together
from dcrit.empirics.claims.frames import Frame
from dcrit.empirics.claims.protocol import CLAIMS, claim_from
from dcrit.empirics.claims.streams import FIRST_SEED, Arm, DimensionArm, SeveralTasksArm, Stream
from dcrit.empirics.runs.dimensions import DimensionConfig
from dcrit.empirics.runs.multitask import MultitaskConfig
from dcrit.theory.problems.problem import Problem
from tests.worlds.miniature import accuracy, claim_of

#: The claims of the first release, by today's table.
FIRST_RELEASE = (
    *("gen-efficiency-flat", "mem-efficiency-falls", "dcrit-predicted", "dcrit-decay-free", "dcrit-falls-with-size"),
    *("capacity-linear", "four-dynamics", "star-located", "regime-labels", "dd-below-star", "dd-harder-task"),
    *("dd-peak-sqrt", "dd-effective-dim", "ungrokking", "semi-grokking", "delay-law", "emergence-multitask"),
    *("emergence-finetune", "emergence-split", "dcrit-vs-modulus", "task-isomorphism"),
)

PROBLEM = Problem(modulus=7, width=8)
ABOVE = Condition(stream=accuracy(PROBLEM, 20), low=0.5)
BELOW = Condition(stream=accuracy(PROBLEM, 10), high=0.5)


def record(*values: float) -> Record:
    return Record(values=list(values), seeds=len(values), seconds_by_run={str(k): 0.5 for k in range(len(values))})


# --- the protocol ---


def test_the_claims_of_the_first_release_are_all_there_in_their_order() -> None:
    assert [name for name in CLAIMS if name in FIRST_RELEASE] == list(FIRST_RELEASE)
    assert {"norm-signature", "rest-vs-modulus", "horizon-law"} <= set(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_says_what_it_is(claim: Claim) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", claim.id)
    assert re.fullmatch(r"[A-Z(].*\.", claim.statement)
    assert claim.criterion.strip()
    bibliography = files("dcrit.theory.literature").joinpath("references.bib").read_text(encoding="utf-8")
    assert claim.source
    for key in claim.source:
        assert key == "dcrit" or f"{{{key}," in bibliography
    names = [part.name for part in claim.parts]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_run_of_a_claim_is_of_a_fresh_seed_and_can_be_made(claim: Claim) -> None:
    for part in claim.parts:
        for one in part.conditions:
            for unit in (0, one.stream.block * one.stream.blocks - 1):
                for config in one.stream.configs(unit):
                    if isinstance(config, MultitaskConfig):
                        seed, problem, n_train = config.seed, config.problem(0), config.components[0].n_train
                    else:
                        run = config.run if isinstance(config, DimensionConfig) else config
                        seed, problem, n_train = run.seed, run.problem, run.n_train
                    assert seed >= FIRST_SEED
                    assert 0 < n_train <= problem.n_pairs
            if isinstance(one.stream, Stream) and one.stream.measure in ("accuracy", "advantage", "semi-groks"):
                assert all(arm.n_train < arm.problem.n_pairs for arm in one.stream.arms)


def test_no_problem_of_a_frame_is_drawn_twice() -> None:
    drawn = [
        one.problem
        for claim in CLAIMS.values()
        for part in claim.parts
        for condition in part.conditions
        if isinstance(condition.stream, Frame)
        for one in condition.stream.drawn
    ]
    assert len(drawn) > 50
    told = [(one.modulus, one.model, one.activation, one.width) for one in drawn]
    assert len(set(told)) == len(told)


FILE = """
id = "one"
statement = "S."
source = ["dcrit"]
criterion = "C."
[problems]
small = { modulus = 7, width = 8 }
wide = { like = "small", width = 16 }
deep = { like = "small", model = "transformer", activation = "relu" }
[frames.drawn]
clip = 0.3
drawn = [{ modulus = 31, width = 40, steps = 1000, predicted = 270.5 }]
[[parts]]
name = "all"
joined = "together"
suites = ["quick"]
conditions = [
  { problem = "wide", n_train = 20, above = 0.5, seeds = 8 },
  { measure = "advantage", problem = ["small", "wide"], n_train = [10, 12], below = 0.1, seeds = 4 },
  { measure = "memorizing-slope", problem = "small", n_train = [10, 20], above = -1, below = 1, seeds = 3 },
  { problem = "small", n_train = 20, facts = 5, split = true, above = 0.5, seeds = 4 },
  { problem = "small", n_train = 20, after = "sub", above = 0.5, seeds = 4 },
  { problem = "small", n_train = 20, after = "not sub", above = 0.5, seeds = 4 },
  { measure = "advantage", problem = "deep", n_train = 20, facts = 5, split = [
    true, false], pretraining = 9, steps = 30, above = 0, seeds = 4 },
  { measure = "rank-of-dimension", problem = "small", n_train = 20, dimension = [false, true], above = 0, seeds = 4 },
  { frame = "drawn", below = 0.25 },
]
"""


def test_a_file_becomes_a_claim() -> None:
    claim = claim_from(FILE)
    (part,) = claim.parts
    assert (claim.id, claim.order, part.joined, part.suites) == ("one", math.inf, "together", ("quick",))
    one, pair, slope, facts, tuned, fresh, deep, ranked, frame = part.conditions
    small, wide = PROBLEM, replace(PROBLEM, width=16)
    assert one == Condition(stream=Stream(measure="accuracy", arms=(Arm(problem=wide, n_train=20),), blocks=2), low=0.5)
    assert [(arm.problem, arm.n_train) for arm in pair.stream.arms] == [(small, 10), (wide, 12)]  # type: ignore[union-attr]
    assert (pair.low, pair.high, slope.low, slope.high, slope.stream.blocks) == (-math.inf, 0.1, -1, 1, 3)
    (with_facts,), (after,), (alone,) = (each.stream.arms for each in (facts, tuned, fresh))  # type: ignore[union-attr]
    assert isinstance(with_facts, SeveralTasksArm)
    config = with_facts.config(3)
    assert (config.blocks, config.width, config.components[1].n_train, config.seed) == ("split", 4, 5, 3)
    assert (config.phases[0].steps, config.components[0].n_train) == (PROBLEM.horizon, 20)
    own, shared = (arm.config(0) for arm in deep.stream.arms)  # type: ignore[union-attr]
    assert isinstance(own, MultitaskConfig)
    assert (own.model, own.blocks, own.width, [phase.steps for phase in own.phases]) == (
        "transformer",
        "split",
        8,
        [9, 30],
    )
    assert own == replace(shared, blocks="split")
    assert (len(after.config(0).phases), len(alone.config(0).phases)) == (2, 1)  # type: ignore[union-attr]
    assert isinstance(ranked.stream.arms[1], DimensionArm)  # type: ignore[union-attr]
    assert isinstance(frame.stream, Frame)
    assert (frame.stream.drawn[0].steps, frame.stream.drawn[0].predicted) == (1000, 270.5)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "one"', 'name = "one"', "^key of a claim must be one of id, .*, got 'name'; the nearest is 'frames'$"),
        ('criterion = "C."\n', "", "^claim one must have the key criterion, got none$"),
        ('like = "small"', 'like = "large"', "^like must be one of small, got 'large'$"),
        ("steps = 30", "steps = 0", "^steps must be an integer of at least 1, got 0$"),
        ('after = "sub"', 'after = "sub", steps = 5', "^key of a network after another task must be one of"),
        ("seeds = 8", "seeds = 7", "^seeds must be a multiple of 4, got 7$"),
        (
            "seeds = 8",
            "sedes = 8",
            "^key of a condition must be one of problem, .*, got 'sedes'; the nearest is 'seeds'$",
        ),
        (", seeds = 8", "", "^condition must have the key seeds, got none$"),
        ("n_train = [10, 12]", "n_train = [10, 12, 14]", "^problem must have 3 values beside the others, got 2$"),
        ('frame = "drawn"', 'frame = "made"', "^frame must be one of drawn, got 'made'$"),
        ("above = 0.5, seeds = 8", "seeds = 8", "^low must be below high, and one of them finite"),
        ("above = 0.5, seeds = 8", "above = 1.5, seeds = 8", "^low and high must lie between 0 and 1, got 1.5$"),
        ('suites = ["quick"]', 'suites = ["slow"]', "^suites must be one of quick, standard, paper, got 'slow'$"),
        ('joined = "together"', 'joined = "some"', "^joined must be one of every, together, got 'some'$"),
    ],
)
def test_a_file_that_means_nothing_is_refused_by_what_is_wrong(old: str, new: str, message: str) -> None:
    assert old in FILE
    with pytest.raises(ValueError, match=message):
        claim_from(FILE.replace(old, new, 1))


# --- conditions, parts and claims ---


def test_conditions_ask_on_which_side_of_their_ends_the_mean_lies() -> None:
    values = [0.9, 0.8, 1.0, 0.7]
    assert ABOVE.evidence(values) == evidence_of_mean(values, 0.5)
    below = replace(ABOVE, low=-math.inf, high=0.5).evidence(values)
    assert (below.holds, below.fails) == (ABOVE.evidence(values).fails, ABOVE.evidence(values).holds)
    both = replace(ABOVE, low=0.5, high=0.95)
    ends = [ABOVE.evidence(values), replace(ABOVE, low=-math.inf, high=0.95).evidence(values)]
    assert both.evidence(values) == every(ends)
    assert both.words == "test accuracy between 0.5 and 0.95"


def test_differences_are_bets_on_their_half() -> None:
    arms = tuple(Arm(problem=PROBLEM, n_train=size) for size in (10, 20))
    one = Condition(stream=Stream(measure="advantage", arms=arms, blocks=2), high=0.1)
    values = [-0.4, 0.0, -0.2]
    flipped = evidence_of_mean((np.array(values) + 1) / 2, 0.55)
    assert one.evidence(values).holds == pytest.approx(flipped.fails)
    assert one.interval(values).low < -0.2 < one.interval(values).high
    assert (one.interval([]).low, one.interval([]).high) == (-1.0, 1.0)


def test_slopes_are_judged_by_their_scatter() -> None:
    arms = tuple(Arm(problem=PROBLEM, n_train=size) for size in (10, 20))
    one = Condition(stream=Stream(measure="memorizing-slope", arms=arms, blocks=8), high=-0.2)
    values = [-0.7, -0.72, -0.69]
    assert one.evidence(values).holds == evidence_of_slope(values, -0.2).fails
    assert one.evidence(values).holds > 20 > one.evidence(values).fails


def test_parts_join_their_conditions() -> None:
    records = {ABOVE.stream: record(*[1.0] * 8), BELOW.stream: record(*[1.0] * 8)}
    found = [ABOVE.evidence([1.0] * 8), BELOW.evidence([1.0] * 8)]
    part = Part(name="both", conditions=(ABOVE, BELOW))
    assert part.evidence(records) == every(found)
    assert replace(part, joined="together").evidence(records) == together(found)
    assert part.evidence({}) == NOTHING
    one_sided = replace(part, joined="together").evidence({ABOVE.stream: record(*[1.0] * 8)})
    assert one_sided.holds == 1.0  # half of the data decides nothing


def finding(**values: list[float]) -> Finding:
    known = {"above": ABOVE, "below": BELOW}
    records = {known[name].stream: record(*own) for name, own in values.items()}
    parts = tuple(Part(name=name, conditions=(one,)) for name, one in known.items())
    return Finding(parts=parts, records=records)


def verdict(found: Finding) -> Verdict:
    claim = claim_of("made", ABOVE, BELOW)
    return Verdict(claim=claim, finding=found, decision=decide([found.evidence])[0])


def test_the_weakest_part_leads_a_claim_that_may_hold_and_the_worst_one_that_may_fail() -> None:
    held = finding(above=[1.0] * 12, below=[0.1] * 4)
    assert held.rows()[held.leading]["part"] == "below"
    failing = finding(above=[1.0] * 12, below=[1.0] * 12)
    assert failing.rows()[failing.leading]["part"] == "below"
    assert verdict(failing).ruling == "refuted"


def test_what_more_is_needed_is_told_at_the_present_rate() -> None:
    found = finding(above=[1.0] * 12, below=[0.1] * 4)
    growth = math.log(found.evidence.holds) / 4
    assert found.more_runs == math.ceil(4 * math.log(100 / found.evidence.holds) / (4 * growth))
    assert finding(above=[1.0] * 20, below=[0.0] * 20).more_runs == 0
    assert finding(above=[0.5] * 8, below=[0.5] * 8).more_runs is None
    open_verdict = verdict(found)
    assert open_verdict.ruling == "inconclusive"
    assert re.search(
        r"; about \d+ more runs would bring it to e = 100, if its evidence keeps growing at this rate$",
        open_verdict.reason,
    )
    assert verdict(finding(above=[0.5] * 8)).reason.endswith("because the evidence of a part does not grow yet")
    assert verdict(finding()).reason == "no run was made yet"


def test_a_claim_that_gets_no_more_seeds_says_why() -> None:
    most = ABOVE.stream.block * ABOVE.stream.blocks
    spent = finding(above=[0.5] * most, below=[0.5] * most)
    assert not spent.wants_more
    assert spent.takes_more
    assert verdict(spent).reason.endswith(
        "; all seeds that were declared are spent, and a budget of more time adds others"
    )
    enough = finding(above=[1.0] * 12, below=[0.0] * 12)
    (decision,) = decide([enough.evidence], n_claims=100_000)
    undecided = replace(verdict(enough), decision=decision)
    assert undecided.ruling == "inconclusive"
    assert undecided.reason.endswith("; no more seeds are made beyond e = 100")
    assert finding(above=[1.0] * 4).wants_more


def test_what_too_few_seeds_leave_open_is_said_in_words() -> None:
    arms = tuple(Arm(problem=PROBLEM, n_train=size) for size in (10, 20))
    slope = Condition(stream=Stream(measure="memorizing-slope", arms=arms, blocks=8), high=-0.2)
    records = {slope.stream: record(-0.7, -0.72)}
    part = Part(name="slope", conditions=(slope,))
    found = Finding(parts=(part,), records=records)
    document = verdict_json(replace(verdict(found), claim=claim_of("made", slope)))
    assert document["interval"] == {"low": None, "high": None}
    assert "is -0.71 (no interval yet from 2 seeds), limit below -0.2;" in document["reason"]
    assert "inf" not in document["reason"]


def test_rows_show_the_estimate_beside_what_is_claimed() -> None:
    above, below = finding(above=[1.0, 0.8]).rows()
    assert (above["measured"], above["claimed"], above["seeds"]) == (0.9, "above 0.5", 2)
    assert above["where"] == "add p=7 square H=8, D = 20, T = 4000"
    assert (below["measured"], below["low"], below["high"], below["e holds"]) == (None, 0.0, 1.0, 1.0)


def test_a_verdict_in_json_has_no_number_that_is_none() -> None:
    document = json.loads(json.dumps(verdict_json(verdict(finding(above=[1.0] * 12))), allow_nan=False))
    assert {"id", "statement", "source", "criterion", "measured", "interval", "level", "verdict"} <= set(document)
    assert document["claimed"] in ({"low": 0.5, "high": None}, {"low": None, "high": 0.5})
    assert (document["n_runs"], document["training_seconds"], document["e_holds"]) == (12, 6.0, 1.0)
    assert document["rows"][0]["claimed high"] is None
    assert document["rows"][document["leading"]]["part"] == "below"  # which has no run yet
    assert (document["details"], document["alone"]) == ([], False)
