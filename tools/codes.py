"""How well short binary codes of a network's features find images of the same class, and how fast.

`python -m tools.codes FOLDER RUN [RUN...] --record data/records/NAME.json` searches the training images of a
prepared set for the neighbours of its validation images, as `tools.retrieval` does, by codes of 16 to 256
bits of every network's last hidden layer: of an auto-encoder, of PCA with iterative quantisation (ITQ), and
the signs of random projections. Beside them: an auto-encoder of the same form on pixels, about as many; a bit
for each feature, whether it is above its mean; and the features themselves. Codes are learned from the
training images without their labels; the learning rate of either auto-encoder is chosen by training images
held out for that. The search of faiss is timed beside ours: `python -m pip install faiss-cpu`.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import torch
from torch import Tensor

from alexnet.data.prepared import PreparedSet
from alexnet.evaluation.classifier import Classifier
from alexnet.evaluation.codes import (
    AutoEncoder,
    hamming,
    pack,
    principal_directions,
    rotation,
    tied_precision,
)
from alexnet.evaluation.neighbours import precision
from alexnet.experiments.intervals import mean_interval
from alexnet.experiments.search import best_place, rate_at, wanted
from tools.answers import write_record
from tools.baselines import held_out
from tools.retrieval import QUERIES, described, make_feature_function, make_pixel_function, search

BITS = (16, 32, 64, 128, 256)
K = 10
HIDDEN, EPOCHS, FIRST_RATE = 256, 8, 1e-3  # of the auto-encoders
SEARCHED_AT = 64  # bits at which their learning rate is chosen
AVERAGED = 6  # pixels along each side of a square whose mean stands for it: about as many as features
BATCH = 256
Labelled = tuple[Tensor, Tensor]  # features (N, D) and labels (N,)
Coder = Callable[[Tensor], Tensor]  # from features (N, D) to bits (N, B)
Learn = Callable[[Tensor, int, int], Coder]  # from features, bits and a seed


def by_auto_encoder(x: Tensor, bits: int, seed: int, *, rate: float) -> Coder:
    """Train an auto-encoder on features of mean 0 and return its code."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        network = AutoEncoder(x.shape[1], HIDDEN, bits)
    network.fit(x, rate=rate, epochs=EPOCHS, batch_size=BATCH, seed=seed)
    return network.codes


def by_quantisation(x: Tensor, bits: int, seed: int) -> Coder:
    """Return the signs of the first principal components, rotated so that they lose little."""
    directions = principal_directions(x.double(), bits).float()
    directions = directions @ rotation(x @ directions, seed=seed)
    return lambda asked: asked @ directions > 0


def by_projection(x: Tensor, bits: int, seed: int) -> Coder:
    """Return the signs of random projections."""
    directions = torch.randn(x.shape[1], bits, generator=torch.Generator().manual_seed(seed))
    return lambda asked: asked @ directions > 0


def standardised(searched: Tensor, queries: Tensor) -> list[Tensor]:
    """Return both less the mean of the first, in one unit that gives the first the variance 1; float32."""
    mean = searched.mean(0)
    scale = (searched - mean).square().mean().sqrt()
    return [((each - mean) / scale).float() for each in (searched, queries)]


def compute_precision(code: Coder, searched: Labelled, queries: Labelled) -> float:
    """Return the mean precision at ``K`` by the distances of codes."""
    stored, shares = pack(code(searched[0])), []
    for asked, labels in zip(queries[0].split(QUERIES), queries[1].split(QUERIES), strict=True):
        same = labels[:, None] == searched[1]
        shares.append(tied_precision(hamming(pack(code(asked)), stored), same, K))
    return torch.cat(shares).mean().item()


def exact_precision(searched: Labelled, queries: Labelled) -> float:
    """Return the mean precision at ``K`` by Euclidean distances."""
    found = search(searched[0].double(), queries[0].double(), K)
    return precision(searched[1][found], queries[1], (K,)).mean().item()


def chosen_rate(train: Labelled, seed: int) -> dict:
    """Choose the learning rate of an auto-encoder on training images that it does not see.

    Returns:
        "rate", which has a worse one on either side, and "held_out_precisions" by every rate that was tried.
    """
    x, labels = train
    held = held_out(labels)
    known, asked = (x[~held], labels[~held]), (x[held], labels[held])
    found: dict[int, tuple[float, float]] = {}
    while places := wanted(found):
        for k in places:
            code = by_auto_encoder(known[0], SEARCHED_AT, seed, rate=rate_at(FIRST_RATE, k))
            found[k] = (1 - compute_precision(code, known, asked), 0.0)
    tried = {f"{rate_at(FIRST_RATE, k):g}": 1 - found[k][0] for k in sorted(found)}
    return {"rate": rate_at(FIRST_RATE, best_place(found)), "held_out_precisions": tried}


