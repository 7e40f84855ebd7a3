"""The pages of sections 5 and 7: the config file, the topics, exit codes."""

from __future__ import annotations

import click

from hueyctl.docs import topics
from hueyctl.docs.markdown import as_roff
from hueyctl.docs.page import ALWAYS, head, joined, long_name, options_of, references, walk
from hueyctl.docs.roff import bold, escape, filled, tagged
from hueyctl.options import GlobalOption
from hueyctl.settings import key_of


def pages(root: click.Command) -> dict[str, str]:
    """{path under man/: roff}."""
    return {
        "man5/hueyctl.toml.5": _config_page(root),
        "man7/hueyctl-exit-codes.7": _exit_codes_page(),
        **{f"man7/hueyctl-{name}.7": _text_page(name) for name in topics.PAGES},
    }


def _text_page(topic: str) -> str:
    name = f"hueyctl-{topic}"
    body = as_roff(topics.text_of(topic))
    # The first line asks for tbl.
    lines = [r"'\" t"] if ".TS" in body else []
    lines += head(name, 7, topics.ABOUT[topic], f"man/pages/{topic}.md")
    # Code must not be hyphenated, nor pulled apart in the narrow cells of a table.
    lines += [".nh", ".ad l", ".SH DESCRIPTION", *body]
    others = [each for each in ALWAYS if not each.startswith(name)]
    return joined([*lines, *references(["hueyctl(1)", *others])])


def _exit_codes_page() -> str:
    lines = head("hueyctl-exit-codes", 7, topics.ABOUT["exit-codes"])
    lines += [".SH DESCRIPTION", "Every command uses the same codes, except"]
    lines += [
        rf"{bold('hueyctl-check')}(1),",
        "whose codes 0 to 3 are those of monitoring plugins.",
    ]
    for each in topics.exit_codes():
        lines += tagged(rf"{bold(str(each.code))} {escape(each.name)}", filled(each.when))
    return joined([*lines, *references(["hueyctl(1)", *ALWAYS[1:]])])


def _config_page(root: click.Command) -> str:
    lines = head("hueyctl.toml", 5, "settings of hueyctl")
    lines += [".SH DESCRIPTION", *as_roff(topics.CONFIG)]
    for ctx in walk(root, "hueyctl"):
        options = [each for each in options_of(ctx) if _is_setting(ctx, each)]
        if options:
            words = ctx.command_path.split(" ")[1:]
            table = f"[{'.'.join(words)}]" if words else "Of every command"
            lines.append(f".SS {escape(table)}")
            for option in options:
                lines += tagged(bold(long_name(option)), filled(option.help or ""))
    return joined([*lines, *references(["hueyctl(1)", *ALWAYS[:3]])])


def _is_setting(ctx: click.Context, option: click.Option) -> bool:
    if key_of(option) in (None, "help", "version", "config"):
        return False
    return ctx.parent is None or not isinstance(option, GlobalOption)
