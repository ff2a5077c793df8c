// EvalModel