def speeds(searched: Tensor, queries: Tensor) -> dict[str, dict[str, float]]:
    """Return how many queries a second of one core are answered by features and by codes.

    Args:
        searched: features (N, D).
        queries: features (Q, D).
    Returns:
        "features" or bits: "ours" and "faiss".
    """
    import faiss

    faiss.omp_set_num_threads(1)
    torch.set_num_threads(1)
    index = faiss.IndexFlatL2(searched.shape[1])
    index.add(searched.numpy())
    found = {
        "features": {
            "ours": per_second(lambda asked: search(searched, asked, K), queries),
            "faiss": per_second(lambda asked: index.search(asked.numpy(), K), queries),
        }
    }
    for bits in BITS:
        code = by_projection(searched, bits, 0)  # codes of one length are equally fast
        stored, asked = pack(code(searched)), pack(code(queries))
        binary = faiss.IndexBinaryFlat(bits)
        binary.add(stored.numpy())
        found[str(bits)] = {
            "ours": per_second(partial(nearest_codes, stored), asked),
            "faiss": per_second(lambda asked, binary=binary: binary.search(asked.numpy(), K), asked),
        }
    return found


def nearest_codes(stored: Tensor, asked: Tensor) -> Tensor:
    """Return the rows of the ``K`` nearest codes of each query."""
    return torch.cat([hamming(part, stored).topk(K, largest=False).indices for part in asked.split(QUERIES)])


def per_second(answer: Callable[[Tensor], object], queries: Tensor, repeats: int = 3) -> float:
    """Return queries answered in a second of the processor, at the quickest of some runs."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        answer(queries)
        seconds.append(time.process_time() - start)
    return len(queries) / min(seconds)


def by_codes(coders: dict[str, Learn], train: Labelled, test: Labelled, seed: int) -> dict[str, dict]:
    """Return the precision of every way to learn codes, by its name and the bits."""
    return {
        name: {str(bits): compute_precision(learn(train[0], bits, seed), train, test) for bits in BITS}
        for name, learn in coders.items()
    }


def measure(classifiers: dict[int, Classifier], dataset: PreparedSet) -> dict:
    """Return precision by codes and without, for every seed, and the speeds of the search."""
    splits = (dataset.train, dataset.val)
    labels = [torch.as_tensor(split.labels) for split in splits]

    def data_by(describe: Callable[[Tensor], Tensor]) -> list[Labelled]:
        return list(zip(standardised(*(described(split, describe) for split in splits)), labels, strict=True))

    features = {seed: data_by(make_feature_function(each, each.net)) for seed, each in classifiers.items()}
    first = next(iter(classifiers))
    pixels = data_by(make_pixel_function(classifiers[first], AVERAGED))
    searches = {
        name: chosen_rate(data[0], first)
        for name, data in (("features", features[first]), ("pixels", pixels))
    }
    print(f"learning rates: {searches}", flush=True)
    learned = {name: partial(by_auto_encoder, rate=search["rate"]) for name, search in searches.items()}
    of_features = {"auto-encoder": learned["features"], "ITQ": by_quantisation, "projection": by_projection}
    runs = []
    for seed, data in features.items():
        found = by_codes(of_features, *data, seed)
        found |= by_codes({"auto-encoder of pixels": learned["pixels"]}, *pixels, seed)
        above = {"above mean": compute_precision(lambda x: x > 0, *data), "features": exact_precision(*data)}
        runs.append({"seed": seed, "codes": found} | above)
        print(runs[-1], flush=True)
    sizes = {"features": features[first][0][0].shape[1], "pixels": pixels[0][0].shape[1]}
    return {
        "k": K,
        "sizes": sizes,
        "auto_encoder": {"hidden": HIDDEN, "epochs": EPOCHS, "batch_size": BATCH, "search": searches},
        "seeds": runs,
        "pixels": exact_precision(*pixels),
        "over_seeds": over_seeds(runs),
        "queries_per_second": speeds(features[first][0][0], features[first][1][0][:QUERIES]),
    }


def over_seeds(runs: list[dict]) -> dict[str, dict]:
    """Return the mean precision over seeds with its interval, by the name of the codes and the bits."""
    return {
        name: {bits: asdict(mean_interval([run["codes"][name][bits] for run in runs])) for bits in by_bits}
        for name, by_bits in runs[0]["codes"].items()
    }


if __name__ == "__main__":
    write_record(__doc__, measure)
