"""Tables and sentences in Markdown and LaTeX, for notes and papers."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Characters that mean something in LaTeX, and those that its fonts lack.
_LATEX = {
    **{one: f"\\{one}" for one in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "…": r"\ldots{}"},
    **{"≥": r"$\geq$", "≤": r"$\leq$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "∝": r"$\propto$"},
    **{"∞": r"$\infty$", "√": r"$\surd$", "‖": r"$\|$", "Σ": r"$\Sigma$", "Φ": r"$\Phi$", "†": r"$\dagger$"},
    **{"α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$", "η": r"$\eta$"},
    **{"θ": r"$\theta$", "κ": r"$\kappa$", "λ": r"$\lambda$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$"},
    **{
        "₂": r"$_2$",
        "²": r"$^2$",
        "³": r"$^3$",
        "ᵀ": r"$^\top$",
        "→": r"$\to$",
        "|": r"\textbar{}",
        "<": r"\textless{}",
    },
    **{">": r"\textgreater{}", "\N{NARROW NO-BREAK SPACE}": r"\,", "\N{NO-BREAK SPACE}": "~", "\n": " "},
}

#: Characters that Markdown would act on.
_MARKDOWN = re.compile(r"([\\`*_|<>\[\]])")


def latex_text(text: str) -> str:
    """A sentence as a comment, which a paper leaves out."""
    return "\n".join(f"% {line}" for line in text.split("\n"))


def _latex(text: str) -> str:
    return "".join(_LATEX.get(one, one) for one in text)


def latex_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    r"""A ``tabular`` of the package ``booktabs``, with title and notes as comments.

    Args:
        title: Of the table.
        columns: Their names.
        rows: Cells.
        notes: Below it.
    """
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (columns, *rows)]
    body = ["\\toprule", lines[0], "\\midrule", *lines[1:], "\\bottomrule"]
    return "\n".join(
        [
            latex_text(title),
            f"\\begin{{tabular}}{{{'l' * len(columns)}}}",
            *body,
            "\\end{tabular}",
            *map(latex_text, notes),
        ]
    )


def markdown_text(text: str) -> str:
    """A sentence as a paragraph."""
    return f"{_markdown(text)}\n"


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", " ")


def markdown_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    """A table with its title above and its notes below.

    Args:
        title: Of the table.
        columns: Their names.
        rows: Cells.
        notes: Below it.
    """
    lines = [f"| {' | '.join(map(_markdown, row))} |" for row in (columns, *rows)]
    rule = f"|{'---|' * len(columns)}"
    told = [text for one in notes for text in ("", _markdown(one))]
    return "\n".join([f"**{_markdown(title)}**", "", lines[0], rule, *lines[1:], *told, ""])
