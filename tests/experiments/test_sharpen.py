"""What `alexnet claims run` measures next."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from scipy import special

from alexnet import data
from alexnet.cli import claims
from alexnet.cli import experiment as command
from alexnet.cli.main import main
from alexnet.experiments import EXPERIMENTS, answers, campaign
from alexnet.experiments.answers import (
    DATED,
    EXHAUSTED,
    FACTOR_UNDECIDED,
    LOOK_LEVEL,
    LOOKS,
    ONE_OF_MANY,
    OTHER_FACTOR,
    UNDECIDED,
    answer,
    corrected,
)
from alexnet.experiments.experiment import Comparison
from alexnet.experiments.finished import Finished
from alexnet.experiments.intervals import chance_of_decision, p_value
from alexnet.experiments.search import Found
from alexnet.experiments.sharpen import chance_of_verdict, from_nearest_end, next_step, steps


@pytest.fixture
def known(tiny):
    pairs = {"pca-colour": "tanh", "init": "sigmoid"}
    answers = {id: (Comparison(better="relu", worse=worse),) for id, worse in pairs.items()}
    return tiny("relu", "tanh", "sigmoid", answers=answers, num_train=10_000, seeds=tuple(range(5)))


def found(outcome, errors, settled=True):
    runs = {seed: outcome(error) for seed, error in enumerate(errors)}
    return Found(scores={0.01: (0.3, 1.0)}, settled=settled, rate=0.01, runs=runs)


BASE = [0.30, 0.31, 0.29, 0.30, 0.32]


def test_what_is_settled_is_left_alone_and_what_is_not_gets_the_seeds_of_the_next_look(known, outcome):
    nothing = Finished("", [])
    base = found(outcome, BASE)
    worse = found(outcome, [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)])
    assert next_step(known, {"relu": base, "tanh": worse}, nothing, "pca-colour") is None
    noisy = [0.31, 0.30, 0.31, 0.30, 0.34]  # differences of a point, deviation of 1.4
    step = next_step(known, {"relu": base, "tanh": found(outcome, noisy)}, nothing, "pca-colour")
    assert step is not None and step.seeds == tuple(range(10)) and step.seconds == math.inf
    begun = {"relu": found(outcome, BASE + [0.3] * 5), "tanh": found(outcome, noisy + [0.5] * 3)}
    step = next_step(known, begun, nothing, "pca-colour")
    assert step is not None and step.seeds == tuple(range(10))
    halves = {
        "relu": found(outcome, BASE * 2),
        "tanh": found(outcome, [0.31, 0.30, 0.31, 0.30, 0.33] * 2),
    }
    step = next_step(known, halves, nothing, "pca-colour")
    assert step is not None and step.seeds == tuple(range(20))
    full = {"relu": found(outcome, BASE * 4), "tanh": found(outcome, BASE[::-1] * 4)}
    assert next_step(known, full, nothing, "pca-colour") is None  # it has had them


def test_between_two_looks_the_seeds_that_came_last_do_not_count(known, outcome):
    """Without this rule, chance gives a verdict more often than once in twenty times."""
    noisy = [0.31, 0.30, 0.31, 0.30, 0.34]
    more = [error + 0.03 for error in BASE[:4]]
    arms = {"relu": found(outcome, BASE + BASE[:4]), "tanh": found(outcome, noisy + more)}
    known_now = answer(known, arms, "pca-colour")
    assert known_now.verdict == "inconclusive" and ", 5 seeds" in known_now.basis
    first = {"relu": found(outcome, BASE), "tanh": found(outcome, noisy)}
    assert known_now.shown == answer(known, first, "pca-colour").shown
    later = {"relu": found(outcome, BASE * 2), "tanh": found(outcome, noisy + [e + 0.03 for e in BASE])}
    assert ", 10 seeds" in answer(known, later, "pca-colour").basis


def test_three_looks_together_err_once_in_twenty_times():
    generator = torch.Generator().manual_seed(0)
    effects = torch.randn(20_000, LOOKS[-1], generator=generator, dtype=torch.float64)
    wrong = torch.zeros(len(effects), dtype=torch.bool)
    for count in LOOKS:
        part = effects[:, :count]
        t = part.mean(1) / part.std(1) * count**0.5
        wrong |= torch.from_numpy(2 * special.stdtr(count - 1, -t.abs().numpy())) < LOOK_LEVEL
    assert 0.043 < wrong.double().mean() < 0.055


def test_seeds_that_diverge_are_counted(known, outcome):
    errors = [*BASE, 0.31]
    base = found(outcome, errors)
    worse = found(outcome, [error + 0.03 + seed / 1000 for seed, error in enumerate(errors)])
    whole = worse.runs[5]
    worse.runs[5] = outcome(math.inf)  # beyond the first five, not looked at yet
    assert answer(known, {"relu": base, "tanh": worse}, "pca-colour").lacking == []
    worse.runs.update({2: outcome(math.inf), 5: whole})
    now = answer(known, {"relu": base, "tanh": worse}, "pca-colour")
    assert now.verdict == "inconclusive"
    assert now.lacking == [
        "1 seed of tanh diverged",
    ]  # no other seed replaces it
    more = found(outcome, [*errors, 0.3, 0.3, 0.3, 0.3])
    more.runs[7] = outcome(math.inf)  # a seed that the other arm has not
    worse = found(outcome, [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)])
    assert answer(known, {"relu": more, "tanh": worse}, "pca-colour").lacking == []


def test_the_basis_names_the_training_errors_and_the_rates_that_the_fit_excludes(known, outcome):
    worse = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]
    arms = {"relu": found(outcome, BASE), "tanh": replace(found(outcome, worse), lower_unfitted=0.00316)}
    told = answer(known, arms, "pca-colour").basis.partition("; interval of 95%; ")[2]
    assert told.startswith("mean training errors: relu 15.2%, tanh 16.8%; learning rates that are excluded")
    assert told.endswith("(one trial each): tanh 0.00316")
    arms["tanh"].runs[0] = outcome(math.inf)
    assert "tanh 16.8%" not in answer(known, arms, "pca-colour").basis and "inf" not in told
    losses = replace(
        known, answers={"init": (Comparison(better="relu", worse="tanh", measure="train_loss"),)}
    )
    assert answer(losses, arms, "init").basis.endswith("interval of 95%")


def test_errors_are_compared_between_networks_that_have_converged(known, outcome):
    base = found(outcome, BASE)  # training errors of half the error
    worse = found(outcome, [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)])
    arms = {"relu": base, "tanh": worse}
    assert answer(known, arms, "pca-colour").lacking == []
    fitted = replace(known, fit=0.16)  # 15.3% and 16.9%
    lacking = ["the mean training error of tanh is above 16%"]
    assert answer(fitted, arms, "pca-colour").lacking == lacking
    assert answer(fitted, arms, "pca-colour").verdict == "inconclusive"
    of_training = Comparison(better="relu", worse="tanh", measure="train_error")
    fitted = replace(fitted, answers={"pca-colour": (of_training,)})
    assert answer(fitted, arms, "pca-colour").lacking == []


def test_an_unsettled_search_is_gone_on_with(known, outcome):
    base, worse = found(outcome, BASE), found(outcome, [e + 0.03 for e in BASE], settled=False)
    step = next_step(known, {"relu": base, "tanh": worse}, Finished("", []), "pca-colour")
    assert step is not None and step.seeds == (0, 1, 2, 3, 4)


def test_a_claim_on_an_arm_that_learns_at_no_learning_rate_is_left_alone(known, outcome, monkeypatch):
    arms = {"tanh": replace(found(outcome, [], settled=False), failed=True), "sigmoid": found(outcome, [])}
    assert next_step(known, arms, Finished("", []), "pca-colour") is None
    step = next_step(known, arms, Finished("", []), "init")
    assert step is not None and step.arms == ("relu", "sigmoid")
    monkeypatch.setattr("alexnet.experiments.search.find_arms", lambda *_: arms)
    lacking = "pca-colour: lacks a learning rate at which tanh learns anything"
    assert claims.told(known, Finished("", []), "pca-colour") == lacking
    assert "fewer than two seeds" in claims.told(known, Finished("", []), "init")


def test_the_claim_that_promises_a_verdict_soonest_comes_first(known, outcome, monkeypatch):
    kept = Finished("", [])
    kept.lines = [{"num_train": known.num_train, "outcome": {"seconds": 10.0, "epochs": 1.0}}]
    clear = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE[:4])]
    arms = {"relu": found(outcome, BASE), "sigmoid": found(outcome, clear)}
    monkeypatch.setattr("alexnet.experiments.sharpen.find_arms", lambda *_: arms)
    order = steps({"tiny": (known, kept)}, ["pca-colour", "init"])
    assert [(step.id, step.seconds) for step in order] == [("init", 10), ("pca-colour", 80)]
    assert order[0].chance > 0.99 and order[1].chance == 0.5
    assert [step.id for step in steps({"tiny": (known, kept)}, ["pca-colour"])] == ["pca-colour"]
    arms["sigmoid"] = found(outcome, BASE[:4])  # as soon, but no effect: seeds will not decide it
    order = steps({"tiny": (known, kept)}, ["pca-colour", "init"])
    assert [(step.id, step.chance) for step in order] == [("pca-colour", 0.5), ("init", 0.0)]
    limited = replace(known, limits={"pca-colour": "more images"})
    arms["sigmoid"] = found(outcome, clear)
    order = steps({"tiny": (limited, kept)}, ["pca-colour", "init"])
    assert [(step.id, step.chance > 0) for step in order] == [("init", True), ("pca-colour", False)]


def test_a_claim_that_only_a_later_look_can_settle_is_not_put_last(known, outcome, monkeypatch):
    """Five seeds of one comparison are too few; five of the other are missing, and ten of both may do."""
    kept = Finished("", [])
    kept.lines = [{"num_train": known.num_train, "outcome": {"seconds": 10.0, "epochs": 1.0}}]
    unclear = [error + shift for error, shift in zip(BASE, (0.01, 0.05, 0.0, 0.04, 0.02), strict=True)]
    arms = {
        "relu": found(outcome, BASE),
        "tanh": found(outcome, unclear),
        "sigmoid": found(outcome, BASE[:4]),
    }
    monkeypatch.setattr("alexnet.experiments.sharpen.find_arms", lambda *_: arms)
    pairs = tuple(Comparison(better="relu", worse=name) for name in ("tanh", "sigmoid"))
    both = replace(known, answers={"pca-colour": pairs[:1], "init": pairs[1:]})
    step = next_step(replace(both, answers={"pca-colour": pairs}), arms, kept, "pca-colour")
    assert step is not None and step.chance == 0.0 == step.worth  # *sigmoid* shows no effect at all
    arms["sigmoid"] = found(outcome, unclear[:4])
    step = next_step(replace(both, answers={"pca-colour": pairs}), arms, kept, "pca-colour")
    assert step is not None and len(step.seeds) == 5 and step.chance == 0.0 < step.worth
    assert step.goal > 5 and step.goal_chance > 0
    chances = f"about 0%, with {step.goal} seeds about {step.goal_chance:.0%})"
    assert (
        claims.announced(step) == f"pca-colour: relu, tanh, sigmoid, 5 seeds (chance of a verdict {chances}"
    )


def test_the_chance_of_a_verdict_is_that_of_simulated_seeds():
    """Ten seeds, of which five have shown the mean and the spread."""
    effects, level = [0.012 + x for x in (-0.02, -0.01, 0.0, 0.01, 0.02)], 0.01
    spread = (0.001 / 4) ** 0.5  # the five squares add up to 0.001
    draws = 0.012 + spread * torch.randn(
        20_000, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    t = (draws.mean(1) / draws.std(1) * 10**0.5).abs()
    decided = torch.from_numpy(2 * special.stdtr(9, -t.numpy())) < level
    assert chance_of_decision(effects, 10, level) == pytest.approx(decided.double().mean().item(), abs=0.02)
    assert chance_of_decision([1.0, 1.0], 5, level) == 1 and chance_of_decision([0.0, 0.0], 5, level) == 0
    for size in range(1, 40):  # scipy's function gives NaN for some of these
        assert 0.9 < chance_of_decision([4.0 * size - 1, 4.0 * size, 4.0 * size + 1], 20, level) <= 1
    assert chance_of_decision([0.3 - 0.2, 0.1], 5, level) == 1


def test_a_search_that_is_not_fine_yet_leaves_the_chance_open(known, outcome):
    clear = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, clear), "sigmoid": found(outcome, clear)}
    for id, comparisons in known.answers.items():
        names = {name for asked in comparisons for name in (asked.better, asked.worse)}
        coarse = {name: replace(arm, refined=name not in names) for name, arm in arms.items()}
        assert chance_of_verdict(known, coarse, id, 5) == 0.5


def test_seeds_behind_the_last_look_are_not_lost(known, outcome):
    six = [*BASE, 0.31]
    clear = [error + 0.03 + seed / 1000 for seed, error in enumerate(six)]
    arms = {"relu": found(outcome, six), "tanh": found(outcome, clear)}
    assert chance_of_verdict(known, arms, "pca-colour", 10) > 0.99


def test_the_time_of_a_fine_search_has_its_two_more_trials(known, monkeypatch):
    kept = Finished("", [])
    kept.lines = [{"num_train": known.num_train, "outcome": {"seconds": 10.0, "epochs": 1.0}}]
    seconds = [next_step(replace(known, fine=fine), {}, kept, "init").seconds for fine in (False, True)]
    assert seconds == [2 * (3 + 5) * 10, 2 * (3 + 2 + 5) * 10]


def test_before_the_first_trial_a_claim_that_cannot_be_decided_comes_last(known):
    limited = replace(known, limits={"pca-colour": "more images"})
    order = steps({"tiny": (limited, Finished("", []))}, ["pca-colour", "init"])
    assert [(step.id, step.worth) for step in order] == [("init", 0), ("pca-colour", 0)]


def test_a_lost_seed_or_a_factor_that_is_near_leaves_no_chance(known, outcome):
    clear = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, clear)}
    assert chance_of_verdict(known, arms, "pca-colour", 10) > 0.99
    assert chance_of_verdict(known, arms, "pca-colour", 5) == 1  # no seed is missing, and it is decided
    arms["tanh"].runs[2] = outcome(math.inf)
    assert chance_of_verdict(known, arms, "pca-colour", 10) == 0
    arms["tanh"] = found(outcome, [])
    assert chance_of_verdict(known, arms, "pca-colour", 5) == 0.5
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    race = replace(known, answers={"relu-speed": (asked,)}, stop_error=0.25, fit=None)
    arms = {"relu": raced(outcome, [2.0] * 5), "tanh": raced(outcome, NEAR)}  # 5.4 to 5.5 times
    assert chance_of_verdict(replace(race, figures={"relu-speed": 6}), arms, "relu-speed", 10) < 0.8
    assert chance_of_verdict(replace(race, figures={"relu-speed": 5}), arms, "relu-speed", 10) > 0.3
    arms["tanh"] = raced(outcome, [12.0, 12.1, 12.05, 11.95, 12.0])
    assert chance_of_verdict(replace(race, figures={"relu-speed": 5}), arms, "relu-speed", 10) > 0.99


def test_the_chance_is_at_the_level_that_all_comparisons_share(known, outcome):
    noisy = [error + gain for error, gain in zip(BASE, (0.02, -0.005, 0.01, 0.03, 0.005), strict=True)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, noisy)}
    asked = known.answers["pca-colour"]
    alone = replace(known, answers={"pca-colour": asked})
    others = tuple(replace(asked[0], measure=measure) for measure in ("loss", "train_error", "train_loss"))
    shared = replace(known, answers={"pca-colour": asked, "init": others})
    chances = [chance_of_verdict(each, arms, "pca-colour", 10) for each in (alone, shared)]
    effects = [other - base for other, base in zip(noisy, BASE, strict=True)]
    assert chances == [chance_of_decision(effects, 10, LOOK_LEVEL / n) for n in (1, 4)]
    assert 0.1 < chances[1] < chances[0] - 0.1 < 0.9


def test_a_factor_is_told_from_the_nearest_end_of_those_that_round_to_it():
    for factor, end in ((5.7, 5.5), (6.4, 6.5), (9.0, 6.5), (2.0, 5.5)):
        assert from_nearest_end([math.log(factor)], 6) == [math.log(factor) - math.log(end)]


def test_an_experiment_behind_one_that_has_an_answer_is_left_alone(known, outcome, monkeypatch):
    """The ledger shows the first answer, so that more trials of the second would change nothing."""
    has = {"first": {}, "second": {name: found(outcome, BASE[:2]) for name in ("relu", "tanh", "sigmoid")}}
    both = {name: replace(known, name=name) for name in has}
    monkeypatch.setattr("alexnet.experiments.sharpen.find_arms", lambda experiment, _: has[experiment.name])
    finished = {name: (both[name], Finished("", [])) for name in has}
    assert [step.experiment.name for step in steps(finished, ["init"])] == ["first", "second"]
    has["first"] = has["second"]
    assert [step.experiment.name for step in steps(finished, ["init"])] == ["first"]


def test_what_an_experiment_lacks_by_design_hides_no_other_reason(known, outcome):
    limited = replace(known, limits={"init": "more images"})
    arms = {name: found(outcome, BASE) for name in ("relu", "sigmoid")}
    told = answer(limited, arms, "init")
    assert told is not None and told.lacking == [UNDECIDED, "more images"]
    arms["sigmoid"] = found(outcome, [error + 0.05 + seed / 1000 for seed, error in enumerate(BASE)])
    told = answer(limited, arms, "init")
    assert told is not None and (told.lacking, told.verdict) == (["more images"], "inconclusive")


@pytest.mark.slow
@pytest.mark.usefixtures("guesses_count")
def test_the_command_measures_within_its_budget_and_goes_on(tiny_set, tmp_path, monkeypatch, capsys):
    small = EXPERIMENTS["four-layer-lrn"]
    arms = {
        name: replace(
            arm, net=replace(arm.net, channels=(4, 4, 4)), learning=replace(arm.learning, epochs=0.5)
        )
        for name, arm in small.arms.items()
    }
    asked = {"lrn-cifar": (Comparison(better="lrn", worse="constant"),)}
    small = replace(small, arms=arms, num_train=100, answers=asked)
    monkeypatch.setattr("alexnet.experiments.EXPERIMENTS", {small.name: small})
    monkeypatch.setattr(data, "load", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    words = ["claims", "run", "lrn-cifar", "--jobs", "1", "--device", "cpu", "--trials", str(tmp_path)]
    assert main([*words, "--budget", "0s"]) == 0
    printed = capsys.readouterr().out
    assert "lrn-cifar: lrn, constant, 5 seeds (no verdict is expected of them)" in printed  # see its limits
    assert "the budget is used up" in printed
    monkeypatch.setattr("alexnet.experiments.sharpen.LOOKS", (5,))
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.count("lrn-cifar: inconclusive, ") == 1  # of its one step
    assert "100 training images of at least 10,000" in printed
    assert "nothing is left to train" in printed
    count = len((tmp_path / "four-layer-lrn.jsonl").read_text().splitlines())
    full = SimpleNamespace(command="a full training")
    monkeypatch.setattr("alexnet.experiments.evidence.finding", lambda id: full)
    assert count >= 16 and main(words) == 0
    printed = capsys.readouterr().out
    assert "lrn-cifar: inconclusive, " in printed and "; settled by `a full training`\nnothing is" in printed
    assert len((tmp_path / "four-layer-lrn.jsonl").read_text().splitlines()) == count


def test_a_claim_whose_trials_are_too_long_keeps_none_from_its_turn(
    known, tiny_set, tmp_path, monkeypatch, capsys
):
    asked = []
    monkeypatch.setattr("alexnet.experiments.EXPERIMENTS", {known.name: known})
    monkeypatch.setattr(data, "load", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(campaign, "run_campaign", lambda *_, arms=(), seeds=(): asked.append(arms))
    words = ["claims", "run", "--jobs", "1", "--device", "cpu", "--trials", str(tmp_path), "--budget", "2h"]
    assert main(words) == 0
    assert asked == [("relu", "tanh"), ("relu", "sigmoid")]
    assert "what is left would end after the budget" in capsys.readouterr().out


def test_a_step_that_changes_nothing_is_not_repeated(known, tiny_set, tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("alexnet.experiments.EXPERIMENTS", {known.name: known})
    monkeypatch.setattr(data, "load", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(campaign, "run_campaign", lambda *_, arms=(), seeds=(): asked.append(arms) or True)
    words = ["claims", "run", "--jobs", "1", "--device", "cpu", "--trials", str(tmp_path)]
    assert main(words) == 0
    assert asked == [("relu", "tanh"), ("relu", "sigmoid"), ()]  # at last all arms
    asked.clear()
    assert main([*words, "pca-colour"]) == 0 and () not in asked
    assert "nothing is left to train" in capsys.readouterr().out


def test_the_next_claim_has_what_is_left_of_the_budget(known, tiny_set, tmp_path, monkeypatch, capsys):
    """Each gets the seeds of its step, and the trials of the package count."""
    clock, asked, opened, open_finished = [0.0], [], [], campaign.open_finished

    def open_it(*args, **options):
        opened.append(options)
        return open_finished(*args, **options)

    def take_an_hour(experiment, dataset, finished, how, *, arms=(), seeds=()):
        asked.append((how.budget, arms, seeds))
        clock[0] += 3600
        return False

    monkeypatch.setattr("alexnet.experiments.EXPERIMENTS", {known.name: known})
    monkeypatch.setattr("alexnet.experiments.sharpen.LOOKS", (7,))
    monkeypatch.setattr(data, "load", lambda name: tiny_set)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(claims.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(campaign, "run_campaign", take_an_hour)
    monkeypatch.setattr(campaign, "open_finished", open_it)
    words = ["claims", "run", "--jobs", "1", "--device", "cpu", "--trials", str(tmp_path), "--budget", "2h"]
    assert main(words) == 0
    seven = tuple(range(7))
    assert asked == [(7200, ("relu", "tanh"), seven), (3600, ("relu", "sigmoid"), seven)]
    assert opened == [{"with_shipped": True}]
    assert capsys.readouterr().out.endswith("\nthe budget is used up\n")


def test_a_claim_that_no_experiment_answers_is_refused(capsys):
    assert main(["claims", "run", "params"]) == 2
    refusal = capsys.readouterr().err
    assert "params is found by `alexnet claims params`; `alexnet claims run` measures aug-needed, " in refusal
    for option, value in (("--budget", "1h"), ("--jobs", "1"), ("--trials", "x"), ("--device", "cuda")):
        assert main(["claims", "params", option, value]) == 2
        assert "--budget, --jobs, --trials and --device go with run" in capsys.readouterr().err
    assert main(["claims", "run", "relu-sped"]) == 2
    assert "did you mean 'relu-speed'" in capsys.readouterr().err


def test_a_claim_of_several_parts_needs_all_of_them(known, outcome):
    pairs = tuple(Comparison(better="relu", worse=worse) for worse in ("tanh", "sigmoid"))
    several = replace(known, answers={"remove-layer": pairs})
    worse, same = [e + 0.03 + i / 1000 for i, e in enumerate(BASE)], [0.30, 0.32, 0.28, 0.31, 0.31]
    better = [e - 0.03 - i / 1000 for i, e in enumerate(BASE)]
    for other, verdict in ((worse, "supported"), (same, "inconclusive"), (better, "contradicted")):
        arms = {
            "relu": found(outcome, BASE),
            "tanh": found(outcome, worse),
            "sigmoid": found(outcome, other),
        }
        told = answer(several, arms, "remove-layer")
        assert told is not None and told.verdict == verdict and told.shown.count("points of test error") == 2
    step = next_step(several, arms | {"sigmoid": found(outcome, same)}, Finished("", []), "remove-layer")
    assert step is not None and step.arms == ("relu", "tanh", "sigmoid") and step.seeds == tuple(range(10))


def test_effects_are_told_in_their_units(known, outcome):
    arms = {name: found(outcome, BASE) for name in ("relu", "tanh")}
    arms["tanh"].runs.update({seed: outcome(0.3, loss=1.25, losses=[2.0, 1.1]) for seed in range(5)})
    for measure, unit in (("loss", "+0.250 [+0.250, +0.250] nats of test loss"), ("course_loss", "+0.050 [")):
        asked = Comparison(better="relu", worse="tanh", measure=measure)
        told = answer(replace(known, answers={"init": (asked,)}), arms, "init")
        assert told is not None and unit in told.shown and "*tanh* against *relu*" in told.shown


def test_claims_are_not_judged_by_generated_images(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path))
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    assert main(["claims", "run", "lrn-cifar", "--trials", str(tmp_path)]) == 2
    assert "`alexnet data get cifar10` downloads it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mean", "p", "verdict"), [(0.0113, 0.033, "inconclusive"), (0.0159, 0.011, "supported")]
)
def test_a_verdict_needs_the_level_of_a_look(known, outcome, mean, p, verdict):
    alone = replace(known, answers={"pca-colour": known.answers["pca-colour"]})
    effects = [mean + apart for apart in (-0.01, -0.005, 0.0, 0.005, 0.01)]
    worse = [error + effect for error, effect in zip(BASE, effects, strict=True)]
    told = answer(alone, {"relu": found(outcome, BASE), "tanh": found(outcome, worse)}, "pca-colour")
    assert p_value(effects) == pytest.approx(p, abs=5e-4)
    assert told is not None and told.verdict == verdict
    assert told.lacking == [ONE_OF_MANY] * (verdict == "inconclusive")


def test_p_values_and_convergence_are_of_the_seeds_that_count(known, outcome):
    (asked,) = known.answers["pca-colour"]
    alone = replace(known, answers={"pca-colour": (asked,)}, fit=0.17)
    effects = [0.03 + seed / 1000 for seed in range(5)]
    worse = [error + effect for error, effect in zip(BASE, effects, strict=True)]
    arms = {"relu": found(outcome, [*BASE, 0.3, 0.3]), "tanh": found(outcome, [*worse, 0.1, 0.9])}
    assert corrected(alone, arms)[asked] == pytest.approx(p_value(effects), rel=1e-6)
    told = answer(alone, arms, "pca-colour")
    assert told is not None and told.verdict == "supported" and told.lacking == []


def test_an_arm_has_converged_whose_mean_training_error_is_low_enough(known, outcome):
    worse = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, worse)}
    lacking = {fit: answer(replace(known, fit=fit), arms, "pca-colour").lacking for fit in (0.17, 0.165)}
    assert lacking == {0.17: [], 0.165: ["the mean training error of tanh is above 16%"]}


def test_of_several_comparisons_one_that_chance_explains_is_named_first(known, outcome):
    pairs = tuple(Comparison(better="relu", worse=worse) for worse in ("tanh", "sigmoid"))
    several = replace(known, answers={"remove-layer": pairs})
    worse, same = [e + 0.03 + i / 1000 for i, e in enumerate(BASE)], [0.30, 0.32, 0.28, 0.31, 0.31]
    arms = {name: found(outcome, of) for name, of in (("relu", BASE), ("tanh", worse), ("sigmoid", same))}
    assert answer(several, arms, "remove-layer").lacking == [UNDECIDED]


def test_arms_that_train_as_long_are_compared_and_overfitting_is_more_than_a_gap():
    parts = EXPERIMENTS["parts"]
    of_unequal_length = []
    for id, comparisons in parts.answers.items():
        for asked in comparisons:
            arms = [parts.arms[name] for name in (asked.better, asked.worse)]
            lengths = {arm.learning.epochs * arm.part for arm in arms}  # in steps
            of_unequal_length += [(id, asked.better)] * (len(lengths) > 1)
    assert of_unequal_length == [("depth-data", "long")] * 2  # longer training, and half the images fitted
    assert parts.answers["pool-overfit"] == parts.answers["pool-accuracy"][1:]  # where both fit every image
    for id in ("aug-needed", "dropout-overfit"):
        assert [asked.measure for asked in parts.answers[id]] == ["gap", "error"]
        assert len({(asked.better, asked.worse) for asked in parts.answers[id]}) == 1


def test_the_papers_figure_is_said_to_lie_inside_the_interval_or_outside(known, outcome):
    worse = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]  # 3.2 points more
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, worse), "sigmoid": found(outcome, BASE)}
    pairs = tuple(Comparison(better="relu", worse=worse) for worse in ("tanh", "sigmoid"))
    both = known.answers | {"remove-layer": pairs}
    shown = {}
    for figure in (0.032, 0.04):
        asked = replace(known, answers=both, figures={"pca-colour": figure, "remove-layer": figure})
        shown[figure] = [answer(asked, arms, id).shown for id in ("pca-colour", "remove-layer")]
    assert shown[0.032][0].endswith("against *relu*; the paper's 3.2 points lie inside the interval")
    assert shown[0.032][1].endswith("; the paper's 3.2 points lie inside 1 of the 2 intervals")
    assert shown[0.04][0].endswith("; the paper's 4 points lie outside the interval")
    assert shown[0.04][1].endswith("; the paper's 4 points lie inside none of the 2 intervals")
    asked = replace(known, figures={"pca-colour": 0.01})
    assert answer(asked, arms, "pca-colour").shown.endswith("; the paper's 1 point lies outside the interval")


SIX, FOUR, NEAR = [14.7, 14.1, 14.5, 14.9, 14.3], [9.5, 9.6, 9.4, 9.7, 9.3], [13.2, 13.0, 13.1, 13.3, 12.9]
ABOUT = [13.0, 16.2, 14.5, 15.9, 13.2]
LESS, WIDE = [3.4, 3.5, 3.6, 3.5, 3.5], [2.0, 30.0, 1.5, 25.0, 2.5]


def raced(outcome, ends, *, slower=20):
    """An arm of a race whose seeds reach 25% half an epoch after the ends, or so many times as late."""
    arm = found(outcome, [0.3] * len(ends))
    for seed, end in enumerate(ends):
        last = (end + 0.5) * slower - 0.5
        errors = [0.9 - 0.65 * n / last for n in range(40 * slower)]
        arm.runs[seed] = replace(arm.runs[seed], errors=errors)
    return arm


@pytest.mark.parametrize(
    ("setups", "verdict"),
    [
        ([SIX], "supported"),
        ([NEAR], "inconclusive"),  # 5.4 to 5.5 times: some of it rounds to six
        ([ABOUT], "inconclusive"),  # the mean is six, and the interval wider than what rounds to it
        ([[5.0, 7.4, 9.8, 14.7, 22.0]], "inconclusive"),
        ([FOUR], "another"),  # longer, but not six times
        ([[30.0, 31.0, 29.0, 30.0, 30.0]], "another"),
        ([WIDE], "inconclusive"),
        ([FOUR, LESS], "another"),
        ([SIX, LESS], "supported"),  # the paper says it of one network
        ([WIDE, LESS], "inconclusive"),
        ([SIX, [2.0] * 5], "supported"),  # one setup has the factor, the other is decided: no longer at all
        ([SIX, ABOUT], "inconclusive"),
        ([[9.5, 11.5, 13.0, 8.5, 10.0]], "inconclusive"),  # 3.6 to 5.3 times, before the correction
    ],
)
def test_a_claim_that_gives_a_factor_is_judged_by_the_factor(known, outcome, setups, verdict):
    pairs = [Comparison(better="relu", worse=name, measure="epochs") for name in ("tanh", "sigmoid")]
    race = replace(
        known,
        answers={"relu-speed": tuple(pairs[: len(setups)])},
        figures={"relu-speed": 6},
        stop_error=0.25,
        fit=None,
    )
    arms = {name: raced(outcome, ends) for name, ends in zip(("tanh", "sigmoid"), setups, strict=False)}
    told = answer(race, arms | {"relu": raced(outcome, [2.0] * 5)}, "relu-speed")
    assert (
        told is not None
        and told.verdict == ("supported" if verdict == "supported" else "inconclusive")
        and "factors that round to the paper's 6 times (5.5 to 6.5)" in told.shown
    )
    # The paper does not name its network, so that those of the book cannot contradict it.
    lacking = {
        "supported": [],
        "inconclusive": [FACTOR_UNDECIDED],
        "another": [OTHER_FACTOR],
    }
    assert told.lacking == lacking[verdict]


def test_a_race_is_judged_only_where_its_verdict_does_not_depend_on_when_an_error_is_dated(known, outcome):
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    race = replace(
        known, answers={"relu-speed": (asked,)}, figures={"relu-speed": 6}, stop_error=0.25, fit=None
    )
    for slower, lacking in ((1, [DATED]), (20, [])):  # 6.0 times by the middles, by the ends 5.2, or 6.0
        arms = {
            name: raced(outcome, ends, slower=slower) for name, ends in (("tanh", SIX), ("relu", [2.0] * 5))
        }
        told = answer(race, arms, "relu-speed")
        assert told is not None and told.lacking == lacking
    assert told.shown.endswith(
        "with errors dated at the ends of their epochs, not the middles: 5.95 [5.80, 6.11]"
    )
    twice = replace(race, figures={}, answers={"relu-several": (replace(asked, factor=5.6),)})
    for slower, lacking in ((1, [DATED]), (20, [])):
        arms = {
            name: raced(outcome, ends, slower=slower) for name, ends in (("tanh", SIX), ("relu", [2.0] * 5))
        }
        told = answer(twice, arms, "relu-several")
        assert told is not None and told.lacking == lacking
        assert told.verdict == ("supported" if not lacking else "inconclusive")


S, C, OPEN = "supported", "contradicted", "inconclusive"


@pytest.mark.parametrize(
    ("middle", "end", "figure", "lacking", "beyond"),
    [
        (S, S, 6, [], False),
        (S, OPEN, 6, [FACTOR_UNDECIDED], False),
        (OPEN, S, 6, [FACTOR_UNDECIDED], False),
        (C, OPEN, 6, [FACTOR_UNDECIDED], False),
        (OPEN, C, 6, [FACTOR_UNDECIDED], False),
        (S, C, 6, [DATED], True),
        (C, S, 6, [DATED], True),
        (C, C, 6, [OTHER_FACTOR], True),
        (S, S, None, [], False),
        (C, C, None, [], False),
        (S, C, None, [DATED], True),
        (S, OPEN, None, [ONE_OF_MANY], False),
    ],
)
def test_what_the_two_datings_of_a_race_say_together(
    known, outcome, monkeypatch, middle, end, figure, lacking, beyond
):
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    race = replace(known, answers={"relu-speed": (asked,)}, stop_error=0.25, fit=None)
    race = replace(race, figures={"relu-speed": figure} if figure else {})
    arms = {"tanh": raced(outcome, SIX), "relu": raced(outcome, [2.0] * 5)}
    monkeypatch.setattr(answers, "judge_together", lambda *_, late=0.0: end if late else middle)
    told = answer(race, arms, "relu-speed")
    assert told is not None and told.lacking == lacking
    assert told.verdict == (middle if middle == end and not lacking else OPEN)
    assert answers.is_beyond_seeds(race, arms, "relu-speed") == beyond
    assert not answers.is_beyond_seeds(known, arms, "pca-colour")  # no race
    kept = Finished("", [])
    if told.verdict == OPEN:
        assert (next_step(race, arms, kept, "relu-speed") is None) == beyond
    if beyond:
        assert chance_of_verdict(race, arms, "relu-speed", 10) == 0


def test_p_values_of_a_race_are_those_of_its_dating(known, outcome):
    asked = Comparison(better="relu", worse="tanh", measure="epochs", factor=5.0)
    race = replace(known, answers={"relu-several": (asked,)}, stop_error=0.25, fit=None)
    arms = {"tanh": raced(outcome, SIX, slower=1), "relu": raced(outcome, [2.0] * 5, slower=1)}
    for late in (0.0, 0.5):
        logs = [math.log((end + 0.5 + late) / (2.5 + late) / 5) for end in SIX]
        assert corrected(race, arms, late=late)[asked] == pytest.approx(p_value(logs), rel=1e-6)


def test_a_mean_whose_side_depends_on_its_dating_promises_no_verdict(known, outcome):
    asked = Comparison(better="relu", worse="tanh", measure="epochs", factor=5.6)
    race = replace(known, answers={"relu-several": (asked,)}, stop_error=0.25, fit=None)
    for slower, some in ((1, False), (20, True)):  # 6.0 times, by the ends 5.2, or 6.0 too
        arms = {"tanh": raced(outcome, SIX, slower=slower), "relu": raced(outcome, [2.0] * 5, slower=slower)}
        assert (chance_of_verdict(race, arms, "relu-several", 10) > 0) == some
        figured = replace(race, figures={"relu-several": 6})
        assert (chance_of_verdict(figured, arms, "relu-several", 10) > 0) == some


def test_the_basis_names_arms_of_which_one_learning_rate_fits(known, outcome):
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, BASE)}
    fits, does_not = (0.3, 1.0), (math.inf, 1.0)
    arms["relu"] = replace(arms["relu"], scores={0.01: fits, 0.0316: does_not})
    arms["tanh"] = replace(arms["tanh"], scores={0.01: fits, 0.0316: fits})
    basis = answer(replace(known, fit=0.1), arms, "pca-colour").basis
    assert "the best of those tried at which it fits its images (there is but one for relu);" in basis
    arms["relu"] = replace(arms["relu"], scores={0.01: does_not})
    assert "there is but one" not in answer(replace(known, fit=0.1), arms, "pca-colour").basis


def test_the_goal_of_a_step_is_the_look_of_the_highest_chance_a_second(known, outcome, monkeypatch):
    kept = Finished("", [])
    kept.lines = [{"num_train": known.num_train, "outcome": {"seconds": 10.0, "epochs": 1.0}}]
    chances = {5: 0.1, 10: 0.4, 20: 0.5}  # of 2, 12 and 32 trials
    monkeypatch.setattr("alexnet.experiments.sharpen.chance_of_verdict", lambda *given: chances[given[-1]])
    arms = {name: found(outcome, BASE[:4]) for name in ("relu", "tanh")}
    step = next_step(known, arms, kept, "pca-colour")
    assert step is not None and (step.goal, step.goal_chance) == (5, 0.1)
    assert claims.announced(step).endswith("5 seeds (chance of a verdict about 10%)")


def test_the_line_of_a_claim_that_nothing_is_trained_for_is_that_of_the_first_experiment_with_an_answer(
    known, outcome, monkeypatch
):
    monkeypatch.setattr("alexnet.experiments.search.find_arms", lambda _, finished: finished)
    full = SimpleNamespace(command="python data/recipes/all.py")
    monkeypatch.setattr("alexnet.experiments.evidence.finding", lambda id: full)
    near, far = (
        {"relu": found(outcome, BASE), "tanh": found(outcome, [error + by for error in BASE])}
        for by in (0.1, 0.2)
    )
    line = claims.untouched({"a": (known, {}), "b": (known, far), "c": (known, near)}, "pca-colour")
    assert "+20.0 [+20.0, +20.0] points" in line and "settled by" not in line
    limited = replace(known, limits={"pca-colour": "all images"})
    line = claims.untouched({"a": (limited, far)}, "pca-colour")
    place = "the folder data/recipes is that of a clone of the project"
    assert line.endswith(f"lacks all images; settled by `python data/recipes/all.py` ({place})")
    full.command = "alexnet claims run pca-colour"
    assert "settled by" not in claims.untouched({"a": (limited, far)}, "pca-colour")


def test_no_seeds_are_promised_a_factor_that_no_setup_has(known, outcome):
    race = Comparison(better="relu", worse="tanh", measure="epochs")
    race = replace(
        known, answers={"relu-speed": (race,)}, figures={"relu-speed": 6}, stop_error=0.25, fit=None
    )
    relu = raced(outcome, [2.0] * 5)
    assert chance_of_verdict(race, {"relu": relu, "tanh": raced(outcome, FOUR)}, "relu-speed", 10) == 0
    assert chance_of_verdict(race, {"relu": relu, "tanh": raced(outcome, ABOUT)}, "relu-speed", 20) > 0
    assert chance_of_verdict(race, {"relu": relu}, "relu-speed", 5) > 0
    kept = Finished("", [])
    assert next_step(race, {"relu": relu, "tanh": raced(outcome, FOUR)}, kept, "relu-speed") is None
    assert next_step(race, {"relu": relu, "tanh": raced(outcome, ABOUT)}, kept, "relu-speed") is not None


def test_networks_that_have_fitted_every_image_are_not_judged_by_their_training_error(known, outcome):
    asked = Comparison(better="relu", worse="tanh", measure="train_error")
    fitting = replace(known, answers={"weight-decay": (asked,)}, fit=None)
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, BASE)}
    for seed, run in arms["relu"].runs.items():
        arms["relu"].runs[seed] = replace(run, train_error=0.02)
        arms["tanh"].runs[seed] = replace(run, train_error=0.05 + seed / 1000)
    assert answer(fitting, arms, "weight-decay").verdict == "supported"
    for seed, run in arms["relu"].runs.items():
        arms["relu"].runs[seed] = replace(run, train_error=0.001)
    told = answer(fitting, arms, "weight-decay")
    assert told.verdict == "inconclusive" and told.lacking[0].startswith("training images that relu has not")


def test_a_size_that_the_rule_of_fitting_decides_is_not_compared_with_the_papers(known, outcome):
    figured = replace(known, figures={"pca-colour": 0.01})
    near = [error + 0.01 + seed / 1000 for seed, error in enumerate(BASE, -2)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, near)}
    assert "inside the interval" in answer(figured, arms, "pca-colour").shown
    both = (Comparison(better="relu", worse=name, control=name == "sigmoid") for name in ("tanh", "sigmoid"))
    controlled = replace(figured, answers={"pca-colour": tuple(both)})
    far = {"sigmoid": found(outcome, [error + 0.2 for error in near])}
    assert (
        "the paper's 1 point lies inside the interval" in answer(controlled, arms | far, "pca-colour").shown
    )
    arms["tanh"] = replace(arms["tanh"], lower_unfitted=0.003)
    shown = answer(figured, arms, "pca-colour").shown
    assert "; not compared with the paper's 1 point, as the rule of fitting decides" in shown


def test_after_the_last_look_no_more_seeds_are_asked_for(known, outcome):
    noisy = [0.3 + (-1) ** seed * 0.05 for seed in range(20)]
    for count, lacking in ((10, UNDECIDED), (20, EXHAUSTED)):
        arms = {"relu": found(outcome, [0.3] * count), "tanh": found(outcome, noisy[:count])}
        assert answer(known, arms, "pca-colour").lacking == [lacking]
    assert next_step(known, arms, Finished("", []), "pca-colour") is None
    asked = Comparison(better="relu", worse="tanh", measure="epochs")
    race = replace(
        known, answers={"relu-speed": (asked,)}, figures={"relu-speed": 6}, stop_error=0.25, fit=None
    )
    for count, lacking in ((10, FACTOR_UNDECIDED), (20, EXHAUSTED)):
        ends = [12.0, 14.5] * (count // 2)  # about 5.5 times, where six begins
        arms = {"relu": raced(outcome, [2.0] * count), "tanh": raced(outcome, ends)}
        assert answer(race, arms, "relu-speed").lacking == [lacking]


def test_a_factor_is_corrected_for_all_comparisons_made_together(known, outcome):
    race = Comparison(better="relu", worse="tanh", measure="epochs")
    alone = replace(
        known, answers={"relu-speed": (race,)}, figures={"relu-speed": 6}, stop_error=0.25, fit=None
    )
    arms = {"relu": raced(outcome, [2.0] * 5), "tanh": raced(outcome, [9.0, 10.5, 9.5, 9.9, 9.1])}
    assert answer(alone, arms, "relu-speed").lacking == [OTHER_FACTOR]
    others = tuple(replace(race, factor=1.1 + n / 100) for n in range(60))
    many = replace(alone, answers=alone.answers | {"relu-several": others})
    assert FACTOR_UNDECIDED in answer(many, arms, "relu-speed").lacking


def test_what_the_experiments_of_the_book_compare_with():
    """Figures that the paper prints, and what cannot be decided."""
    shown = {id: figure for known in EXPERIMENTS.values() for id, figure in known.figures.items()}
    assert shown == {
        "relu-speed": 6,
        "dropout-iterations": 2,
        "lrn-cifar": 0.02,
        "remove-layer": 0.02,
        "two-gpu-accuracy": 0.017,
        "lrn-accuracy": 0.014,
        "pool-accuracy": 0.004,
        "pca-colour": 0.01,
    }
    assert list(EXPERIMENTS["parts"].limits) == ["weight-decay"]
    assert not EXPERIMENTS["conv-local"].limits
    assert list(EXPERIMENTS["four-layer-lrn"].limits) == ["lrn-cifar"]
    assert "160 times this one" in EXPERIMENTS["parts"].limits["weight-decay"]
    authors = f"{EXPERIMENTS['conv-local'].num_train:,} training images"
    assert authors in EXPERIMENTS["four-layer-lrn"].limits["lrn-cifar"]
    assert {name for name, known in EXPERIMENTS.items() if known.fine} == {
        "relu-speed",
        "dropout-speed",
        "dropout-convergence",
    }
    controls = {
        asked.worse
        for known in EXPERIMENTS.values()
        for asked in sum(known.answers.values(), ())
        if asked.control
    }
    assert controls == {"constant", "long-constant"}
    outlook = {(asked.better, asked.worse) for asked in EXPERIMENTS["parts"].answers["depth-data"]}
    pairs = {(name, "half-images") for name in ("base", "long")}
    assert outlook == pairs | {("long", "base"), ("base", "half"), ("long", "long-half")}
    answers = EXPERIMENTS["parts"].answers
    pair = {(asked.better, asked.worse) for asked in answers["pool-overfit"]}
    assert pair == {("long", "long-no-overlap")}  # where both fit every image
    for id in ("pool-accuracy", "lrn-accuracy", "remove-layer"):
        arms = {asked.worse for asked in answers[id]}
        assert arms == arms | {f"long-{arm}" for arm in arms if not arm.startswith("long-")}, id
        assert {asked.better for asked in answers[id]} == {"base", "long"}


def test_a_single_seed_is_no_finding(known, outcome):
    arms = {"relu": found(outcome, BASE[:1]), "tanh": found(outcome, [0.35])}
    assert answer(known, arms, "pca-colour") is None


def test_one_comparison_of_several_is_shown_before_the_others_have_seeds(known, outcome):
    pairs = tuple(Comparison(better="relu", worse=worse) for worse in ("tanh", "sigmoid"))
    several = replace(known, answers={"remove-layer": pairs})
    worse = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, worse)}
    told = answer(several, arms, "remove-layer")
    assert told is not None and told.verdict == "inconclusive" and "sigmoid" not in told.shown
    assert told.lacking == ["at least 5 seeds of *sigmoid* against *relu* (0 so far)"]
    assert told.basis.startswith("a tiny network, 10,000 training images of CIFAR-10, 5 seeds, ")
    gaps = tuple(Comparison(better="relu", worse="tanh", measure=name) for name in ("gap", "error"))
    few = {name: found(outcome, errors[:3]) for name, errors in (("relu", BASE), ("tanh", worse))}
    told = answer(replace(known, answers={"pool-overfit": gaps}), few, "pool-overfit")
    assert told is not None and told.lacking == ["at least 5 seeds of *tanh* against *relu* (3 so far)"]
    assert answer(several, {"relu": arms["relu"]}, "remove-layer") is None


def test_what_an_experiment_cannot_decide_stays_inconclusive_and_gets_no_more_seeds(known, outcome):
    worse = [error + 0.03 + seed / 1000 for seed, error in enumerate(BASE)]
    arms = {"relu": found(outcome, BASE), "tanh": found(outcome, worse)}
    limited = replace(known, limits={"pca-colour": "another regime"})
    told = answer(limited, arms, "pca-colour")
    assert told is not None and told.verdict == "inconclusive" and told.lacking == ["another regime"]
    assert next_step(limited, arms, Finished("", []), "pca-colour") is None
    few = {name: found(outcome, BASE[:3]) for name in arms}
    step = next_step(limited, few, Finished("", []), "pca-colour")
    assert step is not None and step.seeds == tuple(range(5))
