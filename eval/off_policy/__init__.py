"""Off-policy estimates: what a policy would have earned, from the log of another one whose probabilities are known."""

from eval.off_policy.estimators import all_estimates, clipped, clipping_bias, doubly_robust, ips, naive, snips
from eval.off_policy.logged import LoggedDecisions
from eval.off_policy.reward_model import Contexts, contexts_of, cross_fitted, fit_reward_model
from eval.off_policy.skewed_interval import ratio_interval
from eval.off_policy.weight_diagnostics import WeightDiagnostics, diagnose, effective_sample_size

__all__ = [
    "Contexts",
    "LoggedDecisions",
    "WeightDiagnostics",
    "all_estimates",
    "clipped",
    "clipping_bias",
    "contexts_of",
    "cross_fitted",
    "diagnose",
    "doubly_robust",
    "effective_sample_size",
    "fit_reward_model",
    "ips",
    "naive",
    "ratio_interval",
    "snips",
]
