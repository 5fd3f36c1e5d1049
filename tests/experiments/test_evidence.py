"""The ledger: every claim has its evidence, and every verdict follows from it."""

import io
import json
import math
import re
import statistics
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from alexnet import lab_notes, paper, published
from alexnet.cli.main import main
from alexnet.config import from_dict
from alexnet.evaluation.kernels import Gap
from alexnet.experiments import EXPERIMENTS, answers, computed, evidence, intervals, towers
from alexnet.experiments.answers import LOOK_LEVEL, judge_once
from alexnet.experiments.arm_tables import package_arms
from alexnet.experiments.claims import CLAIMS, claim_by_id
from alexnet.experiments.evidence import EVIDENCE, answered, by_logs, finding, ledger
from alexnet.experiments.experiment import SEARCH_MARGIN
from alexnet.experiments.finding import ILSVRC, LOGS, VERDICTS, Finding, Source
from alexnet.experiments.finished import Finished
from alexnet.experiments.intervals import Interval, ratio_interval
from alexnet.experiments.search import SEARCH_SEED, Found
from alexnet.experiments.trial import Outcome
from alexnet.lab_notes import notes_address
from alexnet.optim import PaperSGD
from alexnet.recipes import CODE2012, PAPER
from alexnet.storage import records
from tools import ledger as page

BOOK = Path(__file__).resolve().parents[2] / "book"
IN_ORDER = """
params neurons neurons-per-layer layer-shapes input-224 conv-share remove-layer relu-speed relu-several
two-gpu-accuracy two-gpu-time gpu-connectivity lrn-formula lrn-accuracy lrn-cifar pool-accuracy pool-overfit
aug-factor aug-needed pca-colour aug-free ten-crop dropout-overfit dropout-iterations dropout-mean update-rule
weight-decay init lr-schedule train-time ilsvrc2010 ilsvrc2012 imagenet2009 kernels retrieval binary-codes
depth-data
"""  # of the paper read from the beginning to the end
IDS = IN_ORDER.split()


def test_every_claim_of_the_paper_has_its_evidence():
    assert [known.id for known in CLAIMS] == IDS == list(EVIDENCE) and len(IDS) == 37
    for known, found in ledger():
        assert found.verdict in VERDICTS
        assert (BOOK / f"{known.chapter}.ipynb").is_file()
        assert found.ours or found.lacking
        assert found.lacking or found.verdict != "inconclusive"


def test_what_can_be_computed_is_right():
    """The figures were worked out by hand from the paper's sizes."""
    expected = {
        "params": ("exact", "60,965,224"),
        "neurons": ("exact", "659,272"),
        "neurons-per-layer": ("contradicted", "290,400 · 186,624"),
        "layer-shapes": ("exact", "96 of 11×11×3, 256 of 5×5×48, 384 of 3×3×256, 384 of 3×3×192"),
        "input-224": ("contradicted", "54 without padding, 55 with"),
        "conv-share": ("contradicted", "up to 1.45% (conv3)"),
        "gpu-connectivity": ("exact", "groups of 1, 2, 1, 2, 2"),
        "aug-factor": ("contradicted", "2,178"),
        "lrn-formula": ("exact", "differs by rounding alone"),
        "update-rule": ("exact", "differs by rounding alone"),
        "dropout-mean": (
            "exact",
            "exact for one layer and a softmax; with a second layer of ReLUs 0.023 off",
        ),
    }
    for id, (verdict, ours) in expected.items():
        found = finding(id)
        assert found.verdict == verdict and found.ours.startswith(ours) and found.basis.startswith("computed")


def with_depth(name, depth):
    """The printed layers, one with kernels of another depth."""
    return tuple(
        replace(layer, kernel_shape=(*layer.kernel_shape[:2], depth)) if layer.name == name else layer
        for layer in paper.LAYERS
    )


@pytest.mark.parametrize(
    ("id", "module", "name", "wrong"),
    [
        ("lrn-formula", computed, "local_response_norm", lambda x: x / 2**0.75),
        ("dropout-mean", computed, "dropout_at_test", lambda x, p: x * 0.6),
        ("update-rule", computed, "PaperSGD", torch.optim.SGD),
        ("update-rule", computed, "PaperSGD", partial(PaperSGD, momentum=0.5)),
        ("params", computed.paper, "NUM_PARAMETERS", 50_000_000),
        ("params", computed.paper, "NUM_PARAMETERS", 70_000_000),
        ("neurons", computed.paper, "NUM_NEURONS", 640_000),
        ("neurons", computed.paper, "NUM_NEURONS", 680_000),
        ("aug-factor", computed.paper, "AUGMENTATION_FACTOR", 1024),
        ("gpu-connectivity", computed.paper, "LAYERS", with_depth("conv2", 40)),
        ("gpu-connectivity", computed.paper, "LAYERS", with_depth("conv3", 128)),
    ],
)
def test_what_is_wrong_is_contradicted(monkeypatch, id, module, name, wrong):
    monkeypatch.setattr(module, name, wrong)
    assert finding(id).verdict == "contradicted"


def test_what_the_authors_noted_agrees_with_what_they_printed():
    shown = {id: finding(id).ours for id in ("two-gpu-accuracy", "lrn-accuracy", "pool-accuracy", "ten-crop")}
    assert shown == {
        "two-gpu-accuracy": "1.70 and 1.23 points",
        "lrn-accuracy": "1.37 and 1.15 points",
        "pool-accuracy": "0.39 and 0.30 points",
        "ten-crop": "39.02% and 18.30%; 37.47% and 17.00%",
    }
    averages = "averaged networks on the test set, top-5: 16.42% of 5 and 15.32% of 7"
    assert finding("ilsvrc2012").ours == f"40.66% and 18.21%; 38.99% and 16.62%; {averages}"
    assert finding("lr-schedule").ours == "from 0.01, 3 times, at epochs 25, 51, 79 of 91"


