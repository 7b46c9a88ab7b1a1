module bootllama

go 1.26
