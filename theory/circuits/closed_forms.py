"""Formulas behind the solvers, derived by computer algebra from the equations that define them.

No result is typed in: each function states the defining equations and lets sympy solve, differentiate
or take the limit. The numeric solvers of the other modules need none of it.
"""

# sympy carries no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy
from sympy.simplify.fu import TR8

from dcrit.theory.checks import FieldError
from dcrit.theory.circuits.branches import BranchLaw
from dcrit.theory.circuits.clock import LevelClocks
from dcrit.theory.circuits.crossing import Crossing, NoCrossing
from dcrit.theory.circuits.mixture import Competition
from dcrit.theory.circuits.norms import NormLaw
from dcrit.theory.circuits.overload import NO_MEMORY
from dcrit.theory.problems.problem import Problem, label

Expression = Any


def _positive(*names: str) -> tuple[Expression, ...]:
    return tuple(sympy.Symbol(name, positive=True) for name in names)


A, BETA, E_GEN, E_MEM, E_FULL = _positive("A", "beta", "e_gen", "e_mem", "e_full")
D, D_CRIT, D_FULL, D_R = _positive("D", "D_crit", "D_full", "D_r")
B, W, RHO = _positive("b", "w", "rho_1")
BITS, N, C, S, P = _positive("c", "N", "C", "s", "p")
ETA, DECAY, KAPPA, GAMMA = _positive("eta", "lamda", "kappa", "gamma")
U_GEN, U_MEM, U_START = _positive("u_gen", "u_mem", "u_gen0")
DRIFT: Expression = sympy.Symbol("epsilon", real=True)
NU: Expression = sympy.Symbol("nu", real=True)

#: e_mem(D) far below capacity and e_gen(D), as in ``dcrit.theory.circuits.laws``; ρ(D) as in
#: ``dcrit.theory.circuits.mixture``.
MEMORIZING = A * D**-BETA
GENERALIZING = E_FULL * (D / D_FULL) ** -DRIFT
MEDIAN_DEFICIT = RHO * D**NU


@dataclass(frozen=True, kw_only=True)
class ClosedForm:
    """A formula with what it says and what it takes for granted.

    Attributes:
        name: Its key in ``CLOSED_FORMS``.
        statement: One sentence for people.
        equation: Quantity = expression.
        assumptions: Where it holds, and what of it is not derived here.
    """

    name: str
    statement: str
    equation: sympy.Eq
    assumptions: str

    @property
    def expression(self) -> Expression:
        """The right-hand side."""
        return self.equation.rhs

    @property
    def symbols(self) -> dict[str, Expression]:
        """Symbols of the right-hand side by name, for each of which :meth:`evaluate` needs a number."""
        return {symbol.name: symbol for symbol in sorted(self.expression.free_symbols, key=str)}

    def pretty(self, **values: float) -> str:
        """The equation on several lines, with the given numbers in the place of their symbols."""
        shown = {
            symbol: _numeral(values[name]) if values[name] else sympy.S.Zero
            for name, symbol in self.symbols.items()
            if name in values
        }
        equation: Expression = sympy.Eq(self.equation.lhs, self.expression.xreplace(shown), evaluate=False)
        return str(sympy.pretty(equation, use_unicode=True, wrap_line=False, root_notation=False))

    def evaluate(self, **values: float) -> float:
        """Value of the right-hand side.

        Args:
            values: A number for each of ``symbols``, by name (λ is ``lamda``); others are ignored.

        Raises:
            ValueError: A symbol has no value.
        """
        missing = [name for name in self.symbols if name not in values]
        if missing:
            raise FieldError("values", f"contain {', '.join(missing)} for '{self.name}'", sorted(values))
        return float(self.expression.subs({symbol: values[name] for name, symbol in self.symbols.items()}))


Derivation = Callable[[], ClosedForm]

#: Derives each formula on its first call.
CLOSED_FORMS: dict[str, Derivation] = {}


def _closed_form(left: str, statement: str, assumptions: str) -> Callable[[Callable[[], Expression]], Derivation]:
    """Turns a derivation of an expression into a function that returns the whole formula, and lists it."""

    def register(derive: Callable[[], Expression]) -> Derivation:
        name = derive.__name__

        @cache
        def derived() -> ClosedForm:
            equation: Expression = sympy.Eq(sympy.Symbol(left), derive(), evaluate=False)
            return ClosedForm(name=name, statement=statement, equation=equation, assumptions=assumptions)

        derived.__doc__ = derive.__doc__
        CLOSED_FORMS[name] = derived
        return derived

    return register


