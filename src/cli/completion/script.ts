// `muster completion SHELL`: the script that makes the shell ask `muster complete` on each Tab. The words go over as they are
// typed, as arguments: nothing of them is ever evaluated.

import { failure } from '../../contract/errors.ts'
import type { Action } from '../perform.ts'

const scripts: Readonly<Record<string, string>> = {
  bash: `_muster() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(muster complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _muster muster`,
  // A zsh whose start file has not switched completion on yet has no compdef.
  zsh: `#compdef muster
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
_muster() {
  local line
  local -a answers
  while IFS= read -r line; do
    answers+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <(muster complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#answers )); then _describe muster answers; else _files; fi
}
compdef _muster muster`,
  fish: `function __muster_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answers (muster complete -- $words[2..] 2>/dev/null)
  if set -q answers[1]
    printf '%s\\n' $answers
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c muster --no-files -a '(__muster_complete)'`,
}

export const printScript: Action<unknown, [string]> = async (_terminal, _options, shell) => {
  const text = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  if (text === undefined) {
    throw failure('cli.usage', {
      problem: 'There is no completion for this shell.',
      hint: `Name one of ${Object.keys(scripts).join(', ')}.`,
    })
  }
  return { json: { shell, script: text }, text }
}
