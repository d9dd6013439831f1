import itertools
from collections.abc import Callable

import numpy as np
import pytest

from dcrit.theory.problems.problem import Problem
from dcrit.theory.problems.tasks import BITS, DEGREES, TASKS, IntArray, relabelings

GROUP_TASKS = ("add", "sub", "mul", "div", "symmetric-group", "dihedral-group")
RULED = tuple(name for name, task in TASKS.items() if task.rule is not None)
#: Tasks of residues, which are defined at most moduli.
MODULAR = tuple(name for name, task in TASKS.items() if task.moduli is None)
RULED_MODULAR = tuple(name for name in RULED if name in MODULAR)
SAMPLED = tuple(name for name, task in TASKS.items() if task.rule is None)


def quotient(a: int, b: int, p: int) -> int:
    (found,) = [c for c in range(p) if (c * b) % p == a % p]
    return found


LITERAL: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda a, b, p: (a + b) % p,
    "sub": lambda a, b, p: (a - b) % p,
    "mul": lambda a, b, p: (a * b) % p,
    "div": quotient,
    "sum-squares": lambda a, b, p: (pow(a, 2, p) + pow(b, 2, p)) % p,
    "square-of-sum": lambda a, b, p: pow(a + b, 2, p),
    "quadratic-form": lambda a, b, p: (pow(a, 2, p) + (a * b) % p + pow(b, 2, p)) % p,
    "cubic": lambda a, b, p: (pow(a, 3, p) + (a * b) % p) % p,
}
WITHOUT_ZERO = {"mul", "div"}


def table(name: str, modulus: int) -> IntArray:
    """The task's labels; random ones from a fixed seed."""
    return TASKS[name].labels(modulus, np.random.default_rng(modulus))


def is_latin(labels: IntArray) -> bool:
    symbols = set(range(len(labels)))
    return all(set(line.tolist()) == symbols for line in [*labels, *labels.T])


def primitive_root(p: int) -> int:
    return next(g for g in range(2, p) if len({pow(g, k, p) for k in range(p - 1)}) == p - 1)


def discrete_logs(p: int) -> list[int]:
    """Exponent of a primitive root for every symbol s, which stands for the residue s + 1."""
    exponents = {pow(primitive_root(p), k, p): k for k in range(p - 1)}
    return [exponents[residue] for residue in range(1, p)]


def moduli_of(name: str) -> list[int]:
    """Some moduli at which a task is defined."""
    moduli = TASKS[name].moduli
    return [5, 7, 13] if moduli is None else list(moduli[0])[:4]


EVERYWHERE = pytest.mark.parametrize(("name", "modulus"), [(name, p) for name in TASKS for p in moduli_of(name)])


def test_every_task_with_a_rule_has_an_oracle() -> None:
    assert set(LITERAL) == set(RULED_MODULAR)
    assert set(RULED) - set(LITERAL) == {"symmetric-group", "dihedral-group", "sparse-parity"}


@pytest.mark.parametrize("modulus", [5, 7, 13, 29])
@pytest.mark.parametrize("name", RULED_MODULAR)
def test_labels_equal_the_literal_rule(name: str, modulus: int) -> None:
    task = TASKS[name]
    labels = task.labels(modulus)
    first = 1 if name in WITHOUT_ZERO else 0
    n_symbols = modulus - first
    assert task.n_symbols(modulus) == n_symbols
    assert task.n_pairs(modulus) == n_symbols * n_symbols
    assert labels.shape == (n_symbols, n_symbols)
    for row in range(n_symbols):
        for column in range(n_symbols):
            assert labels[row, column] == LITERAL[name](row + first, column + first, modulus) - first


@pytest.mark.parametrize("modulus", [4, 6, 9])
@pytest.mark.parametrize("name", sorted(set(RULED_MODULAR) - WITHOUT_ZERO))
def test_rules_without_division_hold_at_composite_moduli(name: str, modulus: int) -> None:
    labels = TASKS[name].labels(modulus)
    for a in range(modulus):
        for b in range(modulus):
            assert labels[a, b] == LITERAL[name](a, b, modulus)


@pytest.mark.parametrize("n", DEGREES)
def test_the_symmetric_group_composes_permutations(n: int) -> None:
    elements = list(itertools.permutations(range(n)))
    labels = TASKS["symmetric-group"].labels(n)
    assert labels.shape == (len(elements), len(elements))
    rng = np.random.default_rng(n)
    for a, b in rng.integers(len(elements), size=(300, 2)).tolist():
        composed = tuple(elements[a][elements[b][i]] for i in range(n))
        assert elements[labels[a, b]] == composed


