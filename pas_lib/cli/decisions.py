"""Commands about decisions: weights, allocation, regime, the decision itself, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pas_lib.cli.common import AsOf, Context, JsonFlag, context, plain, print_json, print_table, working
from pas_lib.errors import PasError, UnknownName

if TYPE_CHECKING:
    from pas_lib.pipeline import Decision
    from pas_lib.pipeline.differences import Difference
    from pas_lib.pipeline.recompute import Recomputation
    from pas_lib.pipeline.shadow import Shadow

Recompute = Annotated[
    bool,
    typer.Option("--recompute", help="Work it out again from the rows known and ingested then; fail if it differs."),
]
Research = Annotated[
    bool, typer.Option("--research", help="Work it out from the marts as they are now, late rows included.")
]


def weights(
    strategy: Annotated[str, typer.Argument(help="Id of the strategy.")],
    as_of: AsOf = None,
    recompute: Recompute = False,
    research: Research = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the target weights of a strategy that hold at a session."""
    from pas_lib.pipeline.model import run_model, stored_weights
    from pas_lib.pipeline.recompute import weights_again
    from pas_lib.strategies import strategy as strategy_of

    _one_way(recompute, research)
    one = strategy_of(strategy)
    here = context()
    session = here.session(as_of)
    differences: Sequence[Difference] = ()
    if research:
        found = run_model(here.warehouse, session, cost_bps=here.settings.cost_bps, recompute=True).latest(one.id)
    else:
        items = stored_weights(here.warehouse, session).get(one.id, [])
        found = items[-1] if items else None
    if found is None:
        raise PasError(
            f"{one.id} has no weights up to {session}", hint="run `pas decide`, or add --research to compute them"
        )
    if recompute:
        found, differences = weights_again(found, here.settings, here.warehouse)
    by_symbol = found.by_symbol()
    if as_json:
        print_json(
            {
                "strategy": one.id,
                "as_of": session,
                "session": found.session,
                "note": found.note,
                "is_stale": found.is_stale,
                "weights": by_symbol,
                "cash": round(found.cash, 12),
            }
            | _differing(recompute, differences)
        )
        _judge(differences)
        return
    print_table(
        f"{one.name}: weights decided at {found.session}",
        ["symbol", "weight"],
        [[str(symbol), float(weight)] for symbol, weight in by_symbol.items()] + [["cash", max(found.cash, 0.0)]],
        note=found.note or one.rule,
    )
    _agree(recompute, differences)


def allocate(
    as_of: AsOf = None, recompute: Recompute = False, research: Research = False, as_json: JsonFlag = False
) -> None:
    """Show the shares of equity of all portfolios at a session."""
    from pas_lib.pipeline.recompute import recompute as run

    _one_way(recompute, research)
    here = context()
    session = here.session(as_of)
    differences: Sequence[Difference] = ()
    answer = _researched(here, session) if research else _stored(here, session)
    if recompute:
        again = run(answer["session"], here.settings, here.warehouse)
        answer = _allocation_of(again.made.decision, session)
        differences = again.of("decision", "allocation", "share", "model return")
    if as_json:
        print_json(answer | _differing(recompute, differences))
        _judge(differences)
        return
    print_table(
        f"allocation of {answer['allocated_at']} as it holds at {session}: {answer['method']}",
        ["portfolio", "allocation", "share"],
        [[name, part["allocation"], part["share"]] for name, part in answer["portfolios"].items()]
        + [["cash", None, 1.0 - sum(part["share"] for part in answer["portfolios"].values())]],
        note=f"S = {answer['scale']:.3f}. {answer['reason']}".strip(),
    )
    _agree(recompute, differences)


def _stored(here: Context, session: Any) -> dict[str, Any]:
    from pas_lib.pipeline.records import last_decision

    found = last_decision(here.warehouse, session)
    if found is None:
        raise PasError(f"nothing was decided up to {session}", hint="run `pas decide`, or add --research")
    return _allocation_of(found, session)


def _allocation_of(found: Decision, session: date) -> dict[str, Any]:
    return {
        "as_of": session,
        "session": found.session,
        "allocated_at": found.allocated_at,
        "method": found.method,
        "reason": found.reason,
        "scale": found.scale,
        "gross": found.gross,
        "expected_vol": found.expected_vol,
        "portfolios": {
            part.portfolio_id: {"allocation": part.allocation, "share": part.share} for part in found.portfolios
        },
    }


