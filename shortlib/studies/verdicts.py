"""From a claim and its measurements to a verdict."""

from dataclasses import dataclass, field, replace

import numpy as np

from shortlib.metrics.estimate import Estimate, rank_correlation

VERDICTS = (
    "reproduced",
    "direction only",
    "not reproduced",
    "inconclusive",
    "not testable here",
)


class NotTestableError(ValueError):
    """Runs that a rule needs are missing, or the metric cannot be had from them."""


@dataclass(frozen=True)
class Verdict:
    """What the runs say about one claim.

    Attributes
    ----------
    claim : dict
        As the study's ``claims.yml`` states it.
    group : str
        The setting that the claim was judged under, e.g. ``"minibatch"``; "" if any.
    verdict : str
        One of `VERDICTS`.
    effect : Estimate or None
        What the rule compares with its window.
    selection : str
        The rule by which epochs were chosen.
    profile, data : str
        What the runs were made with.
    runs : list of str
        Folder names of the runs it stands on.
    reason : str
        Why a claim is not testable here.
    """

    claim: dict
    group: str
    verdict: str
    effect: Estimate | None
    selection: str = ""
    profile: str = ""
    data: str = ""
    runs: list = field(default_factory=list)
    reason: str = ""

    @property
    def id(self):
        """Claim and group, e.g. ``"normals-align-minibatch"``."""
        return "-".join(filter(None, (self.claim["id"], self.group)))

    def with_window_times(self, factor):
        """Return the verdict had the rule's window been `factor` times as large."""
        if self.effect is None:
            return self
        return replace(self, verdict=judge(self.effect, self.claim["rule"], factor))


def effect_of(rule, measured):
    """Compute what a rule compares with its window.

    Parameters
    ----------
    rule : dict
        ``kind`` is ``difference`` (``between: [x1, x0]``), ``threshold`` (``at: x``),
        ``rank_correlation``, ``monotone`` (over all x) or ``within`` (``at: x``).
    measured : dict
        Value of the study's dial, e.g. r, to :class:`shortlib.metrics.estimate.Estimate`.

    Returns
    -------
    Estimate
        For ``monotone``, the step that goes least the way that the claim says, or
        furthest the other way.

    Raises
    ------
    NotTestableError
        If a value of the dial that the rule needs was not measured.
    ValueError
        If the kind of rule is unknown.
    """
    kind = rule["kind"]
    needed = {"difference": rule.get("between"), "threshold": [rule.get("at")]}
    needed = needed.get(kind, [rule["at"]] if kind == "within" else [])
    for x in needed:
        if x not in measured:
            known = ", ".join(map(str, sorted(measured))) or "nothing"
            raise NotTestableError(f"no measurement at {x}; what was measured: {known}")
    if kind == "difference":
        return measured[needed[0]] - measured[needed[1]]
    if kind in ("threshold", "within"):
        return measured[needed[0]]
    if kind not in ("rank_correlation", "monotone"):
        raise ValueError(f"a rule's kind is unknown: {kind!r}")
    if len(measured) < 3:
        raise NotTestableError(f"an order needs three points, there are {len(measured)}")
    estimates = [measured[x] for x in sorted(measured)]
    if kind == "rank_correlation":
        return rank_correlation(sorted(measured), estimates)
    return _least_step(estimates, rule["sign"])


def _least_step(estimates, sign):
    columns = np.column_stack([[e.value, *e.resamples] for e in estimates])
    least = sign * (sign * np.diff(columns, axis=1)).min(axis=1)
    n, seeds = min(e.n for e in estimates), min(e.seeds for e in estimates)
    return Estimate(float(least[0]), least[1:], n, seeds)


def judge(effect, rule, window_factor=1.0):
    """Compare an effect's 95% interval with a rule's window.

    Returns
    -------
    str
        One of `VERDICTS`.
    """
    size = rule["window"]["size"] * window_factor
    low, high = effect.interval()
    if rule["kind"] == "within":
        target = rule["value"]
        if target - size <= low and high <= target + size:
            return "reproduced"
        apart = high < target - size or low > target + size
        return "not reproduced" if apart else "inconclusive"
    if rule["kind"] == "rank_correlation":
        size = min(size, 1 - 1e-9)  # a perfect order must be able to pass
    centre = rule.get("threshold", 0.0)
    ends = sorted(rule["sign"] * (end - centre) for end in (low, high))
    if ends[0] > size:
        return "reproduced"
    if ends[0] > 0:
        return "direction only"
    return "not reproduced" if ends[1] <= 0 else "inconclusive"


def verdicts_of(study, runs, *, selection=None):
    """Judge every claim of a study on a set of runs.

    Parameters
    ----------
    study : module
        As :func:`shortlib.studies.registry.load_study` returns it.
    runs : list of shortlib.runs.Run
        Of one profile; of several data sets only if the study's groups are data sets.
    selection : str, optional
        The rule by which epochs were chosen; by default the paper's, which is the first
        of the study's ``SELECTIONS``.

    Returns
    -------
    list of Verdict
        In the order of the claims, then of their groups.

    Raises
    ------
    ValueError
        If the study has no such selection rule; lists those it has.
    """
    selection = selection or study.SELECTIONS[0]
    if selection not in study.SELECTIONS:
        known = ", ".join(study.SELECTIONS)
        raise ValueError(f"selection must be one of {known}, got {selection!r}")
    combinations = study.profiles()["combinations"]
    groups = study.groups(runs)
    found = []
    for claim in study.claims():
        for group in claim.get("each", [""]):
            chosen = groups.get(group, []) if group else next(iter(groups.values()), [])
            facts = {
                "selection": selection,
                "profile": ", ".join(sorted({run.request["profile"] for run in chosen})),
                "data": ", ".join(sorted({run.request["data"] for run in chosen}))
                or (group if group in combinations else ""),
                "runs": [run.path.name for run in chosen],
            }
            try:
                measured = study.estimates(claim["metric"], chosen, selection=selection)
                effect = effect_of(claim["rule"], measured)
            except NotTestableError as error:
                verdict = Verdict(claim, group, VERDICTS[-1], None, **facts, reason=str(error))
            else:
                if effect.exact:
                    facts = {}  # a formula stands on no run
                verdict = Verdict(claim, group, judge(effect, claim["rule"]), effect, **facts)
            found.append(verdict)
    return found


def rule_in_words(rule, dial):
    """Return what a rule asks, e.g. ``"r = 40 minus r = 1 is above 0.043"``; `dial` names x."""
    size, kind = rule["window"]["size"], rule["kind"]
    side, sign = ("above", 1) if rule.get("sign", 1) > 0 else ("below", -1)
    if kind == "difference":
        high, low = rule["between"]
        return f"{dial} = {high} minus {dial} = {low} is {side} {sign * size + 0.0:g}"
    if kind == "threshold":
        return f"at {dial} = {rule['at']} it is {side} {rule['threshold'] + sign * size:g}"
    if kind == "within":
        return f"at {dial} = {rule['at']} it is within {size:g} of {rule['value']:g}"
    if kind == "rank_correlation":
        return f"rank correlation with {dial} is {side} {sign * size:g}"
    return f"every step in {dial} goes {'up' if sign > 0 else 'down'}"