RECORD = records.load("imagenette-retrieval")
EFFECT = Interval(0.02, 0.01, 0.03, 5)


def judged(effect=EFFECT, lacking=()):
    return evidence.measured(effect, "shown", RECORD, list(lacking)).verdict


def test_a_measurement_is_judged_by_its_interval_and_only_where_it_is_fit():
    assert judged() == "supported"
    assert judged(Interval(-0.02, -0.03, -0.01, 5)) == "contradicted"
    assert judged(Interval(0.02, -0.01, 0.03, 5)) == "inconclusive"
    assert judged(lacking=["seeds"]) == "inconclusive"


def test_a_measurement_without_a_verdict_says_what_it_lacks():
    unclear = Interval(0.02, -0.01, 0.03, 5)
    lacking = [evidence.measured(effect, "shown", RECORD, []).lacking for effect in (EFFECT, unclear)]
    assert lacking == ["", answers.UNDECIDED]
    assert evidence.measured(unclear, "shown", RECORD, ["more seeds"]).lacking == "more seeds"


def test_what_is_no_experiment_is_judged_at_the_level_of_a_look():
    """An interval of 95% that just excludes no effect is too little for a verdict."""
    barely, clear = Interval(0.02, 0.001, 0.039, 5), Interval(0.02, 0.01, 0.03, 5)
    assert (judge_once(barely), judge_once(clear)) == ("inconclusive", "supported")
    assert judge_once(clear, nothing=0.05) == "contradicted"
    ratios = ratio_interval([2.0, 2.1, 1.9, 2.05, 2.0], [1.0] * 5)
    assert judge_once(ratios, nothing=1.0, ratio=True) == "supported"
    assert judge_once(ratios, nothing=2.0, ratio=True) == "inconclusive"
    assert judge_once(ratios, nothing=3.0, ratio=True) == "contradicted"
    assert judge_once(ratio_interval([2.0], [1.0]), nothing=1.0, ratio=True) == "inconclusive"


def test_fractions_over_images_keep_their_intervals():
    a, b = {"mean": 0.7, "low": 0.67, "high": 0.73}, {"mean": 0.3, "low": 0.26, "high": 0.34}
    assert evidence.less(a, b) == pytest.approx({"mean": 0.4, "low": 0.35, "high": 0.45})
    half = evidence.bounded(0.5, 100)
    assert half == pytest.approx({"mean": 0.5, "low": 0.5 - 0.098, "high": 0.5 + 0.098})
    assert evidence.bounded(0.1, 100)["high"] == pytest.approx(0.1 + 1.96 * 0.03)


@pytest.mark.parametrize(
    ("device", "towers", "expected"),
    [
        ("cuda: one", [1.0, 1.1, 0.9], "supported"),
        ("cuda: one", [4.0, 4.1, 3.9], "contradicted"),
        ("cuda: one", [2.0, 2.1, 1.9], "inconclusive"),
        ("cpu: one", [1.0, 1.1, 0.9], "inconclusive"),
    ],
)
def test_the_time_of_two_gpus_is_judged_on_gpus_alone(monkeypatch, device, towers, expected):
    results = {"seconds": {"half network": [2.0, 2.05, 1.95], "two towers": towers}}
    timed = replace(RECORD, results=results, environment={"device": device})
    monkeypatch.setattr(evidence, "record", {"two-gpu-time": timed}.__getitem__)
    found = finding("two-gpu-time")
    rounds = evidence.MORE_ROUNDS if expected == "inconclusive" else ""
    assert found.verdict == expected
    assert found.lacking == ("two GPUs" if device.startswith("cpu") else rounds)
    assert float(found.ours.split()[0]) == pytest.approx(2 / towers[0], rel=0.02)


@pytest.mark.parametrize(
    "device, added, expected",
    [
        ("cuda: one", [0.0, 0.001, -0.001], "supported"),
        ("cuda: one", [0.05, 0.051, 0.049], "contradicted"),
        ("cuda: one", [0.01, 0.02, -0.01], "inconclusive"),
        ("cpu: one", [0.05, 0.051, 0.049], "inconclusive"),
    ],
)
def test_the_time_of_augmentation_is_judged_on_a_gpu_alone(monkeypatch, device, added, expected):
    results = {"seconds": {"with augmentation": [2 + 2 * x for x in added], "without": [2.0] * 3}}
    timed = replace(RECORD, results=results, environment={"device": device})
    monkeypatch.setattr(evidence, "record", {"augmentation-time": timed}.__getitem__)
    found = finding("aug-free")
    alone = "a GPU that trains while the CPU augments"
    lacking = {"cpu": alone, "inconclusive": "more rounds, since chance alone may explain the difference"}
    assert found.verdict == expected
    assert found.lacking == lacking.get(device[:3], lacking.get(expected, ""))
    assert float(found.ours.split()[3]) == pytest.approx(1 + added[0], abs=0.01)


def with_errors(errors, *, settled=True, failed=False, first=0):
    runs = {seed: make_outcome(error) for seed, error in enumerate(errors, first)}
    return Found(scores={0.01: (0.3, 1.0)}, settled=settled, failed=failed, rate=0.01, runs=runs)


def campaign_with(monkeypatch, base, other, **how):
    """Let the experiment "parts" have seeds of two arms with these errors, and no other experiment any."""
    arms = {"colour": with_errors(base, **how), "crops": with_errors(other, **how)}
    monkeypatch.setattr(evidence, "package_arms", lambda name: arms if name == "parts" else {})


def make_outcome(error):
    numbers = {"train_error": 0.1, "train_loss": 0.5, "error": error, "loss": 1.0}
    return Outcome(errors=[0.5], losses=[1.0], epochs=1.0, seconds=1.0, **numbers)


