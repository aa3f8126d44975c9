from __future__ import annotations

import pytest

from tools.check_house_rules import EXCUSE, check_text

# Assembled here, so that the rules do not find them in this file.
DEAD = "# " + "def test_something():\n#     assert True\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x.at[0].set(1.0)", "assign it"),
        ("self.state.at[i, j].add(v)", "assign it"),
        ("ValueError('no')", "raise it"),
        ("errors.DataError('no')", "raise it"),
        ("raise InputError('no country {code}')", "no f prefix"),
        ("raise InputError('no country ' 'called {code!r}')", "no f prefix"),
        ("raise InputError(f'no country {code}, ' 'only {known}')", "no f prefix"),
        ("raise_all(InputError, 'head', ['no country {code}'])", "no f prefix"),
        ("problems.append('rate {rate:.2f} is high')", "no f prefix"),
        (DEAD, "mend it or delete it"),
        ("#" + "@pytest.mark.slow", "mend it or delete it"),
        ("np.random.normal()", "global state"),
        ("np.random.default_rng()", "without a seed"),
        ("default_rng(None)", "without a seed"),
        ("import random\nrandom.shuffle(x)", "global state"),
        ("x = 1\n" * 601, "split it"),
    ],
)
def test_an_offence_is_found(text: str, complaint: str) -> None:
    found = check_text(text)
    assert len(found) == 1
    assert complaint in found[0][1]


@pytest.mark.parametrize(
    "text",
    [
        "x = x.at[0].set(1.0)",
        "raise ValueError('no')",
        "raise InputError(f'no country {code}')",
        "raise InputError('no country {}'.format(code))",
        "raise InputError('no country {code}'.format(code=code))",
        "raise InputError('a set is written {{a}}, a row { a = 1 }')",
        "template = 'no country {code}'",
        "# the test below defines the tolerance",
        "np.random.default_rng(1)",
        "rng: np.random.Generator = np.random.default_rng(seed=seed)",
        "random.shuffle(x)",
        f'"""A table.\n\n{EXCUSE} it is one table.\n"""\n' + "x = 1\n" * 601,
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert check_text(text) == []


def docstring(told: str, real: str) -> str:
    """Write a function whose docstring tells one default and whose signature has another."""
    parameters = f"Parameters\n    ----------\n    rtol\n        {told}\n"
    return f'def f(a, rtol={real}, *, name="x"):\n    """Do.\n\n    {parameters}    """\n'


def test_a_stale_default_is_found() -> None:
    found = check_text(docstring("Tolerance, default `1e-6`.", "1e-9"))
    assert [offence for _, offence in found] == ["the docstring gives rtol the default 1e-06, the signature 1e-09"]


@pytest.mark.parametrize(
    "told", ["Tolerance, default `1e-9`.", "Tolerance, defaults to ``0.000000001``.", "Tolerance."]
)
def test_a_true_default_is_left_alone(told: str) -> None:
    assert check_text(docstring(told, "1e-9")) == []
