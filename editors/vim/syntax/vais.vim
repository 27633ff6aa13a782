" Vim syntax file for Vais, the language of `vaisjit`.
if exists("b:current_syntax")
  finish
endif

syntax case match

" Capital letters are keywords only where one can stand; as names they are coloured like them, which is rare enough.
syntax keyword vaisItem F S E EN W X N U G T P const
syntax keyword vaisConditional I EL M
syntax keyword vaisRepeat L LW LF
syntax keyword vaisStatement R B C D
syntax keyword vaisKeyword as mut fn dyn where move self
syntax keyword vaisBoolean true false
syntax keyword vaisConstant None Some Ok Err
syntax keyword vaisType i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bool str Vec HashMap Box Option Result
syntax keyword vaisBuiltin print println puts format assert panic sizeof min max abs load_i8 load_i16 load_i32
syntax keyword vaisBuiltin load_i64 load_u8 load_byte load_f32 load_f64 load_ptr store_i8 store_i16 store_i32
syntax keyword vaisBuiltin store_i64 store_u8 store_byte store_f32 store_f64 store_ptr load_typed store_typed
syntax keyword vaisBuiltin type_size swap str_to_ptr ptr_to_str exit args putchar print_i64 print_f64 puts_ptr
syntax keyword vaisBuiltin malloc calloc realloc free memcpy memmove memset strlen printf usleep hot_init
syntax keyword vaisBuiltin hot_start hot_check hot_reload hot_version hot_cleanup hot_on_reload hot_reset
syntax keyword vaisBuiltin hot_restart hot_rollback hot_loop

syntax match vaisFunction "\%(\<F\s\+\)\@<=\h\w*"
syntax match vaisNumber "\<\d[0-9_]*\%(\.\d[0-9_]*\)\=\%([eE][+-]\=\d\+\)\=\>"
syntax match vaisNumber "\<0x[0-9a-fA-F_]\+\>"
syntax match vaisNumber "\<0b[01_]\+\>"
syntax match vaisNumber "\<0o[0-7_]\+\>"
syntax match vaisOperator "[-+*/%=<>!&|^~?:@]"

syntax match vaisEscape contained "\\\%([ntr\\\"0{}]\|x\x\x\|u{\x\+}\)"
syntax region vaisHole contained matchgroup=vaisDelimiter start="{" end="}" contains=TOP,vaisHole
syntax match vaisBraces contained "{{\|}}"
syntax region vaisString start=+"+ skip=+\\.+ end=+"+ contains=vaisEscape,vaisHole,vaisBraces

syntax keyword vaisTodo contained TODO FIXME XXX
syntax match vaisComment "#.*$" contains=vaisTodo,@Spell
syntax match vaisDoc "///.*$" contains=vaisTodo,@Spell
syntax match vaisAttribute "^\s*\%(#\|@\)\[[^\]]*\]"

highlight default link vaisItem Keyword
highlight default link vaisConditional Conditional
highlight default link vaisRepeat Repeat
highlight default link vaisStatement Statement
highlight default link vaisKeyword Keyword
highlight default link vaisBoolean Boolean
highlight default link vaisConstant Constant
highlight default link vaisType Type
highlight default link vaisBuiltin Function
highlight default link vaisFunction Function
highlight default link vaisNumber Number
highlight default link vaisOperator Operator
highlight default link vaisEscape SpecialChar
highlight default link vaisBraces SpecialChar
highlight default link vaisDelimiter Delimiter
highlight default link vaisString String
highlight default link vaisTodo Todo
highlight default link vaisComment Comment
highlight default link vaisDoc SpecialComment
highlight default link vaisAttribute PreProc

let b:current_syntax = "vais"