def _researched(here: Context, session: Any) -> dict[str, Any]:
    from pas_lib.pipeline.decide import allocation_as_of

    result, scale = allocation_as_of(session, here.settings, here.warehouse)
    return {
        "as_of": session,
        "session": session,
        "allocated_at": session,
        "method": result.diagnostics["method_used"],
        "reason": result.diagnostics["reason"],
        "scale": scale,
        "gross": float(result.weights.sum()),
        "expected_vol": result.diagnostics["expected_vol"],
        "portfolios": {
            str(name): {"allocation": float(result.diagnostics["target"].get(name, 0.0)), "share": float(share)}
            for name, share in result.weights.items()
        },
        "diagnostics": result.diagnostics,
    }


def regime(
    as_of: AsOf = None,
    recompute: Recompute = False,
    research: Research = False,
    history: Annotated[bool, typer.Option("--history", help="Every year up to the session instead.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="With --history: draw it into one file.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the crisis indicator and the exposure scale of a session, or their history by year."""
    from pas_lib.pipeline.recompute import regime_again
    from pas_lib.pipeline.regime import regime_as_of
    from pas_lib.regime import WEIGHTS

    _one_way(recompute, research)
    here = context()
    if history or html is not None:
        _regime_history(here, here.session(as_of), html, as_json)
        return
    state = regime_as_of(here.warehouse, here.session(as_of), research=research)
    differences: Sequence[Difference] = ()
    if recompute:
        state, differences = regime_again(state.session, here.settings, here.warehouse)
    if as_json:
        print_json(plain(state) | _differing(recompute, differences))
        _judge(differences)
        return
    print_table(
        f"regime of {state.session}: CCI {state.cci:.3f}, S {state.scale:.3f}",
        ["series", "weight", "z"],
        [[name, WEIGHTS.get(name), z] for name, z in state.parts.items()],
        note=state.note,
    )
    _agree(recompute, differences)


def _regime_history(here: Context, session: Any, html: Path | None, as_json: bool) -> None:
    import pandas as pd

    from pas_lib.pipeline.regime import compute_regimes
    from pas_lib.pipeline.regime_report import write_html, yearly

    states = compute_regimes(here.warehouse, session)
    frame = pd.DataFrame(
        {"cci": [one.cci for one in states], "scale": [one.scale for one in states]},
        index=pd.DatetimeIndex([one.session for one in states]),
    )
    table = yearly(frame)
    drawn = write_html(frame, html) if html is not None else None
    if as_json:
        print_json({"years": table.reset_index(), "file": drawn})
        return
    print_table(
        f"crisis indicator and exposure scale by year, up to {session}",
        ["year", "highest CCI", "lowest S", "days below 1", "sessions"],
        [[str(year), *row] for year, row in zip(table.index, table.to_numpy().tolist(), strict=True)],
        note=f"drawn into {drawn}" if drawn else "",
    )


def decide(
    as_of: AsOf = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing; show what would be decided.")] = False,
    recompute: Recompute = False,
    as_json: JsonFlag = False,
) -> None:
    """Decide a session: weights, allocation, regime, caps, orders. Deciding again returns what was stored."""
    from pas_lib.execution import needs_approval
    from pas_lib.pipeline import decide as run
    from pas_lib.pipeline.recompute import recompute as again
    from pas_lib.pipeline.shadow import beside

    if dry_run and recompute:
        raise PasError("--dry-run decides with what is known now, --recompute with what was known then: take one")
    here = context()
    session = here.session(as_of)
    if recompute:
        with working(f"deciding {session} again"):
            found = again(session, here.settings, here.warehouse)
        _show_again(found, as_json)
        return
    with working(f"deciding {session}"):
        result = run(session, here.settings, here.clock, here.warehouse, dry_run=dry_run)
    if not dry_run:
        here.announce()
    shadow = beside(here.warehouse, result) if dry_run else None
    if as_json:
        print_json(result if shadow is None else plain(result) | _shadow(shadow))
        return
    kind = "dry run" if result.is_dry_run else result.origin
    when = "" if result.is_new else f", stored {result.decided_at:%Y-%m-%d %H:%MZ}"
    _print_decision(result, f"{kind}{when}")
    if result.plan is not None:
        _print_plan(result.plan)
        if shadow is None and needs_approval(here.settings):
            print(f"a live account waits for a person: pas approve --plan {result.plan.plan_hash}")
    if shadow is not None:
        _print_shadow(shadow, session)


def _show_again(again: Recomputation, as_json: bool) -> None:
    made, differences = again.made.decision, again.differences
    if as_json:
        print_json(plain(made) | {"raw_rows": again.rows} | _differing(True, differences))
        _judge(differences)
        return
    _print_decision(made, f"recomputed from {again.rows:,} raw rows as at {made.decided_at:%Y-%m-%d %H:%MZ}")
    _agree(True, differences)


def _print_decision(result: Decision, kind: str) -> None:
    print_table(
        f"decision of {result.session} ({kind}): {result.method}, CCI {result.cci:.3f}, S {result.scale:.3f},"
        f" gross {result.gross:.1%}",
        ["portfolio", "allocation", "now", "share", "trades", "why", "names"],
        [
            [one.portfolio_id, one.allocation, one.current, one.share, one.trades, one.why, len(one.weights)]
            for one in result.portfolios
        ],
        note=result.reason,
    )
    if result.caps:
        print_table(
            "caps",
            ["reason", "what", "wanted", "allowed"],
            [[one.code, one.name, one.before, one.after] for one in result.caps],
        )


def _one_way(recompute: bool, research: bool) -> None:
    if recompute and research:
        raise PasError("--recompute takes the rows of then, --research those of now: take one")


def _differing(recompute: bool, differences: Sequence[Difference]) -> dict[str, Any]:
    return {"agrees": not differences, "differences": list(differences)} if recompute else {}


def _agree(recompute: bool, differences: Sequence[Difference]) -> None:
    """Show what differs, or that nothing does; fail if something does."""
    if recompute and differences:
        print_table(
            "not as stored",
            ["what", "of", "stored", "recomputed"],
            [[one.part, one.name, one.stored, one.recomputed] for one in differences],
        )
    elif recompute:
        print("agrees with what was stored")
    _judge(differences)


def _judge(differences: Sequence[Difference]) -> None:
    from pas_lib.pipeline.differences import describe

    if differences:
        raise PasError(describe(differences))


def _shadow(shadow: Shadow) -> dict[str, Any]:
    changes = [plain(one) | {"change": one.change} for one in shadow.differences]
    return {"stored": plain(shadow.stored), "stored_plan": plain(shadow.plan), "differences": changes}


def _print_shadow(shadow: Shadow, session: date) -> None:
    if shadow.stored is None:
        print(f"nothing is stored for {session} to compare with")
    elif not shadow.differences:
        print(f"the same as stored at {shadow.stored.decided_at:%Y-%m-%d %H:%MZ}, order by order")
    else:
        print_table(
            f"beside what was stored at {shadow.stored.decided_at:%Y-%m-%d %H:%MZ}",
            ["what", "of", "stored", "now", "change"],
            [[one.part, one.name, one.stored, one.recomputed, one.change] for one in shadow.differences],
            note="shares and targets are parts of equity, orders are in shares of stock",
        )


def _print_plan(plan: Any) -> None:
    orders = [one for one in plan.intents if one.kind != "funding"]
    print_table(
        f"plan {plan.plan_hash[:12]} for {plan.execution_session}: managed equity {plan.managed_equity:,.2f}",
        ["#", "portfolio", "kind", "side", "symbol", "quantity", "at about"],
        [[o.seq, o.portfolio_id, o.kind, o.side, o.symbol, o.qty, o.decision_close] for o in orders],
    )
    if plan.refusals:
        print_table(
            "refused",
            ["portfolio", "symbol", "side", "quantity", "reason"],
            [[r.portfolio_id, r.symbol, r.side, r.qty, r.code] for r in plan.refusals],
        )


def explain(
    portfolio: Annotated[str, typer.Argument(help="Id of the portfolio.")],
    symbol: Annotated[str, typer.Argument(help="Symbol held, with a dot for share classes (BRK.B).")],
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option("--limit", help="Most raw rows shown (all with --json).")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Show the raw rows behind a weight: site, address, when it was known, hash."""
    from pas_lib.pipeline.explain import explain as run
    from pas_lib.strategies import strategy_ids

    if portfolio not in strategy_ids():
        raise UnknownName("portfolio", portfolio, strategy_ids())
    here = context()
    told = run(here.warehouse, portfolio, symbol, here.session(as_of))
    if as_json:
        print_json(told)
        return
    share = "no share yet" if told.share is None else f"{told.share:.3%} of equity"
    rank = "no signal" if told.rank is None else f"rank {told.rank} of {told.names}, score {told.score:.6g}"
    rows = told.rows[-limit:]
    print_table(
        f"{symbol} in {portfolio}: {told.weight:.3%} of the portfolio since {told.decided}, {share}; {rank}",
        ["event", "known at", "dataset", "source", "address", "hash", "what it says"],
        [
            [
                row.event_date.isoformat(),
                row.known_at.strftime("%Y-%m-%d %H:%MZ"),
                row.dataset,
                row.source,
                row.source_url,
                row.content_hash[:10],
                ", ".join(f"{name} {value}" for name, value in row.values.items() if value not in (None, "")),
            ]
            for row in rows
        ],
        note=f"{told.rule}. {len(told.rows)} raw rows, the newest {len(rows)} shown. {told.note}".strip()
        + "".join(f"\nlimit: {cut}" for cut in told.cuts),
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (weights, allocate, regime, decide, explain):
        app.command()(command)
