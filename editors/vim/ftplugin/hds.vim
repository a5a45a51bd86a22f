" Comments, and `:make` by `hds check`, whose findings go to the quickfix list.
if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1

setlocal commentstring=//\ %s comments=s1:/*,mb:*,ex:*/,://
setlocal expandtab shiftwidth=4 softtabstop=4 cindent
setlocal makeprg=hds\ check\ --target\ hds\ %:S
setlocal errorformat=%f:%l:%c:\ %trror\ E%n:\ %m,%f:%l:%c:\ %tarning\ W%n:\ %m,%f:%l:%c:\ %m,%-G%.%#
let b:undo_ftplugin = "setlocal commentstring< comments< expandtab< shiftwidth< softtabstop< cindent< makeprg< errorformat<"