@pytest.mark.parametrize("n_bits", BITS)
def test_sparse_parity_adds_three_bits_of_the_word(n_bits: int) -> None:
    half = n_bits // 2
    labels = TASKS["sparse-parity"].labels(n_bits)
    assert labels.shape == (2**half, 2**half)
    for a in range(2**half):
        for b in range(2**half):
            word = f"{a:0{half}b}{b:0{half}b}"
            assert labels[a, b] == (int(word[0]) + int(word[1]) + int(word[half])) % 2


@pytest.mark.parametrize("n_bits", BITS)
def test_neither_half_of_a_word_decides_its_parity(n_bits: int) -> None:
    labels = TASKS["sparse-parity"].labels(n_bits)
    assert (labels.mean(0) == 0.5).all()
    assert (labels.mean(1) == 0.5).all()


@EVERYWHERE
def test_labels_are_classes(name: str, modulus: int) -> None:
    labels, task = table(name, modulus), TASKS[name]
    assert labels.dtype == np.int64
    assert labels.shape == (task.n_symbols(modulus),) * 2
    assert labels.min() >= 0
    assert labels.max() < task.n_classes(modulus)


# On few symbols a random or quadratic table may miss a class.
@pytest.mark.parametrize("name", ["symmetric-group", "sparse-parity", "random-binary"])
def test_tasks_with_other_symbols_use_all_classes(name: str) -> None:
    for modulus in moduli_of(name):
        assert set(table(name, modulus).flat) == set(range(TASKS[name].n_classes(modulus)))


@EVERYWHERE
def test_controls_have_as_many_symbols_and_classes(name: str, modulus: int) -> None:
    task = TASKS[name]
    control, n_symbols = TASKS[task.control], task.n_symbols(modulus)
    assert control.rule is None
    assert control.n_symbols(n_symbols) == n_symbols
    assert control.n_classes(n_symbols) == task.n_classes(modulus)


@pytest.mark.parametrize(("name", "modulus"), [("symmetric-group", 4), ("sparse-parity", 10), ("square-of-sum", 23)])
def test_labels_of_controls_are_as_frequent(name: str, modulus: int) -> None:
    task = TASKS[name]
    n_symbols, n_classes = task.n_symbols(modulus), task.n_classes(modulus)
    labels = [TASKS[task.control].labels(n_symbols, np.random.default_rng(seed)) for seed in range(40)]
    drawn = np.bincount(np.ravel(labels), minlength=n_classes) / np.size(labels)
    share = np.bincount(task.labels(modulus).ravel(), minlength=n_classes) / n_symbols**2
    assert drawn == pytest.approx(share, abs=5 * np.sqrt(share.max() / np.size(labels)))


def test_group_tasks_are_flagged_latin() -> None:
    assert {name for name in RULED if TASKS[name].latin} == set(GROUP_TASKS)


@EVERYWHERE
def test_latin_flag_iff_latin_square(name: str, modulus: int) -> None:
    assert TASKS[name].latin == is_latin(table(name, modulus))


# From 5 on: the multiplicative group modulo 3 has only two elements, so division equals multiplication there.
@EVERYWHERE
def test_symmetric_flag_iff_symmetric_table(name: str, modulus: int) -> None:
    labels = table(name, modulus)
    symmetric = all(labels[a, b] == labels[b, a] for a in range(len(labels)) for b in range(a))
    assert TASKS[name].commutative == symmetric


@pytest.mark.parametrize("modulus", [3, 8, 23])
def test_sub_is_add_with_the_second_operand_negated(modulus: int) -> None:
    add, sub = table("add", modulus), table("sub", modulus)
    for a in range(modulus):
        for b in range(modulus):
            assert sub[a, b] == add[a, (-b) % modulus]


@pytest.mark.parametrize(("name", "additive"), [("mul", "add"), ("div", "sub")])
@pytest.mark.parametrize("modulus", [5, 13, 23])
def test_discrete_logs_relabel_multiplicative_tasks_as_additive(name: str, additive: str, modulus: int) -> None:
    group, cycle, log = table(name, modulus), table(additive, modulus - 1), discrete_logs(modulus)
    assert sorted(log) == list(range(modulus - 1))
    for a in range(modulus - 1):
        for b in range(modulus - 1):
            assert log[group[a, b]] == cycle[log[a], log[b]]


