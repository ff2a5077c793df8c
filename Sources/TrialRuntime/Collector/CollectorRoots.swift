import EvalModel

extension CollectorConfiguration {
    /// Where the outputs lie. A separate verifier's are in a volume that the trial does not mount, and take the place of what the trial wrote
    /// there. Artifacts that are not below `/logs` come last, from the collector's own copies.
    ///
    /// - Parameter withArtifacts: whether they were copied.
    func roots(withArtifacts: Bool) -> [LogTree.Root] {
        let folder = Array(LogFolder.verifier.rawValue.utf8)
        var roots: [LogTree.Root] = []
        if verifier.separate == nil {
            roots.append(.init(directory: paths.collectedLogs))
        } else {
            roots.append(.init(prefix: [folder], directory: paths.verifierLogs))
            roots.append(.init(directory: paths.collectedLogs, omitted: [folder]))
        }
        guard withArtifacts else { return roots }
        for artifact in verifier.taken {
            guard let place = artifact.recordedAt else { continue }
            roots.append(
                .init(
                    prefix: place.map { Array($0.utf8) }, directory: "\(paths.accepted)/\(artifact.folder)", item: HandedArtifact.item))
        }
        return roots
    }

    /// A reward file, read from where only the container that runs the tests can write in separate mode.
    func rewardFile(_ name: String) -> [UInt8]? {
        verifier.separate == nil
            ? LogTree.contents([LogFolder.verifier.rawValue, name], below: paths.collectedLogs, limit: RewardFiles.maximumBytes)
            : LogTree.contents([name], below: paths.verifierLogs, limit: RewardFiles.maximumBytes)
    }
}
