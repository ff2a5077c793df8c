// TrialPodsTests
