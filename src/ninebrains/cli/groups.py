"""Verbs that are a command and a group at once, as `export BRAIN` and `export verify FOLDER`."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class WithDefault(TyperGroup):
    """A group whose command named `DEFAULT` is run when the first word is none of the others.

    The words of the default command are then its arguments, so a brain cannot be called as one of
    the other commands; `./verify` names a file of that name.
    """

    DEFAULT = "it"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's context
        """Put the default command's name before words that name no other."""
        needs_words = self.no_args_is_help
        others = {*self.commands, *ctx.help_option_names}
        if (args and args[0] not in others) or not (args or needs_words):
            args = [self.DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Show how the default command is called, which is what most people want to know."""
        command = self.commands[self.DEFAULT]
        pieces = [piece for piece in command.collect_usage_pieces(ctx) if piece != "[OPTIONS]"]
        formatter.write_usage(ctx.command_path, " ".join(["[OPTIONS]", *pieces]))

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Show the default command's options, then the other commands."""
        self.commands[self.DEFAULT].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """The other commands."""
        return [name for name in super().list_commands(ctx) if name != self.DEFAULT]