BASE, WORSE = [0.30, 0.31, 0.29, 0.30, 0.32], [0.33, 0.35, 0.32, 0.33, 0.36]


@pytest.mark.parametrize(
    ("base", "other", "settled", "verdict"),
    [
        (BASE, WORSE, True, "supported"),
        (WORSE, BASE, True, "contradicted"),
        (BASE, [0.30, 0.32, 0.28, 0.31, 0.31], True, "inconclusive"),
        (BASE, WORSE, False, "inconclusive"),  # the search for the rate goes on
        (BASE[:4], WORSE[:4], True, "inconclusive"),  # four seeds
    ],
)
def test_an_experiment_answers_by_its_trials(monkeypatch, base, other, settled, verdict):
    campaign_with(monkeypatch, base, other, settled=settled)
    found = finding("pca-colour")
    assert found.verdict == verdict and f"{len(base)} seeds" in found.basis
    anew = "alexnet experiment parts --arms colour crops"  # `claims run` leaves alone what is settled
    assert found.command == ("alexnet claims run pca-colour" if verdict == "inconclusive" else anew)
    assert bool(found.lacking) == (verdict == "inconclusive")
    assert ("chance alone" in found.lacking) == (verdict == "inconclusive" and settled and len(base) == 5)


def test_the_command_of_a_settled_claim_has_as_many_seeds_as_the_verdict_rests_on(monkeypatch):
    """Of comparisons that were settled at different looks it takes the later one."""
    twice = [error + 0.001 for error in BASE], [error + 0.001 for error in WORSE]
    ten, anew = "0 1 2 3 4 5 6 7 8 9", "alexnet experiment parts --arms colour crops"
    campaign_with(monkeypatch, BASE + twice[0], WORSE + twice[1])
    assert finding("pca-colour").command == f"{anew} --seeds {ten}"
    campaign_with(monkeypatch, BASE + twice[0][:1], WORSE + twice[1][:1])  # the sixth does not count
    assert finding("pca-colour").command == anew
    arms = {"base": BASE, "no-overlap": WORSE, "long": BASE + twice[0], "long-no-overlap": WORSE + twice[1]}
    known = {name: with_errors(errors) for name, errors in arms.items()}
    monkeypatch.setattr(evidence, "package_arms", lambda name: known if name == "parts" else {})
    assert " supported in a small AlexNet" in finding("pool-accuracy").basis
    anew = f"alexnet experiment parts --arms {' '.join(arms)}"
    assert finding("pool-accuracy").command == f"{anew} --seeds {ten}"


def test_an_arm_that_learns_at_no_learning_rate_gives_no_verdict(monkeypatch):
    campaign_with(monkeypatch, BASE, WORSE, settled=False, failed=True)
    found = finding("pca-colour")
    assert found.verdict == "inconclusive"
    assert found.lacking == "a learning rate at which colour and crops learn anything"


def test_before_an_experiment_has_seeds_its_command_is_named(monkeypatch):
    monkeypatch.setattr(evidence, "package_arms", lambda name: {})
    lacking = {
        "pca-colour": "colour, crops",
        "relu-speed": "2012/relu, 2012/tanh, scaled/relu, scaled/tanh",
        "dropout-iterations": "without, with-1.5, with-2.5, long-without, long-with-1.5, long-with-2.5",
    }
    for id, arms in lacking.items():
        found = finding(id)
        assert (found.verdict, found.ours) == ("inconclusive", "")
        assert found.lacking == f"5 seeds of {arms}"
        assert found.command == f"alexnet claims run {id}"
    assert finding("remove-layer").basis.startswith("Published top-1 errors, ")
    campaign_with(monkeypatch, BASE, WORSE[:1])  # a single seed in common
    assert finding("pca-colour").lacking == "5 seeds of crops"
    apart = {"colour": with_errors(BASE), "crops": with_errors(WORSE, first=5)}
    monkeypatch.setattr(evidence, "package_arms", lambda name: apart if name == "parts" else {})
    assert finding("pca-colour").lacking == "5 seeds that the arms have in common"
    failed = Found(scores={0.01: (math.inf, 1.0)}, settled=False, failed=True, rate=0.01, runs={})
    monkeypatch.setattr(evidence, "package_arms", lambda name: {"colour": failed})
    assert finding("pca-colour").lacking == "a learning rate at which colour learns anything"


def test_a_claim_of_two_experiments_is_answered_by_the_better_one_that_has_trials(monkeypatch):
    """The authors' own networks decide; until they are trained, a smaller one shows its effect."""
    small = {"lrn": BASE, "none": WORSE, "constant": WORSE, "lrn-11pct": BASE}
    campaigns = {"four-layer-lrn": {name: with_errors(errors) for name, errors in small.items()}}
    monkeypatch.setattr(evidence, "package_arms", lambda name: campaigns.get(name, {}))
    found = finding("lrn-cifar")
    assert found.verdict == "inconclusive" and found.lacking.startswith("the authors' networks")
    assert found.ours.count("+3.4 [") == 3 and "*constant* against *lrn*" in found.ours
    campaigns["conv-local"] = {"11pct": with_errors(BASE), "13pct": with_errors(WORSE)}
    found = finding("lrn-cifar")
    assert found.verdict == "supported" and not found.lacking
    assert found.ours.startswith("+3.4 [") and "*13pct* against *11pct*" in found.ours
    beside = found.basis.partition(". The experiment four-layer-lrn beside it: ")[2]
    assert beside.startswith("+3.4 [") and ", lacks the authors' networks" in beside


