module bootllama/bench

go 1.26.0
