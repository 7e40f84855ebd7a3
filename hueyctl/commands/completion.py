"""``hueyctl completion``: the script that makes TAB work in a shell."""

from __future__ import annotations

import click

from hueyctl.command import command
from hueyctl.context import Session


@command(
    "completion",
    examples=[
        "hueyctl completion bash > ~/.local/share/bash-completion/completions/hueyctl",
        "hueyctl completion fish > ~/.config/fish/completions/hueyctl.fish",
        "hueyctl completion zsh > ~/.zfunc/_hueyctl",
    ],
    arguments=[("SHELL", "bash, zsh or fish.")],
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(session: Session, shell: str) -> None:
    """Print the completion script of a shell.

    Packages install it where shells look for it; this is for where they do not, as in
    eval "$(hueyctl completion bash)". TAB completes commands, options, choices and columns, and
    queues, tasks, locks and ids from the queue itself. No application is imported for it.
    """
    from hueyctl.docs.scripts import script

    session.output.write(script(shell))
