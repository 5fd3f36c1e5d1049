"""The authors' run notes of 2012 and 2013.

Source: the code that the Computer History Museum has published (`ARCHIVE`). The files
``layers/layer-params-NET.cfg`` end in comments that served as a lab notebook: dates, drops of the learning
rate by hand, scores. Error rates are fractions, as noted, to all digits given.
"""

from dataclasses import dataclass

ARCHIVE = "https://github.com/computerhistory/AlexNet-Source-Code"
REVISION = "2f8b81f76470bf873c865754ad8f4a5e0dbbeb7b"
CONTEST_PAGE = "https://image-net.org/challenges/LSVRC/2012/results.html"


def notes_address(net: str, lines: str = "") -> str:
    """Return the address of a run's notes in the archive.

    Args:
        net: the number under which the authors kept it.
        lines: of the file, "182" or "177-178"; empty for all.
    """
    file = f"{ARCHIVE}/blob/{REVISION}/layers/layer-params-{net}.cfg"
    return f"{file}#L{lines.replace('-', '-L')}" if lines else file


@dataclass(frozen=True, kw_only=True)
class LoggedRun:
    """A run's scores.

    Attributes:
        net: the number under which the authors kept it; its notes are in layer-params-NET.cfg, those of
            170-fade and 169-80 in the files of 170 and 169.
        about: what distinguishes it from #145, the network of the paper.
        data: what it was scored on.
        views: crops averaged for each image: 10 (ten-crop evaluation) or 1.
        top1: error rate, a fraction.
        top5: error rate, a fraction.
        lines: of the file.
    """

    net: str
    about: str
    data: str
    views: int
    top1: float
    top5: float
    lines: str


TEST_2010, VAL_2012 = "ILSVRC-2010 test", "ILSVRC-2012 validation"


def scored(
    net: str,
    about: str,
    one_crop: tuple[float, float, str],
    ten_crops: tuple[float, float, str] | None = None,
) -> tuple[LoggedRun, ...]:
    """Return a run's scores on the validation images of 2012.

    Args:
        net: see `LoggedRun`.
        about: see `LoggedRun`.
        one_crop: the top-1 and the top-5 error rate of one crop of each image, and the lines of the file.
        ten_crops: the same of ten crops, where they are noted.
    """
    scores = [(1, *one_crop)] + ([(10, *ten_crops)] if ten_crops is not None else [])
    return tuple(
        LoggedRun(net=net, about=about, data=VAL_2012, views=views, top1=top1, top5=top5, lines=lines)
        for views, top1, top5, lines in scores
    )