def test_the_command_of_a_claim_that_an_experiment_cannot_decide_is_of_something_that_can():
    for known in EXPERIMENTS.values():
        for id in known.limits:
            others = [other for other in evidence.experiments_for(id) if id not in other.limits]
            assert others or id in evidence.FULL_SCALE, id
            assert finding(id).command == evidence.FULL_SCALE.get(id, f"alexnet claims run {id}")
    command = evidence.FULL_SCALE["weight-decay"]
    assert "--seed $seed " in command and "--split train;" in command  # the claim is on the training error
    assert "for recipe in code2012 data/recipes/no-weight-decay.json;" in command
    recipe = json.loads((BOOK.parent / "data" / "recipes" / "no-weight-decay.json").read_bytes())
    paper = replace(CODE2012, name="no-weight-decay", learning=replace(CODE2012.learning, weight_decay=0.0))
    assert from_dict(recipe) == paper


def test_every_claim_has_a_command():
    for claim, found in ledger():
        assert found.command.startswith(("alexnet ", "python ", "for seed in ")), claim.id
    scripts = [found.command.split()[2] for _, found in ledger() if found.command.startswith("python -m ")]
    assert len(scripts) == 3 and all(
        (BOOK.parent / f"{name.replace('.', '/')}.py").exists() for name in scripts
    )


def test_what_others_have_published_stands_beside_the_paper():
    shown = finding("ilsvrc2012").basis
    assert "10 crops: 40.5% and 18.1%; cuda-convnet2 (2014), one tower, other layers, 1 crop: " in shown
    assert "42.55% and 19.81%; 10 crops: 40.42% and 18.15%; Caffe" in shown  # what is the same is said once
    assert "10 crops: 45.4%; without fc7" in finding("remove-layer").basis
    assert "third normalisation" in finding("lrn-accuracy").basis
    # MiB of state, of what the backward pass reads, and of gradients of outputs: 349 + 521 + 308 of 3,072
    assert finding("train-time").ours == "a tower with a batch of 128 needs 1.1 of 3 GiB"
    # 418 parts of 8.4 seconds, 90 times: 87.8 hours
    assert "90 epochs in 3.7 days" in finding("train-time").basis


def test_what_the_authors_or_others_have_noted_has_its_address():
    for claim, found in ledger():
        if found.verdict in (LOGS, ILSVRC) or "Published" in found.basis:
            assert found.sources, claim.id
        assert len({source.name for source in found.sources}) == len(set(found.sources)), claim.id
    known = finding("two-gpu-accuracy").sources
    half = "/layers/layer-params-145-half.cfg#L90-L100"
    assert known[0].name == "notes of #145-half, lines 90-100" and known[0].address.endswith(half)
    assert len(known) == 2 and known[1].address.endswith("/layers/layer-params-145-2010.cfg#L177-L178")
    names = [source.name for source in finding("ilsvrc2012").sources]
    assert (
        names[0] == "notes of #145, line 182" and names[2] == "results of the contest" and len(names) == 3 + 4
    )
    assert finding("remove-layer").sources == (Source("Zeiler & Fergus (2014), table 3", published.ZEILER),)


def test_torchvisions_network_has_the_errors_that_torchvision_states():
    from torchvision.models import AlexNet_Weights

    (ours,) = [known for known in published.OTHERS if known.network.startswith("torchvision")]
    scores = AlexNet_Weights.IMAGENET1K_V1.meta["_metrics"]["ImageNet-1K"]
    assert (ours.top1, ours.top5) == pytest.approx((1 - scores["acc@1"] / 100, 1 - scores["acc@5"] / 100))


def test_ten_crops_of_small_networks_stand_beside_the_authors(monkeypatch):
    known = finding("ten-crop")
    assert known.verdict == "from the authors' logs"
    shown = re.search(
        r"; supported in small networks: \+(\S+) \[.* of top-1 error; the paper's 1.5", known.basis
    )
    runs = records.load("imagenette-answers").results["seeds"]
    gains = [run["centre"]["top1"] - run["ten_crops"]["top1"] for run in runs]
    assert float(shown[1]) == round(100 * statistics.fmean(gains), 1)
    whole = records.load("imagenette-answers")
    few = replace(whole, results=whole.results | {"seeds": runs[:4]})
    monkeypatch.setattr(evidence, "record", lambda name: few)
    assert "; inconclusive in small networks: " in finding("ten-crop").basis


def test_what_no_source_of_ours_contains_is_named():
    assert "the best before are those of Sánchez & Perronnin (2011), as" in finding("ilsvrc2010").basis
    assert "averages' validation errors" in finding("ilsvrc2012").lacking


def test_the_gain_of_averaging_small_networks_is_that_of_ten_crops():
    small = records.load("imagenette-answers").results
    alone = statistics.fmean(run["ten_crops"]["top1"] for run in small["seeds"])
    gain = 100 * (alone - small["average"]["ten_crops"]["top1"])
    assert f"; 5 small networks gain {gain:.1f} [" in finding("ilsvrc2012").basis


def test_many_answers_given_together_are_corrected(monkeypatch):
    campaign_with(monkeypatch, BASE, WORSE)
    assert finding("pca-colour").verdict == "supported"
    monkeypatch.setattr(answers, "holm", lambda found: dict.fromkeys(found, 0.2))
    found = finding("pca-colour")  # its own interval excludes zero all the same
    assert found.verdict == "inconclusive" and "among as many comparisons" in found.lacking


def test_beside_the_authors_logs_stands_what_was_measured(monkeypatch):
    known = finding("pool-accuracy")
    assert known.verdict == "from the authors' logs" and known.command == "alexnet claims run pool-accuracy"
    assert "*no-overlap* against *base*" in known.basis and "in a small AlexNet" in known.basis
    assert "; lacks " in finding("lrn-accuracy").basis
    campaign_with(monkeypatch, BASE, WORSE)  # neither of its arms
    assert known.arms[0].startswith("base: ") and "pools of 2x2" in known.arms[1]
    assert finding("pool-accuracy") == replace(known, basis=known.basis.partition(";")[0], arms=())


