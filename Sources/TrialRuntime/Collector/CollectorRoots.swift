import EvalModel

extension CollectorConfiguration {
    /// Where the outputs lie. A separate verifier's are in a volume that the trial does not mount, and take the place of what the trial wrote
    /// there. Artifacts that are not below `/logs` come last, from the collector's own copies.
    ///
    /// - Parameters:
    ///   - begun: how many steps have begun. The runner has moved the outputs of all but the last of them to folders of their own.
    ///   - handed: the steps whose artifacts were copied.
    func roots(begun: Int, handed: Set<Int>) -> [LogTree.Root] {
        let folder = Array(LogFolder.verifier.rawValue.utf8)
        var roots: [LogTree.Root] = []
        if verifier.separate == nil {
            roots.append(.init(directory: paths.collectedLogs))
        } else {
            let places = (0..<begun).map { place(ofStep: $0, begun: begun) + [folder] }
            for (step, place) in places.enumerated().reversed() {
                roots.append(.init(prefix: place, directory: paths.verifierLogs(ofStep: step)))
            }
            roots.append(.init(directory: paths.collectedLogs, omitted: Set(places)))
        }
        for step in handed.sorted() {
            for artifact in verifier.taken(steps[step]) {
                guard let recorded = artifact.recordedAt else { continue }
                roots.append(
                    .init(
                        prefix: place(ofStep: step, begun: begun) + recorded.map { Array($0.utf8) },
                        directory: "\(paths.accepted(ofStep: step))/\(artifact.folder)", item: HandedArtifact.item))
            }
        }
        return roots
    }

    /// The folder of a step's outputs in the logs.
    private func place(ofStep step: Int, begun: Int) -> [[UInt8]] {
        step == begun - 1 ? [] : [Array(LogFolder.earlierSteps.utf8), Array(steps[step].name.utf8)]
    }

    /// A step's reward file, read from where only the container that runs the tests can write in separate mode.
    func rewardFile(_ name: String, ofStep step: Int) -> [UInt8]? {
        verifier.separate == nil
            ? LogTree.contents([LogFolder.verifier.rawValue, name], below: paths.collectedLogs, limit: RewardFiles.maximumBytes)
            : LogTree.contents([name], below: paths.verifierLogs(ofStep: step), limit: RewardFiles.maximumBytes)
    }
}
