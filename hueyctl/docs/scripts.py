"""The completion scripts of bash, zsh and fish, which ask ``completion`` for what TAB offers.

The templates are our own: click's lose words with ``:`` and ``=`` in bash, cut descriptions in
fish, and differ from release to release.
"""

from __future__ import annotations

MADE = "# Made by make generate from hueyctl/docs/scripts.py; do not edit.\n"

BASH = """\
# bash completion for hueyctl
%(made)s
_hueyctl_completion() {
    local IFS=$'\\n' line kind value answer
    COMPREPLY=()
    answer=$(COMP_LINE="${COMP_LINE:0:$COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \\
        _HUEYCTL_COMPLETE=bash_complete "$1" 2>/dev/null)
    while IFS= read -r line; do
        kind="${line%%%%,*}"
        value="${line#*,}"
        case "$kind" in
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
            plain)
                COMPREPLY+=("$value")
                case "$value" in *=) compopt -o nospace 2>/dev/null ;; esac
                ;;
        esac
    done <<< "$answer"
}

complete -o nosort -F _hueyctl_completion hueyctl 2>/dev/null ||
    complete -F _hueyctl_completion hueyctl
"""

ZSH = """\
#compdef hueyctl
# zsh completion for hueyctl
%(made)s
_hueyctl() {
    local -a plain described answer
    local kind value help
    (( $+commands[$words[1]] )) || return 1

    answer=("${(@f)$(COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT - 1)) \\
        _HUEYCTL_COMPLETE=zsh_complete $words[1] 2>/dev/null)}")

    for kind value help in $answer; do
        case "$kind" in
            plain)
                if [[ "$help" == _ ]]; then
                    plain+=("$value")
                else
                    described+=("$value:$help")
                fi
                ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done

    if (( $#described )); then
        _describe -V unsorted described -U
    fi
    if (( $#plain )); then
        compadd -U -V unsorted -a plain
    fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _hueyctl "$@"
else
    compdef _hueyctl hueyctl
fi
"""

FISH = """\
# fish completion for hueyctl
%(made)s
function _hueyctl_completion
    set -l line (commandline -cp | string collect)
    set -l answer (env _HUEYCTL_COMPLETE=fish_complete "COMP_LINE=$line" hueyctl 2>/dev/null)
    for line in $answer
        set -l parts (string split -m1 "," -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end

complete --no-files --command hueyctl --arguments "(_hueyctl_completion)"
"""

TEMPLATES = {"bash": BASH, "zsh": ZSH, "fish": FISH}
#: Names under completions/.
NAMES = {"bash": "hueyctl.bash", "zsh": "_hueyctl", "fish": "hueyctl.fish"}


def script(shell: str) -> str:
    """The completion script of a shell."""
    return TEMPLATES[shell] % {"made": MADE}


def files() -> dict[str, str]:
    """What stands in completions/."""
    return {name: script(shell) for shell, name in NAMES.items()}