WRONG = {"145": 0.002, "145-2010": -0.002}


@pytest.mark.parametrize("name", ["top1", "top5"])
@pytest.mark.parametrize(
    "id", ["two-gpu-accuracy", "lrn-accuracy", "pool-accuracy", "ten-crop", "ilsvrc2010", "ilsvrc2012"]
)
def test_logs_that_say_another_number_contradict(monkeypatch, id, name):
    assert finding(id).verdict == "from the authors' logs"
    found = lab_notes.find_run

    def another(net, **where):
        run = found(net, **where)
        return replace(run, **{name: getattr(run, name) + WRONG.get(net, 0.0)})

    monkeypatch.setattr(lab_notes, "find_run", another)
    assert finding(id).verdict == "contradicted"


def test_the_contest_and_the_schedule_could_contradict(monkeypatch):
    assert finding("ilsvrc2012").verdict == finding("lr-schedule").verdict == "from the authors' logs"
    wrong = tuple(replace(entry, top5=entry.top5 + 0.001) for entry in lab_notes.CONTEST)
    monkeypatch.setattr(lab_notes, "CONTEST", wrong)
    assert finding("ilsvrc2012").verdict == "contradicted"
    monkeypatch.undo()
    monkeypatch.setattr(paper, "LEARNING_RATE_DROPS", 4)
    assert finding("lr-schedule").verdict == "contradicted"
    monkeypatch.undo()
    monkeypatch.setattr(paper, "NUM_EPOCHS", 80)
    assert finding("lr-schedule").verdict == "contradicted"
    monkeypatch.undo()
    monkeypatch.setattr(paper, "LEARNING_RATE", 0.02)
    assert finding("lr-schedule").verdict == "contradicted"


def test_numbers_halfway_between_two_may_be_rounded_to_either():
    assert by_logs([0.0115, 0.0115], [0.012, 0.011]) == by_logs([0.3], [None]) == "from the authors' logs"
    assert by_logs([0.0115, 0.2], [0.012, 0.1994]) == "contradicted"


def test_a_second_experiment_is_told_beside_the_first():
    known = finding("dropout-iterations")
    assert "The experiment dropout-speed beside it: " in known.basis
    assert {arm.partition(";")[0] for arm in known.arms} >= {
        "without: no dropout",
        "dropout-speed: with: dropout",
    }
    assert known.arms[-1].endswith("; at most 120 epochs") and known.arms[0].endswith("; 30 epochs")


def towers_with(monkeypatch, *sizes):
    gaps = {
        seed: Gap(size=size, dealt=0.05, chance=0.01 if size > 0.1 else 0.4)
        for seed, size in enumerate(sizes)
    }
    monkeypatch.setattr(towers, "colour_gaps", lambda name: gaps)
    return finding("kernels")


def test_towers_are_judged_against_random_halves_by_the_fraction_of_runs(monkeypatch):
    known = finding("kernels")
    striped = "25 to 35 of 96 kernels respond to stripes, after one epoch none"
    assert known.ours.startswith(f"{striped}; in 2 of 5 runs the towers differ")
    assert "19" in known.ours.partition("lie ")[2].partition(" points")[0].split(", ")
    few = towers_with(monkeypatch, 0.19, 0.15, 0.2)
    assert few.verdict == "inconclusive" and few.lacking.startswith("10 runs")
    assert "in colour by more than chance (29% to 100% of runs): their fractions" in few.ours
    assert "fractions of weights that depend on colour lie 19, 15, 20 points apart" in few.ours
    assert "random halves 5; beyond chance: +13.0 [" in few.ours
    one = towers_with(monkeypatch, 0.19)
    assert one.verdict == "inconclusive" and one.ours.endswith("random halves 5")
    five = [0.19, 0.15, 0.2, 0.18, 0.14]
    assert towers_with(monkeypatch, *five).verdict == "inconclusive"
    assert towers_with(monkeypatch, *five, *five[1:]).verdict == "inconclusive"  # nine: judged by five
    assert towers_with(monkeypatch, *five, *five).verdict == "supported"
    one_less = towers_with(
        monkeypatch, *five, *five, *five, *five[1:], 0.09
    )  # in most runs, not in every one
    assert one_less.verdict == "inconclusive"
    assert one_less.lacking == "towers that differ by more than chance in every run: 19 of 20 do"
    mixed = towers_with(monkeypatch, *five, *[0.05] * 5)
    assert mixed.lacking.startswith("20 runs") and mixed.lacking.endswith("can only be contradicted")
    assert (
        towers_with(monkeypatch, *[0.05] * 9, 0.19).verdict == "inconclusive"
    )  # its interval is below a half
    undecided = towers_with(monkeypatch, *[0.05] * 15, *five)
    assert undecided.verdict == "inconclusive" and undecided.lacking.startswith("runs beyond 20")
    assert towers_with(monkeypatch, *[0.05] * 10).verdict == "contradicted"
    assert towers_with(monkeypatch, *[0.05] * 8, 0.19, 0.2).verdict == "inconclusive"
    assert towers_with(monkeypatch, *[0.05] * 16, *five[:4]).verdict == "contradicted"


def test_towers_are_judged_by_the_first_seeds_and_stripes_by_all(monkeypatch):
    counts = {True: [0, 3, 1], False: [25, 35, 30]}
    monkeypatch.setattr(towers, "count_striped", lambda name, *, first: counts[first])
    gap = Gap(size=0.15, dealt=0.05, chance=0.01)
    sizes = {5: 0.9, 0: 0.11, 1: 0.12, 2: 0.13, 3: 0.14, 4: 0.15}  # six seeds: five of them count
    gaps = {seed: gap._replace(size=size) for seed, size in sizes.items()}
    monkeypatch.setattr(towers, "colour_gaps", lambda name: gaps)
    shown = finding("kernels").ours
    assert shown.startswith("25 to 35 of 96 kernels respond to stripes, after one epoch 3; in 5 of 5 runs")
    assert " colour lie 11, 12, 13, 14, 15 points apart" in shown


