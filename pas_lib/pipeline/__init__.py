"""One session from marts to orders: model, regime, decision, evaluation, explanation."""

from pas_lib.pipeline.decide import decide
from pas_lib.pipeline.evaluate import Evaluation, evaluate
from pas_lib.pipeline.explain import Explanation, explain
from pas_lib.pipeline.model import ModelRun, run_model
from pas_lib.pipeline.records import Decision, PortfolioDecision, load_decision
from pas_lib.pipeline.regime import RegimeState, regime_as_of

__all__ = [
    "Decision",
    "Evaluation",
    "Explanation",
    "ModelRun",
    "PortfolioDecision",
    "RegimeState",
    "decide",
    "evaluate",
    "explain",
    "load_decision",
    "regime_as_of",
    "run_model",
]
