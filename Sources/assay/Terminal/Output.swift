import Base
import Glibc

/// Standard output, as it comes. A reader that went away (`| head`) is the signal's business.
enum Output {
    private static let failed = Locked<FileError?>(nil)

    /// Why something of the output is missing; nil when all of it was written. Whoever ends the process looks at this once.
    static var failure: FileError? { failed.withLock { $0 } }

    static func write(_ text: String) { write(Array(text.utf8)) }
    static func write(_ bytes: [UInt8]) {
        failed.withLock { failed in
            // What comes after a gap would read as if there were none.
            guard failed == nil else { return }
            do throws(FileError) { try FileWriting.write(bytes[...], to: STDOUT_FILENO, path: "standard output") } catch { failed = error }
        }
    }

    /// Text from a trial for a terminal: lines stay, every other control character and what is not UTF-8 becomes visible.
    static func inert(_ bytes: [UInt8]) -> String {
        bytes.split(separator: 10, omittingEmptySubsequences: false)
            .map { line in String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self).replacingControls }
            .joined(separator: "\n")
    }
}

/// Standard output in large pieces: for lines by the hundred thousand.
final class BufferedOutput: Sendable {
    private let waiting = Locked([UInt8]())

    func write(_ body: (inout [UInt8]) -> Void) {
        waiting.withLock { bytes in
            body(&bytes)
            if bytes.count >= 256 << 10 { Self.flush(&bytes) }
        }
    }

    func flush() { waiting.withLock { Self.flush(&$0) } }

    private static func flush(_ bytes: inout [UInt8]) {
        Output.write(bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}
