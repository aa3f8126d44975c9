"""The application: its commands, its version, and how errors end."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from counterpoise import __version__
from counterpoise.core.errors import WorkbenchError
from counterpoise.faces.cli import (
    bench,
    close,
    data,
    doctor,
    estimate,
    frictions,
    fund,
    gap,
    power,
    products,
    replicate,
    run,
    scenarios,
    settle,
    simulate,
    simulate_products,
)

__all__ = ["app"]

_INTERRUPTED = 130


class _PlainErrors(TyperGroup):
    """End with a message in plain words and the exit code of the error, never with a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Invoke a command; turn the errors of this package, and an interrupt, into messages and exit codes."""
        try:
            return super().invoke(ctx)
        except WorkbenchError as error:
            typer.echo(f"counterpoise: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("counterpoise: interrupted; nothing was left half-written", err=True)
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=_PlainErrors,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Counterpoise: two countries trade out of balance, a third one raises its tariffs. What follows, and what "
    "is the way back?",
    epilog="Exit status: 0 done, 2 input, 3 data, 4 no equilibrium, or a target out of reach. Data go to standard "
    "output, messages to standard error.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"counterpoise {__version__}")
        raise typer.Exit


@app.callback()
def _main(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Take the options that come before the command."""


app.command("run")(run.run)
app.command("gap")(gap.gap_command)
app.command("products")(products.products_command)
app.command("simulate")(simulate.simulate)
app.command("simulate-products")(simulate_products.simulate_products)
app.command("close")(close.close)
app.command("frictions")(frictions.frictions)
app.command("settle")(settle.settle)
app.command("fund")(fund.fund_command)
app.command("optimal")(power.optimal_command)
app.command("nash")(power.nash_command)
app.command("cooperate")(power.cooperate_command)
app.command("replicate")(replicate.replicate_command)
app.command("bench")(bench.bench_command)
app.add_typer(estimate.app, name="estimate")
app.add_typer(data.app, name="data")
app.add_typer(scenarios.app, name="scenarios")
app.command("schema")(scenarios.schema)
app.command("doctor")(doctor.doctor)