def _numeral(value: float) -> Expression:
    """A number as it is to be read; a dummy, because equal numbers must not merge."""
    return sympy.Dummy(f"{value:.4g}" if value >= 0 else f"({value:.4g})".replace("-", "−"), positive=True)


def _only(solutions: list[Any]) -> Any:
    """The single solution; anything else would mean that the derivation no longer holds."""
    if len(solutions) != 1:
        raise ArithmeticError(f"solutions must be exactly one, got {solutions}")
    return solutions[0]


def _log(expression: Expression) -> Expression:
    return sympy.expand_log(sympy.log(expression))


def _solve_for_log(left: Expression, right: Expression, unknown: Expression) -> Expression:
    """Ln of the unknown at which two products of powers are equal: linear once logarithms are taken."""
    x = sympy.Dummy("x", real=True)
    return _only(sympy.solve((_log(left) - _log(right)).subs(sympy.log(unknown), x), x))


def _exp(log_expression: Expression) -> Expression:
    """Exp(numerator/denominator) as (product of powers)^(1/denominator)."""
    numerator, denominator = sympy.fraction(sympy.together(log_expression))
    if sympy.expand(denominator).coeff(BETA).could_extract_minus_sign():
        numerator, denominator = -numerator, -denominator
    base: Expression = sympy.S.One
    for power, logs in sympy.collect(sympy.expand(numerator), B, evaluate=False).items():
        terms = (term.as_independent(sympy.log) for term in sympy.Add.make_args(logs))
        base *= sympy.Mul(*(sympy.exp(logarithm) ** exponent for exponent, logarithm in terms)) ** power
    return base ** (1 / sympy.collect(denominator, B))


def _sum(terms: Expression, divisor: Expression) -> Expression:
    """A sum divided term by term, powers of the same base combined."""
    return sympy.Add(*(sympy.powsimp(term / divisor, combine="exp") for term in sympy.Add.make_args(terms)))


@_closed_form("D_cross", "Both circuits are equally efficient.", "D ≪ D_mem; e_gen the same at every D")
def crossing() -> Expression:
    """Efficiency crossing without drift: solves A·D^(−β) = e_gen for D."""
    return _exp(_solve_for_log(MEMORIZING, E_GEN, D))


@_closed_form("D_cross", "Both circuits are equally efficient.", "D ≪ D_mem; β > ε")
def crossing_with_drift() -> Expression:
    """Efficiency crossing with drift: solves A·D^(−β) = e_full·(D/D_full)^(−ε) for D."""
    return _exp(_solve_for_log(MEMORIZING, GENERALIZING, D))


@_closed_form("∂ln D_cross/∂ln e_gen", "The more efficient generalizing is, the less data it needs.", "D ≪ D_mem")
def sensitivity_to_generalizing() -> Expression:
    """Elasticity in e_gen, by differentiating the crossing."""
    return sympy.simplify(E_GEN * _log(crossing().expression).diff(E_GEN))


@_closed_form("∂ln D_cross/∂ln A", "The more efficient memorizing is, the more data it takes to beat it.", "D ≪ D_mem")
def sensitivity_to_amplitude() -> Expression:
    """Elasticity in A, by differentiating the crossing."""
    return sympy.simplify(A * _log(crossing().expression).diff(A))


@_closed_form("∂ln D_cross/∂β", "The faster memorizing loses efficiency, the earlier it is beaten.", "D ≪ D_mem")
def sensitivity_to_exponent() -> Expression:
    """Slope in β, by differentiating the crossing."""
    return sympy.simplify(_log(crossing().expression).diff(BETA))


