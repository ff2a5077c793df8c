import Base
import EvalModel

/// Everything that was read for the page of one run.
struct RunDossier: Sendable {
    struct File: Sendable {
        /// The path below the run's folder.
        var path: String
        /// In bytes; nil when it is not known.
        var size: Int?
        /// The beginning of the file, at most `RunLimits.file` bytes; nil when it was not read.
        var bytes: [UInt8]?

        /// Whether `bytes` is the whole file.
        var isWhole: Bool { bytes.map { size == nil || $0.count == size } ?? false }
    }

    var facts: RunFacts
    var metadata: JSONValue
    /// Sorted. The position of a file in this list is the number of its raw file.
    var files: [File]

    func file(_ path: String) -> (number: Int, file: File)? {
        files.firstIndex { $0.path == path }.map { ($0, files[$0]) }
    }

    /// The tries that infrastructure failures ended, by number.
    var tries: [(number: Int, metadata: JSONValue)] {
        files.compactMap { file in
            let parts = file.path.split(separator: "/")
            guard parts.count == 3, parts[0] == "retries", parts[2] == "metadata.json", let number = Int(parts[1]),
                let value = file.bytes.flatMap({ try? JSONValue(parsing: $0) })
            else { return nil }
            return (number, value)
        }.sorted { $0.number < $1.number }
    }
}

/// Limits on what the page of a run shows. Longer texts are cut with a note, and the whole file is beside the page.
enum RunLimits {
    /// The most that is read and copied of one file, in bytes.
    static let file = 4 << 20
    /// The most files of a run that are read.
    static let files = 60
    static let steps = 400
    /// Of one part of a step, in bytes.
    static let part = 12 << 10
    /// Of all steps together, in bytes.
    static let transcript = 600 << 10
    /// Of one log, in bytes: half of its beginning, half of its end.
    static let log = 32 << 10
    /// Of all logs together, in bytes.
    static let logs = 400 << 10
    static let record = 64 << 10
    /// Lines of the list of files.
    static let listed = 300

    /// Whether a file is shown on the page, so that it must be read.
    static func isShown(_ path: String) -> Bool {
        path == "metadata.json" || path == "transcript.jsonl" || path == "trajectory.json" || path == "collected.json" || path.hasPrefix("logs/")
            || path.hasPrefix("retries/") && path.hasSuffix("/metadata.json") && path.utf8.count { $0 == UInt8(ascii: "/") } == 2
    }
}
