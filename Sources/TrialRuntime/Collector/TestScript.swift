import Base
import EvalModel

/// The beginning of a task's test.sh, as far as it explains why the script could not run.
struct TestScript: Sendable, Hashable {
    static let name = "test.sh"

    /// The text after `#!` in the first line, without a carriage return; nil when the script has no such line.
    let interpreter: String?
    /// The first line ends in CRLF.
    let hasCarriageReturns: Bool

    /// - Parameter folder: the folder of the tests; nil is returned when it has no readable test.sh.
    init?(at folder: String) {
        guard let bytes = FileReading.whole("\(folder)/\(Self.name)") else { return nil }
        self.init(bytes)
    }

    init(_ bytes: [UInt8]) {
        var line = bytes.prefix(while: { $0 != UInt8(ascii: "\n") })
        hasCarriageReturns = line.last == UInt8(ascii: "\r")
        if hasCarriageReturns { line.removeLast() }
        guard line.starts(with: Array("#!".utf8)) else {
            interpreter = nil
            return
        }
        interpreter = String(decoding: line.dropFirst(2).drop { $0 == UInt8(ascii: " ") }.prefix(200), as: UTF8.self).replacingControls
    }

    /// What in the script may explain that it wrote no reward and ended with this exit code; nil when nothing does.
    func remark(exit: Int, family: TaskSchema) -> String? {
        if hasCarriageReturns {
            return
                "the lines of tests/test.sh end in CRLF, as on Windows, and the CR becomes a part of the names of programs and files; save it with LF only"
        }
        guard family.runsScriptsAsFiles, exit != 0 else { return nil }
        guard let interpreter else { return "tests/test.sh has no #! line, so bash ran it" }
        let couldNotRun = exit == 126 || exit == 127
        return couldNotRun ? "the #! line of tests/test.sh asks for \(interpreter), which the image must have" : nil
    }
}

extension PodProgram.PathSetter {
    /// For the message of a script that did not find a program.
    var remark: String {
        let place = self == .task ? "the task's environment" : "the agent's env"
        return "PATH is set by \(place): it replaces the image's own, so it must list every directory with programs, /usr/bin and /bin among them"
    }
}
