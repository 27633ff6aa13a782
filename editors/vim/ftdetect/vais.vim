autocmd BufRead,BufNewFile *.vais setfiletype vais
