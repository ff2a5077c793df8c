import Foundation
import Glibc

/// What the kernel says of a process.
struct ProcessFigures {
    /// Seconds of CPU, with those of all children that have ended.
    var cpu = 0.0
    /// Seconds of CPU of the process alone.
    var ownCPU = 0.0
    /// Megabytes (2^20) that are resident, now and at most.
    var memory = 0.0
    var peak = 0.0

    init(pid: Int32) {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        // The name, which comes before, may hold anything.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        // utime, stime, cutime and cstime of proc(5), whose third field is the first here after the bracket.
        let times = (12...15).map { fields.count > $0 ? (Double(fields[$0]) ?? 0) / ticks : 0 }
        cpu = times.reduce(0, +)
        ownCPU = times[0] + times[1]
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        for line in status.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count > 1, let kilobytes = Double(words[1]) else { continue }
            if words[0] == "VmRSS:" { memory = kilobytes / 1024 }
            if words[0] == "VmHWM:" { peak = kilobytes / 1024 }
        }
    }
}