@pytest.mark.parametrize("modulus", [5, 13, 23])
def test_div_is_add_of_discrete_logs_with_the_second_negated(modulus: int) -> None:
    div, add, log = table("div", modulus), table("add", modulus - 1), discrete_logs(modulus)
    for a in range(modulus - 1):
        for b in range(modulus - 1):
            assert log[div[a, b]] == add[log[a], -log[b] % (modulus - 1)]


@pytest.mark.parametrize("name", sorted(WITHOUT_ZERO))
@pytest.mark.parametrize("modulus", [4, 9, 15, 25, 49])
def test_multiplicative_tasks_say_why_they_need_a_prime(name: str, modulus: int) -> None:
    with pytest.raises(ValueError, match=rf"^modulus must be prime for task '{name}', got {modulus}: .*form no group"):
        TASKS[name].check_modulus(modulus)


@pytest.mark.parametrize("name", sorted(WITHOUT_ZERO))
def test_multiplicative_tasks_accept_exactly_the_primes_from_five(name: str) -> None:
    def accepted(modulus: int) -> bool:
        try:
            TASKS[name].check_modulus(modulus)
        except ValueError:
            return False
        return True

    assert [p for p in range(3, 60) if accepted(p)] == [5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]


@pytest.mark.parametrize("modulus", [-3, 0, 2, 6, 7, 24])
def test_the_symmetric_group_says_which_degrees_it_has(modulus: int) -> None:
    allowed = "an integer of at least 3" if modulus < 3 else "a number of permuted things from 3 to 5"
    with pytest.raises(ValueError, match=rf"^modulus must be {allowed}.*, got {modulus}$"):
        TASKS["symmetric-group"].check_modulus(modulus)


@pytest.mark.parametrize("modulus", [3, 4, 7, 9, 13, 14, 64])
def test_sparse_parity_says_which_numbers_of_bits_it_has(modulus: int) -> None:
    with pytest.raises(
        ValueError,
        match=rf"^modulus must be an even number of bits from 6 to 12 for task 'sparse-parity', got {modulus}$",
    ):
        TASKS["sparse-parity"].check_modulus(modulus)


@pytest.mark.parametrize("name", SAMPLED)
def test_random_labels_follow_their_generator_alone(name: str) -> None:
    first, again, other = (TASKS[name].labels(11, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SAMPLED)
def test_random_labels_need_a_generator(name: str) -> None:
    with pytest.raises(ValueError, match=f"^rng must be given for task '{name}'"):
        TASKS[name].labels(7)


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [("ad", "add"), ("sbu", "sub"), ("multiply", "mul"), ("cubics", "cubic"), ("random-symetric", "random-symmetric")],
)
def test_unknown_task_names_the_nearest(typed: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=rf"^task must be one of add, .* got '{typed}'; the nearest is '{nearest}'$"):
        TASKS.find(typed)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_found_by_name(name: str) -> None:
    assert TASKS.find(name).name == name


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_relabelings_of_addition_are_one_task_where_each_operand_has_a_table(name: str) -> None:
    assert relabelings(TASKS[name], shares_embedding=False) == ("add", "sub", "mul", "div")


@pytest.mark.parametrize(
    ("name", "same"), [("add", ("add", "mul")), ("mul", ("add", "mul")), ("sub", ("sub",)), ("div", ("div",))]
)
def test_where_operands_share_a_table_only_commutative_relabelings_are_one_task(
    name: str, same: tuple[str, ...]
) -> None:
    assert relabelings(TASKS[name], shares_embedding=True) == same


@pytest.mark.parametrize("shares_embedding", [False, True])
def test_other_tasks_are_like_no_other(shares_embedding: bool) -> None:
    for task in TASKS.values():
        if task.same_as is None and task.name != "add":
            assert relabelings(task, shares_embedding=shares_embedding) == (task.name,)


# --- groups and names that describe a task ---