RUNS = (
    LoggedRun(
        net="145-2010",
        about="the network of the paper",
        data=TEST_2010,
        views=10,
        top1=0.374727,
        top5=0.169987,
        lines="177-178",
    ),
    LoggedRun(
        net="145-2010",
        about="the same, centre crop alone",
        data=TEST_2010,
        views=1,
        top1=0.390247,
        top5=0.182953,
        lines="179-180",
    ),
    LoggedRun(
        net="145",
        about="the network of the paper",
        data=VAL_2012,
        views=10,
        top1=0.406640,
        top5=0.182100,
        lines="182",
    ),
    LoggedRun(
        net="146-2012-2011",
        about="with conv6, first trained on all of ImageNet",
        data=VAL_2012,
        views=10,
        top1=0.389900,
        top5=0.166220,
        lines="194-195",
    ),
    LoggedRun(
        net="141-2009",
        about="like 137 with conv6, trained on Fall 2009 in between",
        data=VAL_2012,
        views=10,
        top1=0.39562,
        top5=0.17206,
        lines="211-212",
    ),
    LoggedRun(
        net="146-2012-2009",
        about="with conv6, first trained on Fall 2009",
        data=VAL_2012,
        views=10,
        top1=0.39100,
        top5=0.16876,
        lines="192-193",
    ),
    LoggedRun(
        net="145-half",
        about="half the kernels in conv1 to conv4",
        data=TEST_2010,
        views=10,
        top1=0.39168,
        top5=0.18229,
        lines="90-100",
    ),
    LoggedRun(
        net="147",
        about="pooling without overlap",
        data=VAL_2012,
        views=10,
        top1=0.41058,
        top5=0.18510,
        lines="165-174",
    ),
    LoggedRun(
        net="148",
        about="no response normalisation of any kind",
        data=VAL_2012,
        views=10,
        top1=0.42034,
        top5=0.19362,
        lines="137-148",
    ),
    LoggedRun(
        net="150",
        about="towers that exchange nothing before the output layer",
        data=VAL_2012,
        views=10,
        top1=0.41828,
        top5=0.19330,
        lines="165-179",
    ),
    LoggedRun(
        net="167",
        about="no normalisation in layer 2",
        data=VAL_2012,
        views=10,
        top1=0.40488,
        top5=0.18118,
        lines="178-185",
    ),
    *scored(
        "155",
        "learning rates: exponential, from 0.02 to 0.000005",
        (0.426530, 0.199652, "188"),
        (0.40744, 0.18524, "189-190"),
    ),
    *scored(
        "156",
        "learning rates: exponential, from 0.02 to 0.00001",
        (0.428933, 0.198336, "188"),
        (0.40764, 0.18350, "189-190"),
    ),
    *scored(
        "157",
        "learning rates: exponential, from 0.04 to 0.000005",
        (0.431177, 0.203271, "187"),
        (0.41114, 0.18704, "188"),
    ),
    *scored(
        "158",
        "learning rates: exponential, from 0.04 to 0.000002",
        (0.428884, 0.199910, "187"),
        (0.41026, 0.18538, "188"),
    ),
    *scored(
        "160",
        "learning rates: discrete, from 0.02 to 0.00001",
        (0.433855, 0.205452, "186"),
        (0.41374, 0.19036, "187"),
    ),
    *scored(
        "162", "learning rates: discrete, three levels, from 0.01 to 0.00001", (0.438533, 0.207935, "186")
    ),
    *scored(
        "169",
        "learning rates: discrete, down to 0.00002",
        (0.425298, 0.195489, "201"),
        (0.40596, 0.18112, "202"),
    ),
    *scored("169-80", "like #169, over 80 epochs and not 95", (0.429784, 0.200178, "212")),
    *scored(
        "170",
        "#169 from epoch 23 on, learning rates down to 0.00004",
        (0.423407, 0.195827, "204"),
        (0.405280, 0.180480, "205"),
    ),
    *scored(
        "171",
        "learning rates: discrete, five levels, down to 0.00002",
        (0.423356, 0.197664, "201"),
        (0.404200, 0.181400, "202"),
    ),
    *scored(
        "174",
        "#169 from epoch 24 on, learning rates in jumps, down to 0.00002",
        (0.425222, 0.193946, "207"),
        (0.404380, 0.180420, "208"),
    ),
    *scored(
        "175",
        "#169 continued, by its folder's name, learning rates down to 0.00008, from epoch 91 to 0.00004",
        (0.425160, 0.194863, "202"),
    ),
    LoggedRun(
        net="170-quant",
        about="like 170, what the GPUs exchange rounded to 16 bits",
        data=VAL_2012,
        views=10,
        top1=0.40524,
        top5=0.18416,
        lines="234",
    ),
    LoggedRun(
        net="170-fade",
        about="like 170, some images mixed with a quarter of another",
        data=VAL_2012,
        views=10,
        top1=0.4025,
        top5=0.1812,
        lines="218-225",
    ),
    LoggedRun(
        net="166",
        about="the normalisations of layer 2 before its ReLU",
        data=VAL_2012,
        views=10,
        top1=0.410960,
        top5=0.186740,
        lines="203",
    ),
    LoggedRun(
        net="145",
        about="trained on to epoch 135, the learning rate raised again",
        data=VAL_2012,
        views=10,
        top1=0.40250,
        top5=0.17994,
        lines="192-203",
    ),
    LoggedRun(
        net="120-2012",
        about="64 kernels in conv1, and a blurred small image read beside it",
        data=VAL_2012,
        views=10,
        top1=0.410440,
        top5=0.187140,
        lines="171-172",
    ),
    LoggedRun(
        net="131",
        about="like 120-2012, other order in layer 1",
        data=VAL_2012,
        views=10,
        top1=0.409340,
        top5=0.185740,
        lines="174-175",
    ),
    LoggedRun(
        net="135",
        about="like 131, k = 2",
        data=VAL_2012,
        views=10,
        top1=0.410700,
        top5=0.184160,
        lines="176-177",
    ),
    LoggedRun(
        net="137",
        about="like 135, spatial normalisation in layer 2",
        data=VAL_2012,
        views=10,
        top1=0.407820,
        top5=0.183440,
        lines="201",
    ),
    LoggedRun(
        net="137",
        about="on the data of 2010",
        data=TEST_2010,
        views=10,
        top1=0.376167,
        top5=0.171247,
        lines="182-183",
    ),
)


