/// What the collector took of the artifacts that a trial declares. Part of the collector's report and of `run.json`.
public struct ArtifactCounts: Codable, Sendable, Hashable {
    public var files: Int
    public var bytes: Int
    /// How many files and folders were left out: links, special files, and what is beyond a limit. `collected.json` lists them.
    public var leftOut: Int

    public init(files: Int, bytes: Int, leftOut: Int) {
        self.files = files
        self.bytes = bytes
        self.leftOut = leftOut
    }
}