@_closed_form("∂ln D_cross/∂ln λ", "Weight decay does not move the crossing.", "both circuits at convergence")
def sensitivity_to_decay() -> Expression:
    """Elasticity in λ is zero, because the decay multiplies both prices alike.

    A circuit alone reaches min_γ F_i(γ), F_i = L(γ) + (λ/2)·Q_i(γ) with Q_i = (γ/e_i)^(2/κ). Whatever
    L is, F_mem = F_gen at one margin exactly where the penalties agree: at one D for every γ, κ and λ.
    """
    loss: Expression = sympy.Function("L")(GAMMA)

    def objective(efficiency: Expression) -> Expression:
        return loss + DECAY / 2 * (GAMMA / efficiency) ** (2 / KAPPA)

    size = _solve_for_log(objective(MEMORIZING) - loss, objective(E_GEN) - loss, D)
    return DECAY * size.diff(DECAY)


@_closed_form("w/(1-w)", "The cheapest mixture divides the margin in the ratio of the efficiencies to the b.", "b > 1")
def mixture_odds() -> Expression:
    """Cheapest division of the margin: minimizes ((w/e_gen)^a + ((1 − w)/e_mem)^a)^(1/a), 1/a + 1/b = 1.

    With v = 1 − w the sum is stationary where its slopes in w and in v are equal; it is convex in w.
    """
    t, v, odds = _positive("t", "v", "r")
    a = (1 + t) / t  # b = 1 + t, so that sympy knows b > 1
    log_odds = _solve_for_log(((W / E_GEN) ** a).diff(W).subs(W, odds * v), ((v / E_MEM) ** a).diff(v), odds)
    return _exp(sympy.factor(log_odds).subs(t, B - 1))


@_closed_form("e", "A mixture is more efficient than either circuit, and tends to the better one as b grows.", "b > 1")
def mixture_efficiency() -> Expression:
    """Margin per norm of the cheapest mixture: one over the price of a margin of 1 at the cheapest odds."""
    t, generalizing, memorizing = _positive("t", "G", "M")  # G = e_gen^b, M = e_mem^b
    a, b = (1 + t) / t, 1 + t
    e_gen, e_mem = generalizing ** (1 / b), memorizing ** (1 / b)
    odds: Expression = sympy.powdenest(mixture_odds().expression.subs({B: b, E_GEN: e_gen, E_MEM: e_mem}))
    share = odds / (1 + odds)
    price = sympy.simplify(sympy.expand_power_base(sympy.together((share / e_gen) ** a + ((1 - share) / e_mem) ** a)))
    return (price ** (-1 / a)).subs({generalizing: E_GEN**b, memorizing: E_MEM**b}).subs(t, B - 1)


def _log_half_accuracy_size() -> Expression:
    odds = mixture_odds().expression.subs({E_GEN: GENERALIZING, E_MEM: MEMORIZING})
    return _solve_for_log(odds, MEDIAN_DEFICIT, D)


@_closed_form("D_crit", "Generalizing margin equals the median deficit on unseen inputs.", "D ≪ D_mem; b·(β − ε) > ν")
def half_accuracy_size() -> Expression:
    """Size at test accuracy one half: solves (e_gen(D)/e_mem(D))^b = ρ(D) for D."""
    return _exp(_log_half_accuracy_size())


@_closed_form("D_crit", "Without mixing, test accuracy passes one half at the crossing.", "b → ∞ at fixed ρ(D)")
def half_accuracy_limit() -> Expression:
    """Limit of the half-accuracy size for b → ∞, whose logarithm is rational in b."""
    (t,) = _positive("t")  # 1/b
    return _exp(sympy.cancel(_log_half_accuracy_size().subs(B, 1 / t)).subs(t, 0))


@_closed_form("D_mem", "The number of random labels that fit into the parameters.", "c the same at every N")
def capacity() -> Expression:
    """Capacity: D labels of log2 C bits fill c bits in each of N parameters, solved for D."""
    return _only(sympy.solve(D * sympy.log(C) / sympy.log(2) - BITS * N, D))


@_closed_form("N*", "Larger models can memorize sets on which they generalize.", "D ≪ D_mem; D_cross the same at all N")
def star_parameters() -> Expression:
    """Model size at the star: solves D_mem(N) = D_crit for N."""
    return _only(sympy.solve(capacity().expression - crossing().expression, N))


@_closed_form(
    "D*",
    "Double descent in model size is expected below D* only.",
    "D ≪ D_mem; D_cross the same at all N",
)
def star_size() -> Expression:
    """Training-set size at the star: D_mem(N*)."""
    return sympy.simplify(capacity().expression.subs(N, star_parameters().expression))


