module weir/tools/pause

go 1.26
