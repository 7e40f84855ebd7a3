# fish completion for hueyctl
# Made by make generate from hueyctl/docs/scripts.py; do not edit.

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
