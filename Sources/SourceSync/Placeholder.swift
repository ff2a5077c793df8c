// SourceSync
