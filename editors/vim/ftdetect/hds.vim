" Files of HyperDbg's script language.
autocmd BufRead,BufNewFile *.hds,*.ds setfiletype hds