@_closed_form("d ln u_gen/dt", "A small generalizing circuit grows if efficient enough.", "u_gen ≪ u_mem at balance")
def growth_rate() -> Expression:
    """Growth of a small generalizing amplitude while memorization is at balance.

    du_i/dt = η·(κ·e_i·u_i^(κ−1)·(−L') − λ·u_i), where du_mem/dt = 0 gives −L'
    """
    (pull,) = _positive("pull")  # −L'(γ)

    def motion(efficiency: Expression, amplitude: Expression) -> Expression:
        return ETA * (KAPPA * efficiency * amplitude ** (KAPPA - 1) * pull - DECAY * amplitude)

    balance = sympy.powsimp(_only(sympy.solve(motion(E_MEM, U_MEM), pull)))
    return ETA * DECAY * _sum(sympy.expand(motion(E_GEN, U_GEN).subs(pull, balance)), ETA * DECAY * U_GEN)


@_closed_form("T", "Steps from memorization to generalization.", "κ = 2; D_crit < D ≪ D_mem")
def delay() -> Expression:
    """Grokking delay at κ = 2: solves u_gen0·e^(rate·T) = u_mem for T at the constant growth rate."""
    steps, rate = _positive("T", "rate")
    duration = sympy.logcombine(_only(sympy.solve(U_START * sympy.exp(rate * steps) - U_MEM, steps)) * rate) / rate
    return duration.subs(rate, growth_rate().expression.subs(KAPPA, 2).subs(E_MEM, MEMORIZING))


@_closed_form("T", "The delay diverges at the critical size.", "κ = 2; 0 < ln(D/D_crit) ≪ 1/β")
def delay_near_crossing() -> Expression:
    """Leading term of the delay at D → D_crit: limit of T·ln(D/D_crit), divided by that logarithm."""
    x, way = _positive("x", "way")  # ln(D/D_crit), ln(u_mem/u_gen0)
    distant = delay().expression.subs(sympy.log(U_MEM / U_START), way).subs(D, D_CRIT * sympy.exp(x))
    leading = sympy.limit(sympy.simplify(distant.subs(E_GEN, MEMORIZING.subs(D, D_CRIT))) * x, x, 0)
    return leading.subs(way, sympy.log(U_MEM / U_START)) / sympy.log(D / D_CRIT)


@_closed_form("D", "Additive rule: critical size beside D_r memorized facts.", "hypothesis: prices add; s = 2β/κ")
def emergence_threshold() -> Expression:
    """Additive rule: solves Q_mem(D_r + D) = Q_mem(D_r) + Q_gen for D, with Q_gen = Q_mem(D_crit).

    Q_mem = (γ/e_mem)^(2/κ) ∝ D^s
    """
    price = sympy.expand_power_base((GAMMA / MEMORIZING) ** (2 / KAPPA)).subs(BETA, S * KAPPA / 2)
    per_size = price.subs(D, 1)
    balance = (price.subs(D, D_R + D) - price.subs(D, D_R) - price.subs(D, D_CRIT)) / per_size
    return _only(sympy.solve(sympy.expand(balance), D))


@_closed_form("dD/dD_r", "Additive rule: facts raise critical size if s < 1.", "hypothesis: prices add; s = 2β/κ")
def emergence_slope() -> Expression:
    """Slope of the additive rule (D_r + D)^s − D_r^s = D_crit^s, by implicit differentiation."""
    balance = (D_R + D) ** S - D_R**S - D_CRIT**S
    return _sum(-_sum(balance.diff(D_R), S), _sum(balance.diff(D), S))


