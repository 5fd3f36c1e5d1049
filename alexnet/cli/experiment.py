"""``alexnet experiment``: repeat a measurement of the book."""

import argparse


def add_experiment(commands, with_experiments: bool) -> None:
    """Add ``alexnet experiment`` and, if asked for, the experiments themselves."""
    about = "Run an experiment of the book and write its record; without a name, list the experiments."
    experiment = commands.add_parser("experiment", help="run an experiment, or list them", description=about)
    experiment.set_defaults(run=run_experiment_list)
    if with_experiments:
        from alexnet.experiments import EXPERIMENTS

        names = experiment.add_subparsers(title="experiments", metavar="NAME")
        for name, module in EXPERIMENTS.items():
            about = module.DESCRIPTION.replace("%", "%%")  # argparse formats a help, but no description
            parser = names.add_parser(name, help=about, description=module.DESCRIPTION)
            module.add_arguments(parser)
            parser.set_defaults(run=module.run)


def run_experiment_list(_arguments: argparse.Namespace) -> int:
    """Run ``alexnet experiment`` without a name."""
    from alexnet.experiments import EXPERIMENTS

    for name, module in EXPERIMENTS.items():
        print(f"{name:16} {module.DESCRIPTION}")
    print("\n`alexnet experiment NAME --help` shows what can be chosen.")
    return 0