@pytest.mark.parametrize("n", [3, 4, 7])
def test_the_dihedral_group_composes_symmetries_of_a_polygon(n: int) -> None:
    corners = np.arange(n)
    elements = [tuple((turn + sign * corners) % n) for sign in (1, -1) for turn in range(n)]
    labels = TASKS["dihedral-group"].labels(n)
    assert labels.shape == (2 * n, 2 * n)
    for a in range(2 * n):
        for b in range(2 * n):
            assert elements[labels[a, b]] == tuple(elements[a][corner] for corner in elements[b])


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("x^3+x*y^2+y", "x^3+x*y^2+y"),
        ("y + x * y**2 + a^3", "x^3+x*y^2+y"),
        ("(x+1)*(y-2)", "x*y-2*x+y-2"),
        ("x + y", "add"),
        ("b+a", "add"),
        ("x-y", "sub"),
        ("y-x", "-x+y"),
        ("(x+y)^2", "square-of-sum"),
        ("x^2+y*x+y^2", "quadratic-form"),
        ("x*y+x^3", "cubic"),
        ("cyclic-group", "add"),
        ("sparse-parity-3", "sparse-parity"),
        ("sparse-parity-4", "sparse-parity-4"),
    ],
)
def test_a_task_has_one_name_however_it_is_written(written: str, name: str) -> None:
    assert TASKS.find(written).name == name
    assert Problem(task=written, modulus=10 if "parity" in written else 7) == Problem(
        task=name, modulus=10 if "parity" in name else 7
    )


@pytest.mark.parametrize("modulus", [7, 12, 97])
def test_polynomials_are_evaluated_modulo_p(modulus: int) -> None:
    labels = TASKS.find("x^3 + x*y^2 + y").labels(modulus)
    expected = [[(x**3 + x * y**2 + y) % modulus for y in range(modulus)] for x in range(modulus)]
    assert labels.tolist() == expected
    large = TASKS.find("123456*x^20-y^19+5").labels(modulus)
    assert large[3, 2] == (123456 * 3**20 - 2**19 + 5) % modulus


def test_a_formula_gives_the_table_of_the_task_it_is() -> None:
    for formula, name in (("x+y", "add"), ("x^2+2*x*y+y^2", "square-of-sum"), ("x^3+x*y", "cubic")):
        expected = [[value_at(formula, x, y) % 7 for y in range(7)] for x in range(7)]
        assert TASKS[name].labels(7).tolist() == expected


def value_at(formula: str, x: int, y: int) -> int:
    return eval(formula.replace("^", "**"), {"x": x, "y": y})  # Formulas of this file.


def test_symmetric_polynomials_are_commutative() -> None:
    assert TASKS.find("x^2*y+y^2*x").commutative
    assert not TASKS.find("x^2*y+y").commutative


@pytest.mark.parametrize(
    ("formula", "says"),
    [
        ("x", "depends on y"),
        ("x*y-x*y+x", "depends on y"),
        ("2x+y", r"write a product with \*, not as '2x'"),
        ("xy+x", r"write a product with \*, not as 'xy'"),
        ("(x)(y)", r"write a product with \*"),
        ("x+*y", "invalid syntax"),
        ("x^y", "is none"),
        ("x^-1+y", "is none"),
        ("x^21+y", "is none"),
        ("x^20*y", "degree at most 20"),
        ("9999999999*x+y", "coefficients up to"),
        ("x+y" + "+x" * 120, "at most 200 characters"),
        ("sparse-parity-1", "with 2 to 12 bits"),
        ("__import__('os')", "be one of add"),
        ("y.x", "be one of add"),
    ],
)
def test_formulas_that_are_none_are_refused(formula: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"task must .*{says}"):
        TASKS.find(formula)


@pytest.mark.parametrize(("k", "n_bits"), [(2, 6), (4, 8), (5, 10), (12, 12)])
def test_parity_of_any_number_of_bits_is_a_relabeling_of_that_of_three(k: int, n_bits: int) -> None:
    task, half = TASKS.find(f"sparse-parity-{k}"), n_bits // 2
    labels = task.labels(n_bits)
    first = (k + 1) // 2
    for a, b in itertools.product(range(2**half), repeat=2):
        bits = f"{a:0{half}b}"[:first] + f"{b:0{half}b}"[: k - first]
        assert labels[a, b] == bits.count("1") % 2
    three = TASKS["sparse-parity"].labels(n_bits)
    order = [np.argsort(table, kind="stable") for table in (labels[:, 0], labels[0], three[:, 0], three[0])]
    assert np.array_equal(labels[np.ix_(order[0], order[1])], three[np.ix_(order[2], order[3])])
    assert task.same_as == "sparse-parity"


def test_parity_asks_for_as_many_bits_as_count() -> None:
    with pytest.raises(ValueError, match="from 8 to 12 for task 'sparse-parity-8', got 6"):
        Problem(task="sparse-parity-8", modulus=6)
