"""The commands of ``alexnet``, one module each; what a command needs is imported when it runs."""