def test_the_command_on_the_towers_trains_as_many_as_are_lacking():
    known = finding("kernels")
    seeds = known.command.partition(" in ")[2].partition(";")[0].split()
    assert seeds == [str(seed) for seed in range(len(seeds))]
    assert known.lacking.startswith(f"{len(seeds)} runs")


def retrieval_with(monkeypatch, *shares, first=900.0, pixels=0.25, untrained=0.25):
    found = records.load("imagenette-retrieval")
    one = {"10": {"mean": untrained, "low": untrained - 0.005, "high": untrained + 0.005}}
    trained = [{"10": {"mean": share, "low": share - 0.01, "high": share + 0.01}} for share in shares]
    places = [first + place for place in range(len(shares))]
    by_pixels = {"10": {"mean": pixels, "low": pixels - 0.005, "high": pixels + 0.005}}
    results = {"pixels": by_pixels, "trained": trained, "untrained": [one] * len(shares)}
    changed = replace(found, results=results | {"median_place_by_pixels": places})
    monkeypatch.setattr(evidence, "record", lambda name: changed)
    return finding("retrieval")


def test_retrieval_is_judged_against_the_better_control(monkeypatch):
    assert finding("retrieval").ours.startswith("70% of the 10 nearest")
    lone = retrieval_with(monkeypatch, 0.7)
    assert "inf" not in lone.ours and lone.lacking == "at least 5 seeds (1 so far)"
    few = retrieval_with(monkeypatch, 0.7, 0.6)
    assert few.verdict == "inconclusive" and few.lacking == "at least 5 seeds (2 so far)"
    nearest = (
        "65% of the 10 nearest by features are of the class, 25% by pixels, 25% by features of untrained"
    )
    assert few.ours.startswith(nearest)
    assert "has rank 900 or later by pixels, of 9,469 (median)" in few.ours
    assert retrieval_with(monkeypatch, 0.7, 0.6, 0.7, 0.7, 0.6).verdict == "supported"
    assert retrieval_with(monkeypatch, 0.2, 0.21, 0.2, 0.2, 0.19).verdict == "contradicted"
    # A lead that all seeds share, but smaller than the choice of the images leaves open.
    assert retrieval_with(monkeypatch, 0.252, 0.253, 0.252, 0.253, 0.252).verdict == "inconclusive"
    better = retrieval_with(monkeypatch, 0.7, 0.6, 0.7, 0.7, 0.6, pixels=0.66)  # the better control counts
    assert better.verdict == "inconclusive" and "; -0.0 [" in better.ours
    other = retrieval_with(monkeypatch, 0.7, 0.6, 0.7, 0.7, 0.6, untrained=0.66)  # whichever it is
    assert other.verdict == "inconclusive" and "; -0.0 [" in other.ours
    near = retrieval_with(monkeypatch, 0.7, 0.6, 0.7, 0.7, 0.6, first=2.0)  # among the nearest by pixels
    assert near.verdict == "inconclusive" and "not among the 10 nearest by pixels" in near.lacking
    perhaps = retrieval_with(monkeypatch, 0.7, 0.6, 0.7, 0.7, 0.6, first=9.0)  # 9 to 13, on average 11
    assert perhaps.verdict == "inconclusive" and perhaps.lacking == near.lacking


def codes_with(monkeypatch, *leads):
    """The finding on codes if those of features were ahead of those of pixels by so much."""
    found = records.load("imagenette-codes")
    codes = {"auto-encoder of pixels": {"256": 0.3}, "projection": {"256": 0.6}}
    seeds = [{"features": 0.8, "codes": codes | {"auto-encoder": {"256": 0.3 + lead}}} for lead in leads]
    changed = replace(found, results=found.results | {"seeds": seeds})
    monkeypatch.setattr(evidence, "record", lambda name: changed)
    return finding("binary-codes")


def test_codes_of_features_are_judged_against_codes_of_pixels(monkeypatch):
    few = codes_with(monkeypatch, 0.4, 0.42)
    assert few.verdict == "inconclusive" and few.lacking == "at least 5 seeds (2 so far)"
    assert few.ours.startswith("71% of the 10 nearest by codes of 256 bits are of the class, 30% where")
    assert "80% by the features themselves; +41.0 [" in few.ours
    assert "; 60% by codes of random projections of the features. " in few.ours
    assert few.ours.endswith("codes are searched 6 times as fast as features (not judged)")
    assert codes_with(monkeypatch, 0.4, 0.42, 0.41, 0.4, 0.4).verdict == "supported"
    assert codes_with(monkeypatch, -0.1, -0.12, -0.1, -0.1, -0.1).verdict == "contradicted"
    assert codes_with(monkeypatch, 0.4, -0.25, 0.1, -0.1, 0.0).verdict == "inconclusive"
    assert codes_with(monkeypatch, 0.01, 0.011, 0.01, 0.012, 0.01).verdict == "inconclusive"  # too few images
    # The 3,925 queries leave 2.0 points to either side of the difference, 9,469 would leave 1.3.
    lead = codes_with(monkeypatch, 0.022, 0.0221, 0.022, 0.0219, 0.022)
    assert lead.verdict == "inconclusive" and "; +2.2 [+0.2, +4.2] points" in lead.ours


