" Indentation of Vais as `vaisjit fmt` makes it: four spaces for each open bracket.
if exists("b:did_indent")
  finish
endif
let b:did_indent = 1

setlocal expandtab shiftwidth=4 softtabstop=4
setlocal commentstring=#\ %s comments=:///,:#
setlocal indentexpr=VaisIndent(v:lnum)
setlocal indentkeys=0{,0},0),0],!^F,o,O
let b:undo_indent = "setlocal expandtab< shiftwidth< softtabstop< commentstring< comments< indentexpr< indentkeys<"

if exists("*VaisIndent")
  finish
endif

" The line without strings and comments.
function! s:Code(number) abort
  let code = substitute(getline(a:number), '"\%(\\.\|[^"\\]\)*"', '""', 'g')
  return substitute(code, '#\[\@!.*$', '', '')
endfunction

function! VaisIndent(number) abort
  let previous = prevnonblank(a:number - 1)
  if previous == 0
    return 0
  endif
  let indent = indent(previous)
  if s:Code(previous) =~ '[{(\[|]\s*$'
    let indent += shiftwidth()
  endif
  if getline(a:number) =~ '^\s*[})\]]'
    let indent -= shiftwidth()
  endif
  return indent
endfunction
