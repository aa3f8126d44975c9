from __future__ import annotations

import pytest

from tools import mkdocs_hooks as hooks


def test_a_formula_becomes_mathml() -> None:
    text, formulas = hooks.hold_formulas("where $x_i$ is sold")
    assert text == "where ⟦formula 0⟧ is sold"
    assert formulas[0].startswith("<math")
    assert "<msub><mi>x</mi><mi>i</mi></msub>" in formulas[0]


def test_a_formula_of_its_own_keeps_its_place() -> None:
    text, formulas = hooks.hold_formulas("??? note\n\n    $$ a = b $$\n\n    text\n")
    assert text == "??? note\n\n    ⟦formula 0⟧\n\n    text\n"
    assert 'display="block"' in formulas[0]


def test_a_formula_returns_after_rendering() -> None:
    page = hooks.restore_formulas("<p>⟦formula 0⟧</p><p>see ⟦formula 1⟧</p>", ["<math>0</math>", "<math>1</math>"])
    assert page == '<div class="formula"><math>0</math></div><p>see <math>1</math></p>'


@pytest.mark.parametrize("text", ["`$HOME` and `$x$`", "```sh\necho $A $B\n```", "from $5 bn to $6 bn", r"\$x\$"])
def test_code_and_money_are_left_alone(text: str) -> None:
    assert hooks.hold_formulas(text) == (text, [])


def test_the_vocabulary_is_written_out() -> None:
    assert "| `flow` | `X_ijs` | origin destination sector | USD |" in hooks.vocabulary()


def test_private_modules_are_not_documented() -> None:
    assert "::: counterpoise.core.world" in hooks.api()
    assert "._" not in hooks.api()


def test_a_table_of_the_package_is_written_out() -> None:
    told = hooks.table("friction/parameters/preferences.csv")
    assert told.startswith("| agreement | origin | destination |")
    assert "Under negotiation" in told
    assert "| return_rate |" in hooks.table("policy/parameters/fund.toml", "parameter")
    assert "RDIF" in hooks.table("policy/parameters/fund.toml", "precedent")
