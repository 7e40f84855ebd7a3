# bash completion for hueyctl
# Made by make generate from hueyctl/docs/scripts.py; do not edit.

_hueyctl_completion() {
    local IFS=$'\n' line kind value answer
    COMPREPLY=()
    answer=$(COMP_LINE="${COMP_LINE:0:$COMP_POINT}" COMP_BREAKS="$COMP_WORDBREAKS" \
        _HUEYCTL_COMPLETE=bash_complete "$1" 2>/dev/null)
    while IFS= read -r line; do
        kind="${line%%,*}"
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
