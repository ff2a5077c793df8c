import Base
import Glibc

/// Standard output, unbuffered. When the reader has gone (`| head`), SIGPIPE ends the process.
enum Output {
    private static let failed = Locked<FileError?>(nil)

    /// Why a part of the output is missing; nil when everything was written. Checked once, before the process ends.
    static var failure: FileError? { failed.withLock { $0 } }

    static func write(_ text: String) { write(Array(text.utf8)) }
    static func write(_ bytes: [UInt8]) {
        failed.withLock { failed in
            // After a failed write nothing more is written: the gap would not be visible.
            guard failed == nil else { return }
            do throws(FileError) { try FileWriting.write(bytes[...], to: STDOUT_FILENO, path: "standard output") } catch { failed = error }
        }
    }

    /// Text from a trial for a terminal: line ends are kept; other control characters and invalid UTF-8 are made visible.
    static func inert(_ bytes: [UInt8]) -> String {
        bytes.split(separator: 10, omittingEmptySubsequences: false)
            .map { line in String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self).replacingControls }
            .joined(separator: "\n")
    }
}

/// Standard output in large blocks, for hundreds of thousands of lines.
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
