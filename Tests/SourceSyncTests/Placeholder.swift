// SourceSyncTests