@_closed_form(
    "γ*",
    "The largest margin of a squared network of unit L2,3 norm on addition modulo p.",
    "p odd. Derived for neurons of one frequency; that no others gain more, and that enough of them reach "
    "this margin on every example, is quoted from Morwani et al. (2023)",
)
def largest_margin() -> Expression:
    """Gain of the best neuron (u_a + v_b)²·w_c whose weights are cosines of one frequency, of norms U, V and W.

    max over U² + V² + W² = 1 of E_ab[(u_a + v_b)²·(w_{a+b} − mean of w_c over c ≠ a + b)]

    Source: morwani2023.
    """
    first, second = sympy.symbols("phi_a phi_b", real=True)
    u, v, w, multiplier = _positive("U", "V", "W", "mu")
    scale: Expression = sympy.sqrt(2 / P)  # p cosines of amplitude 1 have norm √(p/2)
    hidden = (scale * (u * sympy.cos(first) + v * sympy.cos(second))) ** 2
    # The cosines sum to zero over the classes, so that the wrong ones' mean is −w_{a+b}/(p − 1).
    output = scale * w * sympy.cos(first + second) * (1 + 1 / (P - 1))
    # Every harmonic averages to zero over all pairs.
    terms = sympy.Add.make_args(sympy.expand(TR8(sympy.expand(hidden * output))))
    mean: Expression = sympy.Add(*(term for term in terms if not term.has(sympy.cos)))
    squares = _positive("x_u", "x_v", "x_w")
    # Lagrange: ln(U·V·W) is stationary in the squared norms, which sum to 1.
    stationary = [sympy.log(sympy.sqrt(x)).diff(x) - multiplier for x in squares]
    best = _only(sympy.solve([*stationary, sum(squares) - 1], [*squares, multiplier], dict=True))
    return sympy.simplify(mean.subs({norm: sympy.sqrt(best[x]) for norm, x in zip((u, v, w), squares, strict=True)}))


def explain_clock(clocks: LevelClocks, horizon: float) -> str:
    """The law of both thresholds and the clock, and what memory adds to it, in symbols and in numbers.

    Args:
        clocks: Of every test accuracy.
        horizon: T [steps].

    Returns:
        A paragraph of plain text.
    """
    clock, memory = clocks.half, clocks.memory
    kinetic, size = float(clock.critical_size(horizon)), clocks.size(0.5, horizon)
    added = (
        f"D_eff({horizon:.0f}) = {kinetic:.4g} examples",
        "acc(D, T) = a·(P + (1 − P)·h(D)): log-odds of P are linear in ln D·max(1, D/D_mem)^β − ln D_eff(T), and",
        "h(D) = φ(D)·s(D)·min(1, D_mem/D) of unseen pairs are mirror images that come out right without the rule.",
        f"D_mem = {memory.capacity:.4g} examples, β = {memory.exponent:.4g}, a = {memory.ceiling:.4g}, "
        f"h = {float(memory.known(size)):.4g} at D_crit",
    )
    return "\n".join(
        (
            "From scratch the rule must be found: the time to test accuracy 1/2, and the size that is enough by T.",
            "1/t = r·x^m·ln x, x = (D^q − D_rest^q)^(1/q)/D_kin",
            f"{'D_crit' if memory == NO_MEMORY else 'D_eff'}(T)^q = (D_kin·exp(W(m/(r·T))/m))^q + D_rest^q, "
            "W being Lambert's function",
            f"D_kin = {clock.kinetic:.4g} examples, r = {clock.rate:.4g} per step, m = {clock.bend:.4g}, "
            f"q = {clock.sharpness:.4g}",
            f"D_rest = {clock.rest:.4g} examples, D_inf = {clock.size_at_infinity:.4g} examples",
            *(() if memory == NO_MEMORY else added),
            f"D_crit({horizon:.0f}) = {size:.4g} examples",
            "Below, deficits are such that a mixture at balance has test accuracy 1/2 at D_crit(T).",
        )
    )


def explain_branches(branches: BranchLaw, norms: NormLaw, n_symbols: int, width: int, n_train: float) -> str:
    """Which memory a seed of a network with one embedding makes first, and how far its norm falls, in numbers.

    Args:
        branches: How likely a seed memorizes unordered pairs.
        norms: How far the squared norm falls.
        n_symbols: S.
        width: d.
        n_train: D, say D_crit(T) [examples].

    Returns:
        A paragraph of plain text.
    """
    chance = float(branches.probability(n_symbols, width, n_train))
    span = branches.interval(n_symbols, width, n_train)
    falls: list[str] = []
    for generalizes, says in ((True, "then generalizes"), (False, "stays in memory")):
        ratio, ends = norms.fall(n_symbols, width, n_train, generalizes=generalizes)
        falls.append(f"{ratio:.2f} ({ends.low:.2f} – {ends.high:.2f}) where it {says}")
    return "\n".join(
        (
            "One embedding serves both symbols: a seed memorizes unordered pairs (symmetric) or ordered ones.",
            "P(symmetric) = Φ((ln D − ln D_half)/w), D_half = c·S^1.5·(1 + k·S/d)",
            f"c = {branches.prefactor:.4g}, k = {branches.load:.4g}, w = {branches.spread:.4g}, "
            f"D_half = {branches.size(n_symbols, width):.4g} examples",
            f"at D = {n_train:.4g}: P(symmetric) = {chance:.2f} ({span.low:.2f} – {span.high:.2f})",
            f"a symmetric seed generalizes as if it had {math.exp(branches.ahead):.3f} times as many examples, "
            f"another as if {math.exp(-branches.behind):.3f} times",
            f"squared norm at rest over its largest, of a network that memorized first: {'; '.join(falls)}",
        )
    )


