import Base
import Subprocess

/// Puts the files of a further step where its runner looks for them. Until then they are in a volume that no agent sees.
struct StepRelease: Sendable {
    let paths: TrialPaths

    /// - Returns: nil, or why the files are not in place.
    func release(_ step: TrialProgram.Step) async -> String? {
        guard let folder = step.folder else { return nil }
        let (from, to) = ("\(paths.stagedSteps)/\(folder)", "\(paths.scripts)/\(folder)")
        guard FileEntry.isDirectory(from) else { return nil }
        do {
            try Directory.make(to)
            // A program of its own, because files may be larger than this container's memory. The trial cannot write to the target, so nothing there
            // needs to be guarded against.
            let copy = Command("cp", ["-R", "-P", "--remove-destination", "--preserve=mode", "\(from)/.", to], deadlineSeconds: 120)
            let result = try await copy.run()
            return result.succeeded ? nil : String(result.stderrText.suffix(300)).replacingControls
        } catch {
            return "\(error)"
        }
    }
}