def test_the_gaps_are_those_of_the_last_epoch_of_each_seed(monkeypatch):
    grey, red = torch.ones(4, 3, 2, 2), torch.zeros(4, 3, 2, 2)
    red[:, 0] = 1.0
    apart, alike = torch.cat([grey, red]), torch.cat([grey, grey])
    kernels = {3: {1: alike, 40: apart}, 7: {40: alike, 1: apart}}
    monkeypatch.setattr(towers.shipped, "kernels", lambda name: kernels)
    gaps = towers.colour_gaps("imagenette")
    assert list(gaps) == [3, 7] and gaps[3].size == pytest.approx(2 / 3) and gaps[7].size == 0
    effect = towers.beyond_chance(gaps)
    assert effect.mean == pytest.approx((2 / 3 - gaps[3].dealt) / 2) and 0.1 < gaps[3].dealt < 0.4


def test_the_command_lists_and_explains(capsys):
    assert main(["claims"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n{id} " in f"\n{listed}" for id in IDS) and max(map(len, listed.splitlines())) <= 100
    assert re.search(r"(?m)^init +\S.*  \(chapter 11\)$", listed)
    assert main(["claims", "relu-speed"]) == 0
    shown = capsys.readouterr().out
    for word in (
        "25% training error",
        "verdict   inconclusive",
        "lacks",
        "again     alexnet claims run relu-speed",
    ):
        assert word in " ".join(shown.split()) or word in shown
    assert main(["claims", "two-gpu-time"]) == 0
    again = f"again     {finding('two-gpu-time').command}"
    lines = capsys.readouterr().out.splitlines()
    assert len(again) > 100 and again in lines  # to be copied
    assert "where     the folder benchmarks is that of a clone of the project" in lines
    assert main(["claims", "relu-sped"]) == 2
    assert "there is no claim 'relu-sped'; did you mean 'relu-speed'?" in capsys.readouterr().err


def test_the_command_is_for_terminals_that_know_few_characters_too(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")  # as on Windows
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["claims", "lrn-formula"]) == 0
    assert rb"\u03b1" in stream.buffer.getvalue()  # the alpha of the formula


def test_the_page_has_a_row_for_each_claim():
    source = [(BOOK / "claims.md").read_text(encoding="utf-8")]
    page.insert(None, "claims", source)
    rows = [line for line in source[0].splitlines() if line.startswith("| <span")]
    assert [row.split("`")[1] for row in rows] == IDS
    assert all(f'<span id="claim-{id}"></span>' in row for id, row in zip(IDS, rows, strict=True))
    assert all(row.count("|") == 5 for row in rows) and not page.PLACE.search(source[0])
    other = ["nothing to insert"]
    page.insert(None, "other", other)
    assert other == ["nothing to insert"]


def test_the_page_states_the_rules_as_they_are_computed():
    text = " ".join((BOOK / "claims.md").read_text(encoding="utf-8").split())
    parts = EXPERIMENTS["parts"]
    for words in (
        f"such as 650,000 neurons, within {computed.NEARLY:.0%}",
        f"the {intervals.CONFIDENCE:.0%} {{term}}`confidence interval` over at least five seeds",
        f"the corrected one must be below {LOOK_LEVEL:g} instead of {1 - intervals.CONFIDENCE:.2f}",
        "with 5, 10 and 20 seeds, and at no number in between",
        f"a network below {answers.FLOOR:.1%} of error in the mean has no images left to fit",
        f"by the exact sign test at {LOOK_LEVEL:g} with 5, 10 or 20 runs",
        f"to within {parts.fit:.0%} of error in the mean over seeds",
        f"those at which a trial fits to within {SEARCH_MARGIN * parts.fit:.1%}",
        f"What costs no time may cost up to {'one' if evidence.NEGLIGIBLE == 0.01 else '?'} per cent",
        f"`conv-local`, which has no trials yet, takes {EXPERIMENTS['conv-local'].num_train:,}",
    ):
        assert words in text, words
    assert answers.LOOKS == (5, 10, 20) and answers.ROUNDS == 0.5  # six stands for 5.5 to 6.5
    assert not package_arms("conv-local")
    assert EXPERIMENTS["relu-speed"].num_train == 50_000 and parts.num_train == 10_000


def test_networks_that_train_shortly_fit_at_one_learning_rate_at_most_and_err_less_at_a_lower_one():
    """What the page says of the rule of fitting."""
    known, finished = EXPERIMENTS["parts"], Finished.of_package("parts")
    fitting, lower, longer = [], [], []
    for name, found in package_arms("parts").items():
        if not found.settled:
            continue
        tried = {
            rate: finished.find(known.trial(name, rate=rate, seed=SEARCH_SEED, split="held-out"))
            for rate in found.scores
        }
        fits = [rate for rate, run in tried.items() if run.train_error <= SEARCH_MARGIN * known.fit]
        if known.arms[name].learning.epochs != 30:
            longer.append(len(fits))
            continue
        fitting.append(len(fits))
        if fits and (below := [rate for rate in tried if rate < fits[0]]):
            lower.append(tried[max(below)].error < tried[fits[0]].error)
    assert len(fitting) > 15 and set(fitting) == {0, 1} and sum(fitting) > len(fitting) / 2
    assert len(lower) > 10 and sum(lower) > 0.8 * len(lower)
    assert set(longer) == {1, 2}


WORDS = "|".join(VERDICTS)
LINKED = re.compile(rf"\[\*\*({WORDS})\*\*\]\(claims\.md#claim-([a-z0-9-]+)\)", re.I)
UNMISTAKABLE = WORDS.replace("exact|", "")  # "exact" is a word of every day too
WHERE = (  # where a word is a verdict, and which words
    (r"\*\*([^*]+)\*\*", WORDS),
    (r"\*\*((?:holds|fails|open|undecided|confirmed|agrees)\b)", r"\w+"),
    (r"<(?:b|strong)>(.*?)</", WORDS),
    (r"\[([^\]]*)\]\(claims\.md", WORDS),
    (r"(?m)^.*\bverdicts?\b(.*)", WORDS),
    (r"(?m)^\s*\|(.*)", UNMISTAKABLE),
    (r"\b(?:is|are|was|were|be|remains?|stays?) +(\w+)", UNMISTAKABLE),
)
EXPLAINING = {"kinds", "neurons-slip", "fit-rule"}  # cells on the words themselves, and on former rules
BESIDE = {  # verdicts that a chapter other than the claim's repeats
    "01-start-here": {"conv-share"},
    "08-architecture": {"remove-layer"},
    "09-augmentation": {"ten-crop"},
}


def typed_verdicts(text, chapter=""):
    """What a Markdown cell says of the paper's claims by itself, and does not draw from the ledger."""
    wrong, text = [], text.replace("’", "'")
    for word, id in LINKED.findall(text):
        known = {found.verdict for found in (EVIDENCE[id](), answered(id)) if found}
        if word.lower() not in {verdict.lower() for verdict in known}:
            wrong.append(f"{word} of {id}, of which the ledger says {' and '.join(sorted(known))}")
        if chapter not in ("", claim_by_id(id).chapter) and id not in BESIDE.get(chapter, ()):
            wrong.append(f"{id} is judged in another chapter")
    left = LINKED.sub("", text)
    for where, asked in WHERE:
        for part in re.findall(where, left, re.I):
            wrong += re.findall(rf"\b(?:{asked})\b", re.sub(r"\s+", " ", part), re.I)
    return wrong


@pytest.mark.parametrize(
    "page", [*sorted(BOOK.glob("*.ipynb")), *sorted(BOOK.glob("*.md"))], ids=lambda path: path.stem
)
def test_pages_draw_their_verdicts_from_the_ledger(page):
    """A verdict is written as ``[**inconclusive**](claims.md#claim-ID)``; chapter 1 explains the words."""
    texts = {"": page.read_text(encoding="utf-8")}
    if page.suffix == ".ipynb":
        cells = json.loads(texts[""])["cells"]
        texts = {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"}
    wrong = {
        id: typed_verdicts(text, page.stem)
        for id, text in texts.items()
        if id not in EXPLAINING and page.name != "claims.md"
    }
    assert {id: found for id, found in wrong.items() if found} == {}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_each_claim_has_its_verdict_in_its_chapter(claim):
    cells = json.loads((BOOK / f"{claim.chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = {kind: "".join("".join(c["source"]) for c in cells if c["cell_type"] == kind) for kind in KINDS}
    linked = claim.id in [id for _, id in LINKED.findall(texts["markdown"])]
    assert linked or f'finding("{claim.id}")' in texts["code"]


KINDS = ("markdown", "code")


@pytest.mark.parametrize(
    "text",
    [
        "It is **supported**.",
        "**The claim is supported.**",
        "<b>supported</b>",
        "[supported](claims.md#claim-init)",
        "| a | needs ILSVRC |",
        "  | a | from the authors’ logs |",
        "**Verdict.** As printed: contradicted.",
        "- **Verdict.** exact",
        "### Verdict: supported",
        "The claim is contradicted by two layers.",
        "It needs **needs\nILSVRC**.",
    ],
)
def test_a_verdict_that_is_typed_is_found(text):
    assert typed_verdicts(text)


def test_a_verdict_that_is_out_of_date_or_of_another_claim_is_found():
    assert (
        typed_verdicts("[**Exact**](claims.md#claim-params), by exact arithmetic.", "08-architecture") == []
    )
    (wrong,) = typed_verdicts("[**inconclusive**](claims.md#claim-params)")
    assert wrong == "inconclusive of params, of which the ledger says exact"
    assert typed_verdicts("[**exact**](claims.md#claim-params)", "02-convolution")
    with pytest.raises(KeyError):
        typed_verdicts("[**exact**](claims.md#claim-parms)")


def test_cells_cannot_break_the_table():
    row = page.row(claim_by_id("params"), Finding(ours="a | b", verdict="exact", basis=""))
    assert row.count("|") == 5 and "a &#124; b" in row


def test_sources_are_links_on_the_page_and_lines_in_a_terminal(capsys):
    row = page.row(claim_by_id("pool-accuracy"), finding("pool-accuracy"))
    assert (
        f"Sources: [notes of #147, lines 165-174]({notes_address('147', '165-174')}), [notes of #145" in row
    )
    assert "Sources" not in page.row(claim_by_id("params"), finding("params"))
    assert main(["claims", "pool-accuracy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"source    notes of #147, lines 165-174: {notes_address('147', '165-174')}" in lines


def test_the_file_of_the_papers_network_starts_otherwise_in_three_convolutions():
    told = (
        "the file of #145 starts as printed but for weights of conv3, conv4, conv5 with a standard deviation"
    )
    known = finding("init")
    assert f"{told} of 0.03" in known.basis
    assert known.sources[-1].address.endswith("/layers/layers-145.cfg")


def test_what_the_file_of_the_papers_network_changes_is_listed(monkeypatch):
    told = "the file of #145 starts as printed"
    monkeypatch.setattr(computed, "CODE2012", PAPER)
    assert computed.initial_values_of_file() == told
    monkeypatch.setattr(computed, "CODE2012", replace(PAPER, net=replace(PAPER.net, bias_one=("conv4",))))
    assert computed.initial_values_of_file() == f"{told} but for the biases of conv2, conv5, fc6, fc7"


def test_a_command_that_trains_says_where_its_trials_count(capsys):
    assert main(["claims", "init"]) == 0
    assert "where     the command keeps its trials in runs/trials" in capsys.readouterr().out
    assert main(["claims", "params"]) == 0
    assert "where" not in capsys.readouterr().out