#: The network of #145 in runs with other schedules, all that have a score; #170, #174 and, by the name of
#: its folder, #175 go on from #169. Their definition file, layers-153.cfg, differs from that of #145 in
#: ``partialSum`` alone, the order in which gradients are summed; momentum and weight decay are equal too.
#: (#163 and #165 are none of them: their dense layers have twice the weight decay. #172 was stopped without a
#: score.) Those with a score of ten crops are a selection: #162 has none because, as its notes say, "it'll
#: suck".
OTHER_SCHEDULES = ("155", "156", "157", "158", "160", "162", "169", "169-80", "170", "171", "174", "175")


@dataclass(frozen=True, kw_only=True)
class HandMadeSchedule:
    """The epochs in which a run's settings were changed by hand. Each change happened during an epoch.

    Attributes:
        net: the number under which the run was kept, as in `LoggedRun`.
        first_rate: the learning rate of the weights before the first of these.
        cuts: epochs in which the learning rate of the weights was divided by ten.
        noise_off: epoch in which the PCA colour augmentation was switched off; None where nothing is noted.
        conv1_frozen: epoch in which the learning rate of conv1 was set to zero.
        end: epoch in which the run was stopped.
        lines: of its file.
    """

    net: str
    first_rate: float
    cuts: tuple[int, ...]
    noise_off: int | None
    conv1_frozen: int
    end: int
    lines: str


SCHEDULES = (
    HandMadeSchedule(
        net="145", first_rate=0.01, cuts=(25, 51, 79), noise_off=67, conv1_frozen=72, end=91, lines="169-181"
    ),
    HandMadeSchedule(
        net="145-2010",
        first_rate=0.01,
        cuts=(23, 51, 78),
        noise_off=68,
        conv1_frozen=72,
        end=93,
        lines="170-176",
    ),
    HandMadeSchedule(
        net="147",
        first_rate=0.01,
        cuts=(23, 51, 79),
        noise_off=None,
        conv1_frozen=79,
        end=90,
        lines="169-172",
    ),
    HandMadeSchedule(
        net="148", first_rate=0.01, cuts=(22, 44, 86), noise_off=69, conv1_frozen=73, end=97, lines="141-146"
    ),
    HandMadeSchedule(
        net="145-half", first_rate=0.01, cuts=(20, 48), noise_off=66, conv1_frozen=72, end=96, lines="95-99"
    ),
)


@dataclass(frozen=True, kw_only=True)
class ContestEntry:
    """A file of predictions that the authors handed in to ILSVRC-2012, as the page of results has it.

    The page is at `CONTEST_PAGE`.

    Attributes:
        file: its name, which lists the networks whose predictions it averages.
        nets: their numbers; those of `LoggedRun` if the notes have a score.
        top5: error rate on the test set, a fraction.
        about: what the page says of the training images.
    """

    file: str
    nets: tuple[str, ...]
    top5: float
    about: str


CONTEST = (
    ContestEntry(
        file="test-preds-131-137-145-135-145f.txt",
        nets=("131", "137", "145", "135", "145f"),
        top5=0.16422,
        about="only supplied training data",
    ),
    ContestEntry(
        file="test-preds-141-146.2009-131-137-145-146.2011-145f.",
        nets=("141", "146.2009", "131", "137", "145", "146.2011", "145f"),
        top5=0.15315,
        about="extra training data from the Fall 2011 release",
    ),
)


def find_run(net: str, *, data: str, views: int = 10) -> LoggedRun:
    """Return a run's scores; where a network has several on the same data, the first that was noted.

    Raises:
        ValueError: nothing is noted.
    """
    for run in RUNS:
        if (run.net, run.data, run.views) == (net, data, views):
            return run
    raise ValueError(f"no score of network {net!r} on {data} with {views} crops is noted")


def find_schedule(net: str) -> HandMadeSchedule:
    """Return the changes by hand that are noted of a run.

    Raises:
        ValueError: none of its changes are kept here.
    """
    for schedule in SCHEDULES:
        if schedule.net == net:
            return schedule
    raise ValueError(f"no schedule of network {net!r} is noted here")