def explain(
    competition: Competition,
    problem: Problem,
    *,
    bits_per_parameter: float | None = None,
    clocks: LevelClocks | None = None,
    horizon: float | None = None,
    star: str = "",
    branches: str = "",
) -> str:
    """The equations behind a predicted critical size, in symbols, in numbers and against the solver.

    Args:
        competition: The laws of the problem.
        problem: The question.
        bits_per_parameter: c [bits/parameter]; None leaves capacity out.
        clocks: Of every test accuracy; None where none are known.
        horizon: T of the clocks' size; None for the protocol's [steps].
        star: Where D_crit(N, T) meets D_mem(N), as a paragraph. The closed form of :func:`star_parameters` takes D_crit
            for D_cross and both for the same at all N, which neither is: it is not printed.
        branches: Of :func:`explain_branches`; empty where nothing is known of them.

    Returns:
        Paragraphs of plain text.
    """
    memorizing, generalizing, deficits = competition.memorizing, competition.generalizing, competition.deficits
    values: dict[str, float] = {
        "A": memorizing.amplitude,
        "beta": memorizing.exponent,
        "e_full": generalizing.full_data,
        "D_full": generalizing.n_pairs,
        "epsilon": generalizing.drift,
        "b": competition.mixing,
        "rho_1": deficits.median,
        "nu": deficits.median_exponent,
        "N": problem.n_params,
        "C": problem.n_classes,
    }
    size, derived, hidden = crossing_with_drift(), [sensitivity_to_decay], dict[str, float]()
    if generalizing.drift == 0:
        size, hidden, values["e_gen"] = crossing(), {"epsilon": 0.0}, generalizing.full_data
        derived += [sensitivity_to_generalizing, sensitivity_to_amplitude, sensitivity_to_exponent]
    if bits_per_parameter is not None:
        values["c"] = bits_per_parameter
        derived.append(capacity)

    def paragraph(form: ClosedForm, *notes: str) -> str:
        return "\n".join((form.statement, form.pretty(**hidden), form.pretty(**values), *notes))

    def solved(form: ClosedForm, outcome: Crossing | NoCrossing) -> str:
        found = outcome.reason if isinstance(outcome, NoCrossing) else f"{outcome.n_train:.4g} examples"
        return paragraph(form, f"= {form.evaluate(**values):.4g} examples, for {form.assumptions}", f"solver: {found}")

    sections = [
        f"{label(problem)} ({problem.n_params} parameters, {problem.n_pairs} pairs)",
        *(() if clocks is None else (explain_clock(clocks, horizon or problem.horizon),)),
        *((branches,) if branches else ()),
        "The laws: margin per norm of each circuit, and the memorizing one's median deficit on unseen inputs.\n"
        f"e_mem(D) = A·D^(−β) far below capacity, A = {memorizing.amplitude:.4g}, β = {memorizing.exponent:.4g}\n"
        f"e_gen(D) = e_full·(D/D_full)^(−ε), e_full = {generalizing.full_data:.4g}, ε = {generalizing.drift:.4g}\n"
        f"ρ(D) = ρ_1·D^ν, ρ_1 = {deficits.median:.4g}, ν = {deficits.median_exponent:.4g}",
        solved(size, competition.crossing()),
        paragraph(mixture_odds()),
        paragraph(mixture_efficiency()),
        solved(half_accuracy_size(), competition.size_at_accuracy(0.5)),
        *(paragraph(form, f"= {form.evaluate(**values):.4g}") for form in (derive() for derive in derived)),
        *((star,) if star else ()),
    ]
    return "\n\n".join(sections) + "\n"
