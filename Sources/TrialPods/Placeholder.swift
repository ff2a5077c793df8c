// TrialPods
